#include "scripted_peer.hpp"

#include <doctest/doctest.h>

#include <array>
#include <map>
#include <sstream>
#include <string>
#include <string_view>

// What each state answers to each kind of segment: RFC 9293 §3.10.7.1 to §3.10.7.4 with RFC 5961,
// as one table. Everything else in tests/netstack/tcp_* looks at one topic; this looks at all
// corners.

using namespace weft::test;
using weft::net::tcp::state;

namespace {

using enum state;

/// Kinds of segment, each with the numbers that fit the state it meets.
enum class kind {
    syn,            ///< a new SYN, in the window
    syn_ack,        ///< a SYN in the window that acknowledges all we sent
    good_ack,       ///< acknowledges all we sent
    bad_ack,        ///< acknowledges what we never sent
    text,           ///< five octets at RCV.NXT that acknowledge nothing new
    fin,            ///< the peer's FIN at RCV.NXT, or once more where it was received
    rst,            ///< exactly at RCV.NXT; in SYN-SENT: acknowledges our SYN
    rst_elsewhere,  ///< in the window but not at RCV.NXT; in SYN-SENT: without ACK
    far_text,       ///< five octets beyond the window
};
constexpr std::size_t kinds = 9;
constexpr std::array<const char*, kinds> names{"SYN",
                                               "SYN,ACK",
                                               "ACK",
                                               "ACK of what was never sent",
                                               "text",
                                               "FIN",
                                               "RST",
                                               "RST elsewhere in the window",
                                               "text beyond the window"};

enum class answer {
    none,
    ack,        ///< <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>
    challenge,  ///< the same, counted and limited (RFC 5961)
    rst,        ///< <SEQ=SEG.ACK><CTL=RST>
    rst_ack,    ///< <SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK>
    syn_ack,    ///< <SEQ=ISS><ACK=RCV.NXT><CTL=SYN,ACK>
};

// A cell is the next state and the answer; `.` stays, `-` says nothing, `!` is a challenge.
// LISTENING is SYN-RECEIVED of a listener's child, CROSSED is SYN-RECEIVED after crossing SYNs.
// "Elsewhere" is in the window but not at RCV.NXT; "far" is beyond the window.
constexpr std::string_view matrix = R"(
              SYN     SYN,ACK  ACK     bad ACK  text   FIN    RST    RST elsewhere  far text
CLOSED        . RA    . R      . R     . R      . R    . R    . -    . -            . R
LISTEN        SR SA   . R      . R     . R      . R    . R    . -    . -            . R
SYN-SENT      SR SA   ES A     . -     . R      . -    . -    CD -   . -            . -
LISTENING     CD -    CD -     ES -    . R      ES A   CW A   CD -   . !            . A
CROSSED       . !     . !      ES -    . R      ES A   CW A   CD -   . !            . A
ESTABLISHED   . !     . !      . -     . !      . A    CW A   CD -   . !            . A
FIN-WAIT-1    . !     . !      F2 -    . !      . A    CG A   CD -   . !            . A
FIN-WAIT-2    . !     . !      . -     . !      . A    TW A   CD -   . !            . A
CLOSE-WAIT    . !     . !      . -     . !      . -    . A    CD -   . !            . A
CLOSING       . !     . !      TW -    . !      . -    . A    CD -   . !            . A
LAST-ACK      . !     . !      CD -    . !      . -    . A    CD -   . !            . A
TIME-WAIT     . !     . !      . -     . !      . -    . A    CD -   . !            . A
)";

struct cell {
    state next;
    answer says;
};

struct row {
    std::string name;
    state from = closed;
    bool passive = false;
    std::array<cell, kinds> cells{};
};

const std::map<std::string_view, state> rows{
    {"CLOSED", closed},          {"LISTEN", listen},         {"SYN-SENT", syn_sent},
    {"LISTENING", syn_received}, {"CROSSED", syn_received},  {"ESTABLISHED", established},
    {"FIN-WAIT-1", fin_wait_1},  {"FIN-WAIT-2", fin_wait_2}, {"CLOSE-WAIT", close_wait},
    {"CLOSING", closing},        {"LAST-ACK", last_ack},     {"TIME-WAIT", time_wait}};

const std::map<std::string_view, state> next_states{
    {"CD", closed},     {"SR", syn_received}, {"ES", established}, {"F2", fin_wait_2},
    {"CW", close_wait}, {"CG", closing},      {"TW", time_wait}};

const std::map<std::string_view, answer> answers{{"-", answer::none},      {"A", answer::ack},
                                                 {"!", answer::challenge}, {"R", answer::rst},
                                                 {"RA", answer::rst_ack},  {"SA", answer::syn_ack}};

/// The rows of the matrix, its head left out.
std::vector<row> read_matrix() {
    std::vector<row> read;
    std::istringstream lines{std::string{matrix}};
    std::string line;
    while (std::getline(lines, line)) {
        if (line.empty() || line.front() == ' ') continue;
        std::istringstream words{line};
        row r;
        words >> r.name;
        r.from = rows.at(r.name);
        r.passive = r.name == "LISTEN" || r.name == "LISTENING";
        for (cell& c : r.cells) {
            std::string next;
            std::string says;
            words >> next >> says;
            c = {next == "." ? r.from : next_states.at(next), answers.at(says)};
        }
        read.push_back(std::move(r));
    }
    return read;
}

struct numbers {
    std::uint32_t snd_una, snd_nxt, rcv_nxt;
    bool fin_received;
};

/// Where a script stands in a state, with ISS 1000 and IRS 5000.
numbers numbers_in(state s) {
    switch (s) {
        case closed:
        case listen: return {1000, 1000, 5000, false};
        case syn_sent: return {1001, 1001, 5000, false};  // only 1001 is acceptable
        case syn_received:
        case established: return {1001, 1001, 5001, false};
        case fin_wait_1: return {1001, 1002, 5001, false};
        case fin_wait_2: return {1002, 1002, 5001, false};
        case close_wait: return {1001, 1001, 5002, true};
        case closing:
        case last_ack: return {1001, 1002, 5002, true};
        case time_wait: return {1002, 1002, 5002, true};
    }
    return {};
}

script_segment segment_of(kind k, state from) {
    const numbers n = numbers_in(from);
    const bool is_new = from == closed || from == listen || from == syn_sent;
    switch (k) {
        case kind::syn: return syn(is_new ? n.rcv_nxt : n.rcv_nxt + 10);
        case kind::syn_ack: return syn_ack(is_new ? n.rcv_nxt : n.rcv_nxt + 10, n.snd_nxt);
        case kind::good_ack: return ack(n.rcv_nxt, n.snd_nxt);
        case kind::bad_ack: return ack(n.rcv_nxt, n.snd_nxt + 1000);
        case kind::text: return data(n.rcv_nxt, n.snd_una, "hello");
        case kind::fin: return fin_ack(n.fin_received ? n.rcv_nxt - 1 : n.rcv_nxt, n.snd_una);
        case kind::rst: return from == syn_sent ? rst_ack(n.rcv_nxt, n.snd_nxt) : rst(n.rcv_nxt);
        case kind::rst_elsewhere: return rst(n.rcv_nxt + 100);
        case kind::far_text: return data(n.rcv_nxt + 70'000, n.snd_una, "hello");
    }
    return nothing;
}

/// RCV.NXT after the segment was taken, when it was.
std::uint32_t rcv_nxt_after(kind k, state from, const cell& expected) {
    const numbers n = numbers_in(from);
    if (k == kind::syn_ack && from == syn_sent) return n.rcv_nxt + 1;
    if (k == kind::text && expected.says == answer::ack) return n.rcv_nxt + 5;
    if (k == kind::fin && expected.says == answer::ack && !n.fin_received) return n.rcv_nxt + 1;
    return n.rcv_nxt;
}

script_segment expected_answer(kind k, state from, const cell& expected,
                               const script_segment& sent) {
    switch (expected.says) {
        case answer::none: return nothing;
        case answer::ack:
        case answer::challenge:
            return ack(numbers_in(from).snd_nxt, rcv_nxt_after(k, from, expected));
        case answer::rst: return rst(sent.ack);
        case answer::rst_ack: return rst_ack(0, sent.end());
        case answer::syn_ack: return syn_ack(1000, sent.seq + 1);
    }
    return nothing;
}

}  // namespace

TEST_SUITE("netstack.tcp.matrix") {
TEST_CASE("every state answers every kind of segment as RFC 9293 section 3.10.7 says") {
    for (const row& r : read_matrix()) {
        for (std::size_t column = 0; column < kinds; ++column) {
            const auto k = static_cast<kind>(column);
            const cell& expected = r.cells[column];
            const std::string where = r.name + " gets " + names[column];
            CAPTURE(where);
            scripted_peer peer = in_state(r.from, {.passive = r.passive});
            REQUIRE(peer.state() == r.from);
            const auto challenges = peer.counters.tcp_challenge_acks;

            const script_segment sent = segment_of(k, r.from);
            peer.sends(sent);

            CHECK(peer.state() == expected.next);
            CHECK(peer.sees() == expected_answer(k, r.from, expected, sent));
            CHECK(peer.sees() == nothing);
            CHECK((peer.counters.tcp_challenge_acks != challenges) ==
                  (expected.says == answer::challenge));
        }
    }
}
}
