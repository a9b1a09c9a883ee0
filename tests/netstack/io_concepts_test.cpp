// The streams of the own stack are what programs that are written for any network expect.
#include <weft/listener.hpp>
#include <weft/net/errc.hpp>
#include <weft/net/io/host.hpp>
#include <weft/stream.hpp>

#include <doctest/doctest.h>

namespace net = weft::net;

static_assert(weft::viewable_stream<net::tcp_stream>);
static_assert(weft::listener<net::tcp_listener>);
static_assert(!weft::stream<net::tcp_listener> && !weft::listener<net::tcp_stream>);

TEST_SUITE("netstack.concepts") {
TEST_CASE("an end before all bytes has the condition that every network gives it") {
    CHECK(make_error_code(net::errc::end_of_stream) == std::errc::no_message_available);
    CHECK(make_error_code(weft::errc::end_of_stream) == std::errc::no_message_available);
}
}
