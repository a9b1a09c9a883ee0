#include <weft/net/counters.hpp>

#include <doctest/doctest.h>

#include <set>
#include <string>

using weft::net::counter_fields;
using weft::net::stack_counters;

TEST_SUITE("netstack.wire.counters") {
TEST_CASE("every counter is listed once, by its own name") {
    stack_counters counters;
    std::set<std::string> names;
    std::uint64_t value = 0;
    for (const auto& counter : counter_fields) {
        CHECK(names.insert(std::string{counter.name}).second);
        CHECK(counters.*counter.field == 0);  // a field listed twice would hold a value already
        counters.*counter.field = ++value;
    }
    CHECK(counters.frames_received == 1);
    CHECK(counters.udp_no_port == counter_fields.size());
}

TEST_CASE("for_each gives names with values in the order of the struct") {
    stack_counters counters;
    counters.frames_sent = 7;
    counters.tcp_bad_checksum = 9;
    std::string seen;
    std::size_t calls = 0;
    counters.for_each([&](std::string_view name, std::uint64_t value) {
        ++calls;
        if (value != 0) seen += std::string{name} + '=' + std::to_string(value) + ' ';
    });
    CHECK(calls == counter_fields.size());
    CHECK(seen == "frames_sent=7 tcp_bad_checksum=9 ");
}
}
