// weft::netstack: a whole connection between two hosts in a simulation, from SYN to TIME-WAIT.

#include <weft/sim/world.hpp>
#include <weft/when_all.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <span>
#include <stdexcept>
#include <string_view>

using namespace std::chrono_literals;
using namespace weft::net;

namespace {

weft::task<> greet(tcp_listener& listener) {
    tcp_stream peer = (co_await listener.accept()).value();
    constexpr std::string_view hello = "hello";
    (co_await peer.write_all(std::as_bytes(std::span{hello}))).value();
    (co_await peer.shutdown()).value();
}

weft::task<> listen_to(host& from, endpoint to) {
    tcp_stream peer = (co_await from.connect(to)).value();
    std::array<char, 5> text{};
    (co_await peer.read_exactly(std::as_writable_bytes(std::span{text}))).value();
    if (std::string_view{text.data(), text.size()} != "hello") throw std::runtime_error{"text"};
    (co_await peer.shutdown()).value();
    (co_await peer.closed()).value();
}

weft::task<> conversation(host& client, host& server) {
    tcp_listener listener = server.listen(80).value();
    co_await weft::when_all(greet(listener), listen_to(client, endpoint{server.address(), 80}));
}

}  // namespace

int main() {
    weft::sim::world world{42};
    host& client = world.add_host("10.0.0.1/24");
    host& server = world.add_host("10.0.0.2/24");
    world.connect(client, server, {.delay = 5ms});
    world.run(conversation(client, server));
    std::printf("%lld ms of virtual time\n",
                static_cast<long long>(world.now().time_since_epoch() / 1ms));
}
