#include "two_hosts.hpp"

#include <weft/sync/event.hpp>

using namespace weft;
using namespace weft::sim::test;

namespace {

task<> try_connect(net::host& from, net::endpoint to, std::error_code& into,
                   net::tcp::connection_options options = {}) {
    auto opened = co_await from.connect(to, options);
    into = opened.error();
}

std::error_code error_of_connect(two_hosts& on, net::endpoint to,
                                 net::tcp::connection_options options = {}) {
    std::error_code error;
    on.world.run(try_connect(on.client, to, error, options));
    return error;
}

task<> timed_connect(net::host& from, net::endpoint to, std::error_code& into) {
    auto opened = co_await with_timeout(2s, from.connect(to));
    into = opened.error();
}

task<> accept_and_hold(tcp_listener& from, std::vector<tcp_stream>& into, std::size_t count) {
    while (into.size() < count) {
        auto accepted = co_await from.accept();
        if (!accepted) co_return;
        into.push_back(std::move(*accepted));
    }
}

task<> connect_and_hold(net::host& from, net::endpoint to, std::vector<tcp_stream>& into) {
    auto opened = co_await from.connect(to);
    if (opened) into.push_back(std::move(*opened));
}

task<> many_at_once(two_hosts& on, std::size_t count) {
    auto listening = on.server.listen(port);
    REQUIRE(listening.has_value());
    std::vector<tcp_stream> clients;
    std::vector<tcp_stream> servers;
    std::vector<task<>> all;
    for (std::size_t i = 0; i < count; ++i) {
        all.push_back(connect_and_hold(on.client, on.server_at(), clients));
    }
    co_await when_all(when_all(std::move(all)), accept_and_hold(*listening, servers, count));
    CHECK(clients.size() == count);
    CHECK(servers.size() == count);
}

task<> accept_in_turn(tcp_listener& from, int number, std::vector<int>& order) {
    auto accepted = co_await from.accept();
    CHECK(accepted.has_value());
    order.push_back(number);
}

task<> one_after_the_other(two_hosts& on, int count) {
    for (int i = 0; i < count; ++i) {
        auto opened = co_await on.client.connect(on.server_at());
        CHECK(opened.has_value());
    }
}

task<> waiting_accepts(two_hosts& on) {
    auto listening = on.server.listen(port);
    REQUIRE(listening.has_value());
    std::vector<int> order;
    co_await when_all(accept_in_turn(*listening, 1, order), accept_in_turn(*listening, 2, order),
                      accept_in_turn(*listening, 3, order), one_after_the_other(on, 3));
    CHECK(order == std::vector{1, 2, 3});
}

/// Sets the event when a handshake is complete, before anybody who waits in accept() is told.
struct establishment final : net::observer {
    explicit establishment(event& e) : established{e} {}
    void on_transition(const net::transition_event& e) override {
        if (e.to == state::established) established.set();
    }
    void on_segment(const net::segment_event&) override {}
    event& established;
};

task<> accept_once_set(event& e, tcp_listener& from, std::vector<int>& order) {
    (void)co_await e.wait();
    co_await accept_in_turn(from, 2, order);
}

task<> overtaking_accept(two_hosts& on) {
    auto listening = on.server.listen(port);
    REQUIRE(listening.has_value());
    event is_established;
    establishment watch{is_established};
    on.server.stack().observe(&watch);
    std::vector<int> order;
    co_await when_all(accept_in_turn(*listening, 1, order),
                      accept_once_set(is_established, *listening, order),
                      one_after_the_other(on, 2));
    on.server.stack().observe(nullptr);
    CHECK(order == std::vector{1, 2});
}

task<> close_later(tcp_listener& what) {
    (void)co_await sleep_for(100ms);
    what.close();
}

task<> accept_error(tcp_listener& from, std::error_code& into) {
    auto accepted = co_await from.accept();
    into = accepted.error();
}

task<> closed_while_accepting(two_hosts& on) {
    auto listening = on.server.listen(port);
    REQUIRE(listening.has_value());
    std::error_code first, second, later;
    co_await when_all(accept_error(*listening, first), accept_error(*listening, second),
                      close_later(*listening));
    CHECK(first == net::errc::closing);
    CHECK(second == net::errc::closing);
    CHECK(!*listening);
    CHECK((co_await listening->accept()).error() == net::errc::closing);
    co_await try_connect(on.client, on.server_at(), later);
    CHECK(later == std::errc::connection_refused);
}

task<> connect_all(std::vector<task<>> all) { co_await when_all(std::move(all)); }

task<> backlog_of_two(two_hosts& on, std::size_t most) {
    auto listening = on.server.listen(port, {.backlog = 2});
    REQUIRE(listening.has_value());
    std::vector<tcp_stream> clients;
    std::vector<tcp_stream> servers;
    std::vector<task<>> all;
    for (int i = 0; i < 10; ++i) {
        all.push_back(connect_and_hold(on.client, on.server_at(), clients));
    }
    task_group group{co_await current_environment()};
    group.spawn(connect_all(std::move(all)));
    (void)co_await sleep_for(500ms);
    // Two wait to be accepted; the others knock again, and are not refused.
    CHECK(on.server.stack().tcp().connection_count() <= most);
    CHECK(on.server.counters().tcp_syn_dropped + on.server.counters().tcp_backlog_overflow > 0);
    co_await accept_and_hold(*listening, servers, 10);
    CHECK((co_await group.join()).has_value());
    CHECK(servers.size() == 10);
    CHECK(clients.size() == 10);
}

task<> unaccepted(two_hosts& on) {
    auto listening = on.server.listen(port);
    REQUIRE(listening.has_value());
    stream_pair pair;
    co_await connect_into(on.client, on.server_at(), pair.client);
    (void)co_await sleep_for(100ms);
    listening->close();
    std::string buffer(10, '\0');
    CHECK((co_await pair.client.read_some(bytes_of(buffer))).error() ==
          std::errc::connection_reset);
}

void leaves_nothing(two_hosts& on) {
    on.settle();
    on.check_nothing_left();
}

}  // namespace

TEST_SUITE("sim.connect") {
TEST_CASE("a port that nobody listens on refuses") {
    two_hosts on;
    CHECK(error_of_connect(on, on.server_at(81)) == std::errc::connection_refused);
    CHECK(on.world.now() < instant{} + 100ms);
    leaves_nothing(on);
}

TEST_CASE("a host that is not there is unreachable once ARP has given up") {
    two_hosts on;
    const net::endpoint nobody{net::ip_address{net::ipv4_address{10, 0, 0, 99}}, port};
    CHECK(error_of_connect(on, nobody) == std::errc::host_unreachable);
    leaves_nothing(on);
}

TEST_CASE("an address outside of every known network is refused at once") {
    two_hosts on;
    const net::endpoint far{net::ip_address{net::ipv4_address{192, 0, 2, 1}}, port};
    CHECK(error_of_connect(on, far) == std::errc::network_unreachable);
    leaves_nothing(on);
}

TEST_CASE("a broadcast or multicast address is no endpoint [MUST-46]") {
    two_hosts on;
    const net::endpoint all{net::ip_address{net::ipv4_address{10, 0, 0, 255}}, port};
    CHECK(error_of_connect(on, all) == net::errc::invalid_endpoint);
    const net::endpoint group{net::ip_address{net::ipv4_address{224, 0, 0, 1}}, port};
    CHECK(error_of_connect(on, group) == net::errc::invalid_endpoint);
}

TEST_CASE("a SYN that is never answered times out after three minutes [MUST-23]") {
    two_hosts on;
    auto listening = on.server.listen(port);
    on.world.device_of(on.server).set_filter(drop_flags{tcp_flags::syn | tcp_flags::ack, 1000});
    CHECK(error_of_connect(on, on.server_at()) == std::errc::timed_out);
    CHECK(on.world.now() >= instant{} + 3min);
    CHECK(on.world.now() <= instant{} + 6min);
    on.settle();
}

TEST_CASE("a user timeout cuts the attempt short") {
    two_hosts on;
    on.world.device_of(on.client).set_filter(drop_flags{tcp_flags::syn, 1000});
    CHECK(error_of_connect(on, on.server_at(), {.user_timeout = 5s}) == std::errc::timed_out);
    CHECK(on.world.now() >= instant{} + 5s);
    CHECK(on.world.now() <= instant{} + 10s);
    leaves_nothing(on);
}

TEST_CASE("cancelling a connect aborts the attempt") {
    two_hosts on;
    on.world.device_of(on.client).set_filter(drop_flags{tcp_flags::syn, 1000});
    std::error_code error;
    on.world.run(timed_connect(on.client, on.server_at(), error));
    CHECK(error == std::errc::timed_out);
    CHECK(on.client.stack().tcp().connection_count() == 0);
    CHECK(on.world.now() <= instant{} + 2100ms);
    leaves_nothing(on);
}

TEST_CASE("five hundred connections at once") {
    two_hosts on;
    on.world.run(many_at_once(on, 500));
    leaves_nothing(on);
}

TEST_CASE("accepts that wait are served in their order") {
    two_hosts on;
    on.world.run(waiting_accepts(on));
    leaves_nothing(on);
}

TEST_CASE("an accept that comes later does not overtake one that has been told and not run yet") {
    two_hosts on;
    on.world.run(overtaking_accept(on));
    leaves_nothing(on);
}

TEST_CASE("closing a listener ends the accepts that wait, and refuses from then on") {
    two_hosts on;
    on.world.run(closed_while_accepting(on));
    leaves_nothing(on);
}

TEST_CASE("a full backlog drops SYNs, which are sent again, and is bounded") {
    two_hosts on{1, {.delay = 10ms}, {.tcp = {.syn_cookies = net::tcp::cookie_policy::never}}};
    on.world.run(backlog_of_two(on, 4));
    leaves_nothing(on);
}

TEST_CASE("a full backlog answers with cookies, and everybody who meant it is accepted in time") {
    two_hosts on;
    on.world.run(backlog_of_two(on, 10));
    CHECK(on.server.counters().tcp_syn_cookies_sent == 8);
    leaves_nothing(on);
}

TEST_CASE("a connection that nobody accepted is reset with its listener") {
    two_hosts on;
    on.world.run(unaccepted(on));
    leaves_nothing(on);
}

TEST_CASE("a port is listened on once") {
    two_hosts on;
    auto first = on.server.listen(port);
    CHECK(first.has_value());
    CHECK(on.server.listen(port).error() == std::errc::address_in_use);
    auto any = on.server.listen(std::uint16_t{0});
    CHECK(any.has_value());
    CHECK(any->local_endpoint().port != 0);
}
}
