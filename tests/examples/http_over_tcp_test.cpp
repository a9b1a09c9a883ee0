// HTTP on Weft's own TCP, between two hosts of a simulation on a wire that loses frames.
#include <weft/http/client_connection.hpp>
#include <weft/http/head_writer.hpp>
#include <weft/http/server_connection.hpp>
#include <weft/sim/world.hpp>
#include <weft/when_all.hpp>

#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>

namespace {

using namespace weft;
using namespace std::chrono_literals;
using net::tcp_stream;

constexpr int requests = 20;

std::string body_of(int number) { return std::string(static_cast<std::size_t>(number) * 997, 'a'); }

/// Answers `/n` with n times 997 bytes, as often as it is asked.
task<int> serve(net::host& on) {
    net::tcp_listener listener = on.listen(80).value();
    tcp_stream peer = (co_await listener.accept()).value();
    const auto memory = std::make_unique<std::array<char, 4096>>();
    http::input_buffer input{*memory};
    http::server_limits patient;
    patient.head_timeout = 10min;
    patient.max_head_bytes = 2048;
    http::server_connection<tcp_stream> connection{peer, input, patient};
    int served = 0;
    while (co_await connection.receive() == http::reception::request) {
        const int number = std::stoi(std::string{connection.request().target().substr(1)});
        const std::string body = body_of(number);
        std::array<char, 256> text{};
        http::head_writer head{text};
        head.status_line(http::status::ok)
            .field("Content-Length", std::uint64_t{body.size()})
            .end();
        if (!co_await connection.send(head.text())) break;
        if (!co_await connection.send(body)) break;
        ++served;
    }
    (void)co_await peer.shutdown();
    co_return served;
}

task<int> ask(net::host& on, net::endpoint server) {
    tcp_stream peer = (co_await on.connect(server)).value();
    const auto memory = std::make_unique<std::array<char, 2048>>();
    http::input_buffer input{*memory};
    int good = 0;
    for (int i = 1; i <= requests; ++i) {
        http::client_connection<tcp_stream> exchange{peer, input, 10min};
        std::array<char, 256> text{};
        http::head_writer head{text};
        head.request_line("GET", "/" + std::to_string(i)).field("Host", "10.0.0.2").end();
        const result<void> answered = co_await exchange.exchange(
            head.text(), http::client_connection<tcp_stream>::asks::body, 1'000'000);
        if (!answered) break;
        std::string body;
        for (;;) {
            const result<std::string_view> piece = co_await exchange.read_body();
            if (!piece || piece->empty()) break;
            body += *piece;
        }
        if (body == body_of(i)) ++good;
    }
    (void)co_await peer.shutdown();
    co_return good;
}

task<std::pair<int, int>> both(net::host& client, net::host& server) {
    const auto [good, served] =
        co_await when_all(ask(client, {server.address(), 80}), serve(server));
    co_return std::pair{good, served};
}

TEST_SUITE("examples.http_over_tcp") {
TEST_CASE("keep-alive requests are answered in full on a wire that loses and reorders") {
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
        sim::world world{seed};
        net::host& client = world.add_host("10.0.0.1/24");
        net::host& server = world.add_host("10.0.0.2/24");
        world.connect(client, server,
                      {.loss = 0.05, .duplicate = 0.02, .reorder = 0.05, .delay = 5ms});
        const auto [good, served] = world.run(both(client, server));
        CAPTURE(seed);
        CHECK(good == requests);
        CHECK(served == requests);
    }
}
}

}  // namespace
