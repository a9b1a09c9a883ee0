#include "bulk.hpp"

#include <weft/task_group.hpp>

#include <array>
#include <chrono>
#include <cstdio>
#include <deque>

namespace weft::sim::test {
namespace {

constexpr std::uint16_t first_port = 2000;

struct flow {
    tcp_stream client;
    tcp_stream server;
    std::uint64_t received = 0;
};

/// Until the connection ends.
task<> pour(tcp_stream& into) {
    const std::string block(65'536, 'x');
    while (co_await into.write_all(bytes_of(std::string_view{block}))) {
    }
}

task<> drain(flow& from) {
    for (;;) {
        const result<void> there = co_await from.server.readable();
        if (!there) co_return;
        const std::size_t count = from.server.read_view().size();
        if (count == 0) co_return;
        from.server.consume(count);
        from.received += count;
    }
}

task<> run_client(two_hosts& on, flow& as, std::uint16_t at, duration start,
                  net::tcp::connection_options options) {
    (void)co_await sleep_for(start);
    co_await connect_into(on.client, on.server_at(at), as.client, options);
    co_await pour(as.client);
}

task<> run_server(two_hosts& on, flow& as, std::uint16_t at, net::tcp::connection_options options) {
    auto listening = on.server.listen(at, {.connection = options});
    REQUIRE(listening.has_value());
    co_await accept_into(*listening, as.server);
    co_await drain(as);
}

task<> run_flows(two_hosts& on, std::deque<flow>& flows, const bulk_settings& settings,
                 std::vector<std::uint64_t>& measured) {
    task_group group{co_await current_environment()};
    net::random_source random{settings.seed};
    for (std::size_t i = 0; i < flows.size(); ++i) {
        const auto at = static_cast<std::uint16_t>(first_port + i);
        group.spawn(run_server(on, flows[i], at, settings.options));
        group.spawn(
            run_client(on, flows[i], at, random.up_to(settings.starts_within), settings.options));
    }
    (void)co_await sleep_for(settings.warm_up);
    for (const flow& each : flows) measured.push_back(each.received);
    (void)co_await sleep_for(settings.measured);
    for (std::size_t i = 0; i < flows.size(); ++i) {
        measured[i] = flows[i].received - measured[i];
        flows[i].client.abort();
        flows[i].server.abort();
    }
    (void)co_await group.join();
}

}  // namespace

std::vector<std::uint64_t> run_bulk(const bulk_settings& settings) {
    two_hosts on{settings.seed, {}, settings.hosts};
    on.get_acquainted();
    on.world.device_of(on.client).set_link(settings.up);
    on.world.device_of(on.server).set_link(settings.down);
    std::deque<flow> flows(settings.flows);
    std::vector<std::uint64_t> measured;
    on.world.run(run_flows(on, flows, settings, measured));
    flows.clear();
    on.settle();
    CHECK(on.world.bytes_in_use() == 0);
    return measured;
}

double share_of_line(std::uint64_t bytes, duration in, std::uint64_t bits_per_second) {
    const double seconds = std::chrono::duration<double>(in).count();
    return static_cast<double>(bytes) * 8 / seconds / static_cast<double>(bits_per_second);
}

double jain_index(const std::vector<std::uint64_t>& shares) {
    double sum = 0;
    double squares = 0;
    for (const std::uint64_t each : shares) {
        sum += static_cast<double>(each);
        squares += static_cast<double>(each) * static_cast<double>(each);
    }
    return squares == 0 ? 0 : sum * sum / (static_cast<double>(shares.size()) * squares);
}

std::string column(double value, int width, int digits) {
    std::array<char, 64> text{};
    (void)std::snprintf(text.data(), text.size(), "%*.*f", width, digits, value);
    return text.data();
}

std::string column(std::string_view text, std::size_t width) {
    return std::string(width - std::min(width, text.size()), ' ') + std::string{text};
}

}  // namespace weft::sim::test
