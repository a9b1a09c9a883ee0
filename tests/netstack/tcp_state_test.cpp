#include <weft/net/tcp/state.hpp>

#include <doctest/doctest.h>

#include <array>
#include <map>
#include <set>
#include <utility>

using namespace weft::net::tcp;

namespace {

using enum state;
using enum event;

constexpr std::array all_states{closed,      listen,     syn_sent,   syn_received,
                                established, fin_wait_1, fin_wait_2, close_wait,
                                closing,     last_ack,   time_wait};

/// RFC 9293 figure 5 and §3.10, written down a second time: what an orderly life consists of.
const std::map<std::pair<state, event>, state> orderly{
    {{closed, open_passive}, listen},
    {{closed, open_active}, syn_sent},
    {{listen, got_syn}, syn_received},
    {{listen, close_called}, closed},
    {{syn_sent, got_syn}, syn_received},
    {{syn_sent, got_syn_ack}, established},
    {{syn_sent, close_called}, closed},
    {{syn_received, syn_acked}, established},
    {{syn_received, close_called}, fin_wait_1},
    {{established, close_called}, fin_wait_1},
    {{established, got_fin}, close_wait},
    {{fin_wait_1, fin_acked}, fin_wait_2},
    {{fin_wait_1, got_fin}, closing},
    {{fin_wait_2, got_fin}, time_wait},
    {{close_wait, close_called}, last_ack},
    {{closing, fin_acked}, time_wait},
    {{last_ack, fin_acked}, closed},
    {{time_wait, two_msl_passed}, closed},
};

}  // namespace

TEST_SUITE("netstack.tcp.state") {
TEST_CASE("the table has every orderly transition of RFC 9293 and leads where the RFC says") {
    for (const auto& [from_on, to] : orderly) {
        CAPTURE(to_string(from_on.first));
        CAPTURE(to_string(from_on.second));
        CHECK(next_state(from_on.first, from_on.second) == to);
    }
}

TEST_CASE("every other row of the table ends in CLOSED") {
    for (const transition& t : transitions) {
        if (orderly.contains({t.from, t.on})) continue;
        CAPTURE(to_string(t.from));
        CAPTURE(to_string(t.on));
        CHECK(t.to == closed);
        CHECK_FALSE(t.section.empty());
    }
}

TEST_CASE("what is not in the table does not exist") {
    std::set<std::pair<state, event>> rows;
    for (const transition& t : transitions) {
        CHECK(rows.emplace(t.from, t.on).second);  // no row stands twice
    }
    std::size_t answers = 0;
    for (const state s : all_states) {
        for (std::size_t e = 0; e < event_count; ++e) {
            const auto to = next_state(s, static_cast<event>(e));
            CHECK(to.has_value() == rows.contains({s, static_cast<event>(e)}));
            answers += to.has_value() ? 1U : 0U;
        }
    }
    CHECK(answers == transitions.size());
}

TEST_CASE("every state but CLOSED can be aborted, and all that wait for the peer time out") {
    for (const state s : all_states) {
        CAPTURE(to_string(s));
        CHECK(next_state(s, abort_called).has_value() == (s != closed));
        const bool waits_for_peer = s != closed && s != listen && s != time_wait;
        CHECK(next_state(s, timed_out).has_value() == waits_for_peer);
        const bool has_peer = s != closed && s != listen;
        CHECK(next_state(s, got_reset).has_value() == has_peer);
    }
}

TEST_CASE("a state is reachable exactly if some path leads there") {
    CHECK(reachable_from(closed) == 0b111'1111'1111);
    CHECK(reachable_from(time_wait) == mask_of(closed));
    CHECK(reachable_from(last_ack) == mask_of(closed));
    CHECK(reachable_from(closing) == (mask_of(closed) | mask_of(time_wait)));
    CHECK(reachable_from(close_wait) == (mask_of(last_ack) | mask_of(closed)));
    CHECK(reachable_from(fin_wait_2) == (mask_of(time_wait) | mask_of(closed)));
    CHECK(reachable_from(fin_wait_1) ==
          (mask_of(fin_wait_2) | mask_of(closing) | mask_of(time_wait) | mask_of(closed)));
    CHECK_FALSE(is_one_of(syn_sent, reachable_from(established)));
    CHECK_FALSE(is_one_of(established, reachable_from(established)));
    CHECK_FALSE(is_one_of(listen, reachable_from(syn_sent)));
    CHECK(is_one_of(syn_received, reachable_from(syn_sent)));
    for (const state s : all_states) CHECK(is_one_of(closed, reachable_from(s)));
}

TEST_CASE("states and events have the names that the RFC writes") {
    std::set<std::string_view> names;
    for (const state s : all_states) names.insert(to_string(s));
    CHECK(names.size() == state_count);
    CHECK(to_string(fin_wait_1) == "FIN-WAIT-1");
    CHECK(to_string(time_wait) == "TIME-WAIT");
    std::set<std::string_view> events;
    for (std::size_t e = 0; e < event_count; ++e) {
        events.insert(to_string(static_cast<event>(e)));
    }
    CHECK(events.size() == event_count);
}
}
