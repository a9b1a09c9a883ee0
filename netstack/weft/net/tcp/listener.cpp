#include <weft/net/tcp/listener.hpp>

namespace weft::net::tcp {

connection& listener::accept() noexcept {
    connection& c = completed_.pop_front();
    --queued_;
    c.parent_ = nullptr;
    return c;
}

}  // namespace weft::net::tcp
