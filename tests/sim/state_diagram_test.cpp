// docs/state-diagram.md is made from tcp::transitions, here, and held by this test.

#include "golden.hpp"

#include <weft/net/tcp/state.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <string_view>

namespace {

using namespace weft::net;
using tcp::state;
using tcp::transition;

/// A name that Mermaid takes: no hyphen.
std::string node(state s) {
    std::string name{tcp::to_string(s)};
    std::ranges::replace(name, '-', '_');
    return name;
}

constexpr state all_states[] = {
    state::closed,      state::listen,     state::syn_sent,   state::syn_received,
    state::established, state::fin_wait_1, state::fin_wait_2, state::close_wait,
    state::closing,     state::last_ack,   state::time_wait,
};
static_assert(std::size(all_states) == tcp::state_count);

/// Every state has a way to CLOSED by these; the drawing leaves them out.
bool ends_abruptly(const transition& t) {
    return t.to == state::closed &&
           (t.on == tcp::event::got_reset || t.on == tcp::event::abort_called ||
            t.on == tcp::event::timed_out);
}

std::string drawing() {
    std::string text = "```mermaid\nstateDiagram-v2\n";
    for (const state s : all_states) {
        text += "    " + node(s) + " : " + std::string{tcp::to_string(s)} + "\n";
    }
    text += "    [*] --> CLOSED\n";
    for (const transition& t : tcp::transitions) {
        if (ends_abruptly(t)) continue;
        text += "    " + node(t.from) + " --> " + node(t.to) + " : " +
                std::string{tcp::to_string(t.on)} + "\n";
    }
    return text + "```\n";
}

std::string table() {
    std::string text = "| from | on | to | RFC 9293 |\n|---|---|---|---|\n";
    for (const transition& t : tcp::transitions) {
        text += "| " + std::string{tcp::to_string(t.from)} + " | " +
                std::string{tcp::to_string(t.on)} + " | " + std::string{tcp::to_string(t.to)} +
                " | §" + std::string{t.section} + " |\n";
    }
    return text;
}

std::string reachability() {
    std::string text = "| from | can still reach |\n|---|---|\n";
    for (const state from : all_states) {
        std::string reached;
        const tcp::state_mask mask =
            from == state::closed ? tcp::state_mask{0} : tcp::reachable_from(from);
        for (const state s : all_states) {
            if (!tcp::is_one_of(s, mask)) continue;
            if (!reached.empty()) reached += ", ";
            reached += tcp::to_string(s);
        }
        text += "| " + std::string{tcp::to_string(from)} + " | " +
                (reached.empty() ? "nothing: the connection is over" : reached) + " |\n";
    }
    return text;
}

std::string document() {
    return "# The states of a TCP connection\n\n"
           "Generated from `tcp::transitions` in\n"
           "[state.hpp](../netstack/weft/net/tcp/state.hpp), the only table that moves a\n"
           "connection, by tests/sim/state_diagram_test.cpp; with `WEFT_REWRITE_GOLDEN=1` in the\n"
           "environment that test writes this file instead of comparing it.\n\n"
           "## The drawing\n\n"
           "Left out: RST, ABORT and timeouts, which lead to CLOSED from wherever they come.\n\n" +
           drawing() +
           "\n## Every transition\n\nA transition that is not here does not exist.\n\n" + table() +
           "\n## What `stream.reached(state)` can wait for\n\n"
           "It fails with `errc::unreachable_state` once the connection is in a state from which "
           "no\n"
           "path leads to the awaited one.\n\n" +
           reachability();
}

TEST_SUITE("sim.state_diagram") {
TEST_CASE("docs/state-diagram.md shows the table of transitions") {
    weft::sim::test::check_golden("docs/state-diagram.md", document());
}
}

}  // namespace
