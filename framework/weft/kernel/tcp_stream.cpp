#include <weft/kernel/system_calls.hpp>
#include <weft/kernel/tcp_stream.hpp>

namespace weft::kernel {

void tcp_stream::set_no_delay(bool on) noexcept { kernel::set_no_delay(descriptor(), on); }

void tcp_stream::set_keepalive(const keepalive_options& options) noexcept {
    kernel::set_keepalive(descriptor(), options);
}

void tcp_stream::set_user_timeout(duration timeout) noexcept {
    kernel::set_user_timeout(descriptor(), timeout);
}

}  // namespace weft::kernel
