#include <weft/net/tcp/ecn.hpp>

#include <doctest/doctest.h>

using namespace weft::net::tcp;
namespace codepoint = weft::net::wire::ecn;

// RFC 3168 §6.1, the conversation alone; what a connection makes of it is in
// tcp_ecn_connection_test.cpp.

namespace {

constexpr tcp_flags none{};
constexpr tcp_flags ece = tcp_flags::ece;
constexpr tcp_flags cwr = tcp_flags::cwr;
constexpr tcp_flags both = ece | cwr;

constexpr sequence_number at(std::uint32_t n) { return sequence_number{n}; }

/// One that asked, and was agreed with.
ecn agreed() {
    ecn e;
    (void)e.flags_of_syn(ecn_mode::request, false);
    e.on_syn_ack(ece);
    return e;
}

}  // namespace

TEST_SUITE("netstack.tcp.ecn") {
TEST_CASE("a SYN asks with both bits, a SYN,ACK agrees with one (SHLD-8)") {
    ecn client;
    ecn server;
    const tcp_flags syn = client.flags_of_syn(ecn_mode::request, false);
    CHECK(syn == both);
    server.on_syn(syn);
    const tcp_flags answer = server.flags_of_syn_ack(ecn_mode::accept);
    CHECK(answer == ece);
    client.on_syn_ack(answer);
    CHECK(client.may_mark());
    CHECK(server.may_mark());
    CHECK(client.is_receiver());
    CHECK(server.is_receiver());
}

TEST_CASE("who does not ask, or is not willing, gets no marks") {
    for (const auto& [ours, theirs] : {std::pair{ecn_mode::accept, ecn_mode::accept},
                                      {ecn_mode::off, ecn_mode::request},
                                      {ecn_mode::request, ecn_mode::off}}) {
        ecn client;
        ecn server;
        server.on_syn(client.flags_of_syn(ours, false));
        client.on_syn_ack(server.flags_of_syn_ack(theirs));
        CHECK_FALSE(client.may_mark());
        CHECK_FALSE(server.may_mark());
        CHECK_FALSE(client.is_receiver());
        CHECK_FALSE(server.is_receiver());
        CHECK(client.take_marks_of_new_text().codepoint == codepoint::not_ect);
    }
}

TEST_CASE("a peer that reflects both bits has not agreed (RFC 3168 section 6.1.1.2)") {
    for (const tcp_flags answer : {both, none, cwr}) {
        ecn client;
        (void)client.flags_of_syn(ecn_mode::request, false);
        client.on_syn_ack(answer);
        CHECK_FALSE(client.may_mark());
        CHECK_FALSE(client.is_receiver());
    }
    for (const tcp_flags syn : {ece, cwr, none}) {
        ecn server;
        server.on_syn(syn);
        CHECK(server.flags_of_syn_ack(ecn_mode::accept) == none);
    }
}

TEST_CASE(
    "a SYN that is sent again asks for nothing; an answer to the first is honoured as a receiver "
    "only (RFC 3168 section 6.1.1.1)") {
    ecn client;
    CHECK(client.flags_of_syn(ecn_mode::request, false) == both);
    CHECK(client.flags_of_syn(ecn_mode::request, true) == none);
    client.on_syn_ack(ece);  // to the first, which was only late
    CHECK_FALSE(client.may_mark());
    CHECK(client.is_receiver());

    // The scenario at the end of that section, from the other side.
    ecn server;
    server.on_syn(both);
    CHECK(server.flags_of_syn_ack(ecn_mode::accept) == ece);
    server.on_syn(none);
    CHECK(server.flags_of_syn_ack(ecn_mode::accept) == none);
    CHECK_FALSE(server.may_mark());
}

TEST_CASE("crossing SYNs that both ask agree") {
    ecn a;
    ecn b;
    const tcp_flags from_a = a.flags_of_syn(ecn_mode::request, false);
    const tcp_flags from_b = b.flags_of_syn(ecn_mode::request, false);
    a.on_syn(from_b);
    b.on_syn(from_a);
    a.on_syn_ack(b.flags_of_syn_ack(ecn_mode::request));
    b.on_syn_ack(a.flags_of_syn_ack(ecn_mode::request));
    CHECK(a.may_mark());
    CHECK(b.may_mark());
}

TEST_CASE("a mark is echoed until the sender says that it has slowed down") {
    ecn receiver = agreed();
    CHECK(receiver.on_text(codepoint::ect0, none) == ecn::answer::in_time);
    CHECK_FALSE(receiver.is_echoing());
    CHECK(receiver.on_text(codepoint::ce, none) == ecn::answer::at_once);
    CHECK(receiver.is_echoing());
    CHECK(receiver.on_text(codepoint::ce, none) == ecn::answer::in_time);
    CHECK(receiver.on_text(codepoint::ect0, none) == ecn::answer::in_time);
    CHECK(receiver.is_echoing());
    CHECK(receiver.on_text(codepoint::ect0, cwr) == ecn::answer::at_once);
    CHECK_FALSE(receiver.is_echoing());
    CHECK(receiver.on_text(codepoint::ce, cwr) == ecn::answer::at_once);  // a mark on the answer
    CHECK(receiver.is_echoing());
}

TEST_CASE("the Diffserv bits are no marks") {
    ecn receiver = agreed();
    (void)receiver.on_text(0xfc, none);
    (void)receiver.on_text(0xfc | codepoint::ect1, none);
    CHECK_FALSE(receiver.is_echoing());
    (void)receiver.on_text(0xfc | codepoint::ce, none);
    CHECK(receiver.is_echoing());
}

TEST_CASE("a window is reduced once, whatever is echoed until the peer has heard of it") {
    ecn sender = agreed();
    CHECK_FALSE(sender.on_ack(none, at(2000), at(1)));
    CHECK(sender.on_ack(ece, at(3000), at(1)));
    sender.on_reduced();
    CHECK_FALSE(sender.on_ack(ece, at(4000), at(9000)));
    // CWR stands on the text from 9000 on: an ACK up to there was sent without knowing.
    CHECK_FALSE(sender.on_ack(ece, at(9000), at(9000)));
    CHECK(sender.on_ack(ece, at(9001), at(9000)));
}

TEST_CASE("the first new text after a reduction, and only that, tells of it") {
    ecn sender = agreed();
    CHECK(sender.take_marks_of_new_text().codepoint == codepoint::ect0);
    CHECK_FALSE(sender.is_cwr_due());
    sender.on_reduced();
    CHECK(sender.is_cwr_due());
    const ecn::marks first = sender.take_marks_of_new_text();
    CHECK(first.codepoint == codepoint::ect0);
    CHECK(first.flags == cwr);
    CHECK_FALSE(sender.is_cwr_due());
    CHECK(sender.take_marks_of_new_text().flags == none);
}

TEST_CASE("without agreement nothing is echoed, believed or told") {
    ecn e;
    CHECK(e.on_text(codepoint::ce, none) == ecn::answer::in_time);
    CHECK_FALSE(e.is_echoing());
    CHECK_FALSE(e.on_ack(ece, at(1), at(1)));
    e.on_reduced();
    CHECK_FALSE(e.is_cwr_due());
}

TEST_CASE("the ECE of a SYN,ACK agrees; it tells of no congestion") {
    ecn e = agreed();
    CHECK_FALSE(e.on_ack(ece | tcp_flags::syn, at(1), at(1)));
}
}
