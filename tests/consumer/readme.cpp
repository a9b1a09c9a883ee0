// The program of README.md, word for word: tests/house/rules_test.py compares.

#include <weft/net/io/with_network.hpp>
#include <weft/run.hpp>
#include <weft/task_group.hpp>

using namespace weft;

template <viewable_stream Stream>
task<> echo(Stream peer) {
    while (co_await peer.readable()) {  // parked here, an idle peer holds no buffer
        const auto bytes = peer.read_view();
        if (bytes.empty()) break;  // the peer has closed its direction
        if (!co_await peer.write_all(bytes)) break;
        peer.consume(bytes.size());
    }
    (void)co_await peer.shutdown();  // our half of the four-way close
}

template <listener Listener>
task<> serve(task_group& peers, Listener listener) {
    while (auto peer = co_await listener.accept()) peers.spawn(echo(std::move(*peer)));
}

template <network Network>
task<int> echo_server(Network& on) {
    auto listener = on.listen(7777).value();
    (void)co_await with_task_group(serve<decltype(listener)>, std::move(listener));  // until Ctrl-C
    co_return 0;
}

int main(int count, char** arguments) {
    const auto spec = net::network_spec::parse(count > 1 ? arguments[1] : "kernel:");
    return run([&spec](io_context& io) {
        return net::with_network(io, spec, [](auto& on) { return echo_server(on); });
    });
}
