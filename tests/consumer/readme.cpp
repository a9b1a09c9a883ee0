// The program of README.md, word for word: tests/house/rules_test.py compares.

#include <weft/net/io/host.hpp>
#include <weft/net/io/tap_device.hpp>
#include <weft/run.hpp>
#include <weft/task_group.hpp>

using namespace weft;

task<> echo(net::tcp_stream peer) {
    while (co_await peer.readable()) {  // parked here, an idle peer holds no buffer
        const auto bytes = peer.read_view();
        if (bytes.empty()) break;  // the peer has closed its direction
        if (!co_await peer.write_all(bytes)) break;
        peer.consume(bytes.size());
    }
    (void)co_await peer.shutdown();  // our half of the four-way close
}

task<> serve(task_group& peers, net::tcp_listener listener) {
    while (auto peer = co_await listener.accept()) peers.spawn(echo(std::move(*peer)));
}

task<int> echo_server(io_context& io) {
    const auto tap = net::tap_device::open(io, {.name = "weft0"}).value();
    net::host host{io, *tap, {.address = net::ip_prefix::parse("10.0.0.2/24").value()}};
    (void)co_await with_task_group(serve, host.listen(7).value());  // until Ctrl-C
    co_await host.stop(io.now() + std::chrono::seconds{5});
    co_return 0;
}

int main() { return run(echo_server); }
