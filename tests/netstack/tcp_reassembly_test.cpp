#include "scripted_peer.hpp"

#include <doctest/doctest.h>

#include <random>

using namespace std::chrono_literals;
using namespace weft::test;
using weft::net::tcp::state;

// Segments out of order: RFC 9293 §3.10.7.4 seventh and eighth, RFC 5681 §4.2.

TEST_SUITE("netstack.tcp.reassembly") {
TEST_CASE("text beyond the peer's FIN is not kept once the FIN counts") {
    scripted_peer peer = in_state(state::established);
    peer.sends(data(5012, 1001, "beyond"));
    peer.sends(fin_ack(5006, 1001, "world"));
    CHECK(peer.state() == state::established);
    peer.sends(data(5001, 1001, "hello"));
    CHECK(peer.state() == state::close_wait);
    CHECK(peer.connection->violated_invariant() == "");
    CHECK(peer.reads() == "helloworld");
    CHECK(peer.pool.bytes_out() == 0);
}

TEST_CASE(
    "a segment behind a gap is kept, and each is answered with a duplicate ACK [SHLD-31] "
    "[MAY-13]") {
    scripted_peer peer = in_state(state::established);
    for (std::uint32_t i = 1; i <= 3; ++i) {
        peer.sends(data(5001 + i * 10, 1001, stream_text(10, i * 10)));
        CHECK(peer.sees() == ack(1001, 5001));
        CHECK(peer.sees() == nothing);
    }
    peer.sends(data(5001, 1001, stream_text(10)));
    CHECK(peer.sees() == ack(1001, 5041));
    CHECK((peer.reads() == stream_text(40)));
}

TEST_CASE("segments out of order that come in one turn still make three duplicate ACKs") {
    scripted_peer peer = in_state(state::established);
    for (std::uint32_t i = 1; i <= 3; ++i) {
        peer.sends(data(5001 + i * 10, 1001, stream_text(10, i * 10)));
    }
    const auto seen = peer.sees_all();
    CHECK(seen.size() == 3);
    for (const script_segment& s : seen) CHECK(s == ack(1001, 5001));
}

TEST_CASE("filling part of a gap is acknowledged at once (RFC 5681 section 4.2)") {
    scripted_peer peer = in_state(state::established);
    peer.sends(data(5041, 1001, stream_text(10, 40)));
    (void)peer.sees_all();
    for (int i = 0; i < 3; ++i) {
        const auto at = static_cast<std::uint32_t>(i) * 10;
        peer.sends(data(5001 + at, 1001, stream_text(10, at)));
        CHECK(peer.sees() == ack(1001, 5011 + at));
    }
}

TEST_CASE("a segment that straddles what is old and what is new gives the new part") {
    scripted_peer peer = in_state(state::established);
    peer.sends(data(5001, 1001, stream_text(100)));
    peer.sends(data(5051, 1001, stream_text(100, 50)));
    CHECK(peer.sees_last() == ack(1001, 5151));
    CHECK((peer.reads() == stream_text(150)));
}

TEST_CASE("a FIN ahead of missing text is remembered and counts when the text is there") {
    scripted_peer peer = in_state(state::established);
    peer.sends(fin_ack(5011, 1001, stream_text(10, 10)));
    CHECK(peer.state() == state::established);
    CHECK(peer.sees() == ack(1001, 5001));
    peer.sends(data(5001, 1001, stream_text(10)));
    CHECK(peer.state() == state::close_wait);
    CHECK(peer.sees() == ack(1001, 5022));
    CHECK((peer.reads() == stream_text(20)));
    CHECK(peer.connection->is_read_finished());
}

TEST_CASE("a bare FIN ahead of missing text is remembered too") {
    scripted_peer peer = in_state(state::fin_wait_2);
    peer.sends(fin_ack(5011, 1002));
    CHECK(peer.state() == state::fin_wait_2);
    CHECK(peer.sees() == ack(1002, 5001));
    peer.sends(data(5001, 1002, stream_text(10)));
    CHECK(peer.state() == state::time_wait);
    CHECK(peer.sees_last() == ack(1002, 5012));
}

TEST_CASE(
    "text behind the FIN is not delivered, and a forged FIN inside the stream stops "
    "nothing for ever") {
    scripted_peer peer = in_state(state::established);
    peer.sends(fin_ack(5001, 1001, "end"));
    peer.sends(data(5005, 1001, "beyond"));
    CHECK(peer.reads() == "end");
    CHECK(peer.state() == state::close_wait);

    scripted_peer other = in_state(state::established);
    other.sends(fin_ack(5051, 1001));  // out of order, and not where the stream ends
    other.sends(data(5001, 1001, stream_text(100)));
    CHECK((other.reads() == stream_text(100)));
    other.sends(fin_ack(5101, 1001));
    CHECK(other.state() == state::close_wait);
}

TEST_CASE(
    "any order, overlap and repetition of segments gives the stream once, in order, and "
    "its end") {
    for (std::uint32_t seed = 1; seed <= 20; ++seed) {
        CAPTURE(seed);
        std::mt19937 random{seed};
        script_options o;
        o.irs = 0xffff'ff00U - seed * 1000;  // most of them cross 2^32
        o.connection.receive_buffer_bytes = 20'000;
        scripted_peer peer = in_state(state::established, o);
        constexpr std::uint32_t total = 40'000;
        const std::uint32_t base = o.irs + 1;
        std::string got;
        std::uint32_t acked = 0;
        std::uint32_t edge = 20'000;
        for (int step = 0; peer.state() == state::established; ++step) {
            REQUIRE(step < 100'000);
            const bool repeats = random() % 3 == 0;
            const std::uint32_t from =
                repeats ? acked
                        : std::min(total, acked + static_cast<std::uint32_t>(random()) % 8000);
            const std::uint32_t to =
                std::min({total, edge, from + static_cast<std::uint32_t>(random()) % 1460});
            if (to >= from) {
                const std::string text = stream_text(to - from, from);
                peer.sends(to == total && edge > total ? fin_ack(base + from, o.iss + 1, text)
                                                       : data(base + from, o.iss + 1, text));
            }
            if (random() % 4 == 0) got += peer.reads(random() % 6000);
            for (const script_segment& s : peer.sees_all()) {
                REQUIRE(s.ack - base >= acked);
                acked = s.ack - base;
                edge = acked + *s.window;
            }
        }
        got += peer.reads();
        CHECK((got == stream_text(total)));
        CHECK(peer.state() == state::close_wait);
        CHECK(peer.connection->is_read_finished());
    }
}
}
