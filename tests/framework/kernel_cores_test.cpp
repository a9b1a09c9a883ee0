// A server on kernel sockets with a loop on each of several threads: SO_REUSEPORT.
#include <doctest/doctest.h>
#include <weft/kernel/network.hpp>
#include <weft/runtime.hpp>
#include <weft/task_group.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace {

namespace kernel = weft::kernel;
using weft::result;
using weft::task;

constexpr std::size_t loops = 3;
constexpr std::size_t clients = 150;

struct shared_port {
    weft::endpoint at{weft::ip_address{weft::ipv4_address{127, 0, 0, 1}}, 0};
    std::array<std::size_t, loops> served{};  // each one written on its own loop
};

task<void> echo(kernel::tcp_stream peer, std::size_t& served) {
    std::array<std::byte, 256> bytes;
    for (;;) {
        const auto got = co_await peer.read_some(bytes);
        if (!got || *got == 0) break;
        const auto sent = co_await peer.write_all(std::span{bytes}.first(*got));
        if (!sent) break;
    }
    const auto ended = co_await peer.shutdown();
    if (ended) ++served;
}

task<void> close_when_draining(weft::event& draining, kernel::tcp_listener& listener) {
    (void)co_await draining.wait();
    listener.close();
}

task<void> accept_all(weft::task_group& group, kernel::tcp_listener* listener,
                      weft::event* draining, std::size_t* served) {
    group.spawn(close_when_draining(*draining, *listener));
    for (;;) {
        result<kernel::tcp_stream> peer = co_await listener->accept();
        if (!peer) break;
        group.spawn(echo(std::move(*peer), *served));
    }
}

/// One loop's server: a network and a listener of its own, on the port of all.
task<void> serve(weft::runtime& all, shared_port& port, weft::event& is_listening) {
    weft::runtime_loop& here = co_await all.here();
    kernel::network network{here.context()};
    result<kernel::tcp_listener> listener = network.listen(port.at, {.reuse_port = true});
    port.at = listener.value().local_endpoint();
    is_listening.set();
    (void)co_await weft::with_task_group(&accept_all, &*listener, &here.draining(),
                                         &port.served[here.index()]);
}

task<bool> exchange(kernel::network& from, weft::endpoint to, std::size_t which) {
    result<kernel::tcp_stream> peer = co_await from.connect(to);
    if (!peer) co_return false;
    std::array<std::byte, 200> sent;
    sent.fill(static_cast<std::byte>(which));
    std::array<std::byte, 200> back{};
    const auto written = co_await peer->write_all(sent);
    const auto ended = co_await peer->shutdown();
    const auto read = co_await peer->read_exactly(back);
    co_return written&& ended&& read&& back == sent;
}

}  // namespace

TEST_SUITE("framework.kernel.cores") {
TEST_CASE("listeners on one port, one a loop, share the connections") {
    shared_port port;
    std::size_t right = 0;
    weft::runtime cores{{.threads = loops, .grace = std::chrono::seconds{5}}};
    cores.run([&](weft::runtime& all) -> task<void> {
        for (std::size_t i = 0; i < loops; ++i) {  // the first one chooses the port
            const auto begin = [&all, &port]() -> task<void> {
                weft::event is_listening;
                auto serving = [&all, &port, &is_listening]() {
                    return serve(all, port, is_listening);
                };
                weft::runtime_loop& here = co_await all.here();
                CHECK(co_await all.start_on(here.index(), serving));
                CHECK(co_await is_listening.wait());
            };
            CHECK(co_await all.spawn_on(i, begin));
        }
        kernel::network network{all.loop(0).context()};
        for (std::size_t i = 0; i < clients; ++i) {
            const bool is_right = co_await exchange(network, port.at, i);
            if (is_right) ++right;
        }
    });
    CHECK(right == clients);
    std::size_t served = 0;
    for (const std::size_t each : port.served) {
        CHECK(each > clients / loops / 3);
        served += each;
    }
    CHECK(served == clients);
}
}
