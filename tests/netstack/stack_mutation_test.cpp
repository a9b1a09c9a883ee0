#include "stack_link.hpp"

#include <weft/net/wire/icmp.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>
#include <random>

// Frames that are nearly right, for connections in every state, mixed with calls of a careless
// user: whatever comes, the transitions are those of the table, memory is bounded, and all of it
// comes back. WEFT_SEED repeats a run.

using namespace std::chrono_literals;
using namespace weft::net;
using namespace weft::test;
using weft::instant;

namespace {

constexpr int frames_to_send = 1'000'000;
constexpr std::size_t pool_bytes = std::size_t{8} << 20;

unsigned chosen_seed() {
    const char* const given = std::getenv("WEFT_SEED");
    return given != nullptr ? static_cast<unsigned>(std::strtoul(given, nullptr, 10))
                            : std::random_device{}();
}

struct state_watch final : observer {
    std::array<std::uint64_t, tcp::state_count> entered{};
    std::uint64_t wrong = 0;

    void on_transition(const transition_event& e) override {
        if (tcp::next_state(e.from, e.on) != e.to) ++wrong;
        ++entered[static_cast<std::size_t>(e.to)];
    }
    void on_segment(const segment_event&) override {}
};

/// A peer that knows where each connection stands, and sends what it likes.
class storm {
public:
    explicit storm(unsigned seed) : random_{seed} {
        link_.introduce_peer();
        link_.ours.observe(&watch);
        listener_ = link_.ours.listen({stack_link::our_ip, 80}, {.backlog = 8}, link_.now).value();
    }

    void step() {
        receive_something();
        if (random_() % 4 == 0) call_something();
        if (random_() % 8 == 0) drain();
        if (random_() % 16 == 0) pass_time();
    }

    /// Everybody lets go, and the last timers fire.
    void end() {
        for (tcp::connection* c : held_) c->release(link_.now);
        held_.clear();
        link_.ours.close(*listener_, link_.now);
        for (int minute = 0; minute < 30; ++minute) {
            link_.now += 30s;
            link_.ours.on_timeout(link_.now);
            drain();
        }
    }

    stack& ours() { return link_.ours; }
    [[nodiscard]] std::size_t bytes_out() const { return link_.pool.bytes_out(); }
    state_watch watch;
    std::uint64_t longest_drain = 0;

private:
    struct place {
        std::uint32_t snd_nxt = 0, rcv_nxt = 0;
    };
    using ports = std::pair<std::uint16_t, std::uint16_t>;  // ours, the peer's

    std::uint32_t some(std::uint32_t below) {
        return static_cast<std::uint32_t>(random_() >> 4) % below;
    }

    /// A number near the right one: mostly exact, sometimes a little off, sometimes wild.
    std::uint32_t near(std::uint32_t right) {
        switch (some(10)) {
            case 0: return right + some(3000);
            case 1: return right - some(3000);
            case 2: return right + some(0x7fff'ffff) * 2;
            default: return right;
        }
    }

    tcp_flags some_flags() {
        using f = tcp_flags;
        const tcp_flags usual[] = {f::ack,          f::ack,          f::ack | f::psh,
                                   f::ack | f::fin, f::syn,          f::syn | f::ack,
                                   f::rst,          f::rst | f::ack, f::ack | f::urg};
        // An exact RST ends a connection: rare enough for others to grow old.
        tcp_flags flags = usual[some(9)];
        if (flags.has(f::rst) && some(20) != 0) flags = f::ack;
        if (some(50) == 0) flags.bits = static_cast<std::uint8_t>(some(256));
        return flags;
    }

    byte_string some_options(bool is_syn) {
        if (some(3) != 0) return {};
        if (is_syn) return hex("0204 05b4 0101 080a 0000 0001 0000 0000 0103 0307");
        byte_string o = hex("0101 080a 0000 0000 0000 0000");
        put16(o, 6, some(65'536));
        return o;
    }

    void receive_something() {
        if (some(50) == 0) {
            receive_icmp();
            return;
        }
        if (some(100) == 0 && !places_.empty()) {
            acknowledge_four_times();
            return;
        }
        ports p{80, static_cast<std::uint16_t>(4000 + some(24))};
        place at{};
        if (!places_.empty() && some(8) != 0) {
            auto it = places_.begin();
            std::advance(it, some(static_cast<std::uint32_t>(places_.size())));
            p = it->first;
            at = it->second;
        }
        raw_segment s;
        const tcp_flags flags = at.rcv_nxt == 0 && some(4) != 0 ? tcp_flags::syn : some_flags();
        s.header = tcp_header_of(p.second, p.first, near(at.rcv_nxt), near(at.snd_nxt), flags);
        s.header.window = static_cast<std::uint16_t>(some(4) == 0 ? some(3000) : some(65'536));
        s.header.urgent_pointer = static_cast<std::uint16_t>(some(65'536));
        s.options = some_options(flags.has(tcp_flags::syn));
        if (some(2) == 0) s.text.resize(some(1400));
        byte_string segment = tcp_bytes(s, stack_link::peer_ip, stack_link::our_ip);
        const bool is_spoilt = some(4) == 0;
        if (is_spoilt) {
            for (std::uint32_t i = some(4); i > 0; --i) {
                segment[some(static_cast<std::uint32_t>(std::min<std::size_t>(
                    segment.size(), 60)))] = static_cast<std::byte>(some(256));
            }
            if (some(8) == 0) segment.resize(some(static_cast<std::uint32_t>(segment.size()) + 4));
            if (segment.size() >= wire::tcp_header_bytes && some(8) != 0) {
                wire::fill_tcp_checksum(stack_link::peer_ip, stack_link::our_ip, segment, 0, 0);
            }
        }
        byte_string packet =
            ip_packet(wire::ip_protocol::tcp, segment, stack_link::peer_ip, stack_link::our_ip);
        if (some(64) == 0) packet[some(20)] = static_cast<std::byte>(some(256));
        const auto cut = static_cast<std::uint16_t>(some(16) == 0 ? some(1500) : 0);
        link_.receive_packet(packet, {.segment_bytes = cut});
        last_ = std::move(packet);
    }

    /// Some of what is in flight, and three duplicates.
    void acknowledge_four_times() {
        auto it = places_.begin();
        std::advance(it, some(static_cast<std::uint32_t>(places_.size())));
        const auto [p, at] = *it;
        drain();
        raw_segment s;
        s.header =
            tcp_header_of(p.second, p.first, at.rcv_nxt, at.snd_nxt - some(6000), tcp_flags::ack);
        for (int i = 0; i < 4; ++i) link_.receive_segment(s);
    }

    void receive_icmp() {
        byte_string m = hex("0300 0000 0000 0000");
        m[1] = static_cast<std::byte>(some(16));
        put16(m, 6, some(2000));
        byte_string quoted =
            ip_packet(wire::ip_protocol::tcp, pattern(20), stack_link::our_ip, stack_link::peer_ip);
        if (!places_.empty()) {
            auto it = places_.begin();
            std::advance(it, some(static_cast<std::uint32_t>(places_.size())));
            put16(quoted, 20, it->first.first);
            put16(quoted, 22, it->first.second);
            const std::uint32_t seq = near(it->second.snd_nxt) - some(2);
            wire::store_be32(quoted.data() + 24, seq);
        }
        m.insert(m.end(), quoted.begin(), quoted.end());
        wire::fill_icmp_checksum(m);
        link_.receive_packet(
            ip_packet(wire::ip_protocol::icmp, m, stack_link::peer_ip, stack_link::our_ip));
    }

    void call_something() {
        while (listener_->can_accept() && some(2) == 0) held_.push_back(&listener_->accept());
        if (held_.size() < 16 && some(8) == 0) {
            const endpoint remote{stack_link::peer_ip, static_cast<std::uint16_t>(7 + some(3))};
            const endpoint local{stack_link::our_ip, static_cast<std::uint16_t>(40'000 + some(16))};
            tcp::connection_options o;
            o.no_delay = some(2) == 0;
            o.keepalive.enabled = some(4) == 0;
            o.keepalive.idle = 1s;
            if (const auto c = link_.ours.connect(remote, o, link_.now, local)) held_.push_back(*c);
        }
        if (held_.empty()) return;
        const std::uint32_t at = some(static_cast<std::uint32_t>(held_.size()));
        tcp::connection& c = *held_[at];
        static const byte_string text = pattern(20'000);
        std::array<std::byte, 4000> into;
        switch (some(12)) {
            case 0: (void)c.close(link_.now); break;
            case 1:
                if (some(16) == 0) c.abort(link_.now);
                break;
            case 2:
                if (c.state() == tcp::state::closed || some(16) == 0) {
                    c.release(link_.now);
                    held_[at] = held_.back();
                    held_.pop_back();
                }
                break;
            case 3: c.set_no_delay(some(2) == 0, link_.now); break;
            case 4: c.set_keepalive({.enabled = some(2) == 0, .idle = 1s}, link_.now); break;
            case 5: c.set_user_timeout(std::chrono::seconds{some(100)}); break;
            case 6:
            case 7:
            case 8: (void)c.write(std::span{text}.first(some(20'000)), link_.now); break;
            default: (void)c.read(std::span{into}.first(some(4000)), link_.now);
        }
        while (tcp::connection* signaled = link_.ours.tcp().pop_signaled()) {
            (void)signaled->take_signals();
        }
    }

    void drain() {
        std::uint64_t count = 0;
        while (link_.ours.poll_frame(link_.slot, link_.now)) {
            note_sent();
            link_.slot.clear();
            if (++count > 100'000) throw std::logic_error{"the stack sends without end"};
        }
        link_.slot.clear();
        longest_drain = std::max(longest_drain, count);
    }

    /// Where the connection stands, as its own segments tell.
    void note_sent() {
        const auto bytes = wire::bytes_view{link_.slot.headers}.first(link_.slot.header_bytes);
        constexpr std::size_t at = wire::ethernet_header_bytes + wire::ipv4_header_bytes;
        if (bytes.size() < at + wire::tcp_header_bytes ||
            wire::load_u8(bytes.data() + wire::ethernet_header_bytes + 9) != 6) {
            return;
        }
        const std::byte* const h = bytes.data() + at;
        const tcp_flags flags{wire::load_u8(h + 13)};
        const ports p{wire::load_be16(h), wire::load_be16(h + 2)};
        if (flags.has(tcp_flags::rst)) {
            places_.erase(p);
            return;
        }
        place& there = places_[p];
        there.snd_nxt = wire::load_be32(h + 4) + link_.slot.payload_bytes +
                        (flags.has_any(tcp_flags::syn | tcp_flags::fin) ? 1U : 0U);
        if (flags.has(tcp_flags::ack)) there.rcv_nxt = wire::load_be32(h + 8);
        if (places_.size() > 64) places_.erase(places_.begin());
    }

    void pass_time() {
        link_.now += some(200) == 0 ? 120s : std::chrono::milliseconds{some(100)};
        if (link_.ours.next_timeout() <= link_.now) link_.ours.on_timeout(link_.now);
        if (some(64) == 0) link_.introduce_peer_quietly();
    }

    struct quiet_link : stack_link {
        using stack_link::stack_link;
        /// The peer is never forgotten: what is tested is not ARP.
        void introduce_peer_quietly() {
            byte_string frame(wire::ethernet_header_bytes + wire::arp_bytes);
            wire::emit_ethernet({our_mac, peer_mac, wire::ethernet_type::arp}, frame.data());
            wire::emit_arp({wire::arp_operation::reply, peer_mac, peer_ip, our_mac, our_ip},
                           frame.data() + wire::ethernet_header_bytes);
            receive(frame);
        }
    };

    std::minstd_rand random_;
    quiet_link link_{{}, {}, pool_bytes};
    tcp::listener* listener_ = nullptr;
    std::vector<tcp::connection*> held_;
    std::map<ports, place> places_;
    byte_string last_;
};

}  // namespace

TEST_SUITE("netstack.stack.mutation") {
TEST_CASE(
    "a million frames for connections in every state: legal transitions, bounded memory, "
    "all of it given back") {
    const unsigned seed = chosen_seed();
    MESSAGE("WEFT_SEED=" << seed);
    CAPTURE(seed);
    storm s{seed};
    for (int i = 0; i < frames_to_send; ++i) {
        s.step();
        if (i % 1024 == 0) REQUIRE(s.bytes_out() <= pool_bytes);
    }
    CHECK(s.watch.wrong == 0);
    for (std::size_t state = 0; state < tcp::state_count; ++state) {
        CAPTURE(tcp::to_string(static_cast<tcp::state>(state)));
        CHECK(s.watch.entered[state] > 0);
    }
    for (const auto field : {&stack_counters::tcp_bad_checksum,
                             &stack_counters::tcp_bad_options,
                             &stack_counters::tcp_bad_data_offset,
                             &stack_counters::tcp_too_short,
                             &stack_counters::tcp_no_connection,
                             &stack_counters::tcp_out_of_window,
                             &stack_counters::tcp_paws_rejected,
                             &stack_counters::tcp_bad_acknowledgments,
                             &stack_counters::tcp_challenge_acks,
                             &stack_counters::tcp_duplicate_segments,
                             &stack_counters::tcp_out_of_order_segments,
                             &stack_counters::tcp_resets_received,
                             &stack_counters::tcp_resets_sent,
                             &stack_counters::tcp_retransmitted_segments,
                             &stack_counters::tcp_zero_window_probes,
                             &stack_counters::tcp_keepalives_sent,
                             &stack_counters::tcp_backlog_overflow,
                             &stack_counters::tcp_active_opens,
                             &stack_counters::tcp_passive_opens,
                             &stack_counters::icmp_error_delivered,
                             &stack_counters::icmp_error_unmatched,
                             &stack_counters::tcp_fast_retransmits,
                             &stack_counters::tcp_timeouts,
                             &stack_counters::tcp_user_timeouts}) {
        const auto named = std::ranges::find(counter_fields, field, &counter_field::field);
        CAPTURE(named->name);
        CHECK(s.ours().counters().*field > 0);
    }
    s.end();
    CHECK(s.ours().tcp().connection_count() == 0);
    CHECK(s.ours().tcp().orphan_count() == 0);
    CHECK(s.bytes_out() == 0);
    CHECK(s.longest_drain < 20'000);
}
}
