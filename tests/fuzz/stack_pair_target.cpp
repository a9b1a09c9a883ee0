// Two stacks joined by a wire that the fuzzer plays: it drops, repeats, reorders, delays, spoils,
// cuts and marks packets, shrinks the path's MTU, lets time pass and calls what users call. Then
// the wire heals. What one side wrote is what the other reads, in order and completely, and both
// connections end, unless a user aborted. Nothing here exhausts a timeout, so none may be reached.

#include "watched_stack.hpp"

#include <weft/net/wire/icmp.hpp>

#include <algorithm>
#include <deque>

using namespace weft;
using namespace weft::fuzz;
using namespace weft::net;
using namespace std::chrono_literals;
using wire::tcp_flags;

namespace {

constexpr std::uint64_t most_written = 100'000;
constexpr duration longest_trouble = 20s;  ///< well below every timeout that gives up
constexpr std::size_t queue_packets = 128;
constexpr ipv4_address address_of[2] = {{10, 0, 0, 1}, {10, 0, 0, 2}};
constexpr std::uint16_t port_of[2] = {4000, 80};

struct packet {
    std::vector<std::byte> bytes;
    tx_offload offload;
    bool is_spoilt = false;
};

stack_options read_options(input& in, unsigned side) {
    static constexpr std::uint32_t mtus[] = {1500, 1500, 576, 9000, 1280, 300};
    stack_options o;
    o.address = ip_prefix{address_of[side], 24};
    o.device.link = device_capabilities::link_type::raw_ip;
    o.device.mtu = mtus[in.below(std::size(mtus))];
    o.secret = {side + 1U, 7};
    const std::uint8_t bits = in.byte();
    o.tcp.timestamps = (bits & 1) == 0;
    o.tcp.window_scaling = (bits & 2) == 0;
    o.tcp.selective_acknowledgment = (bits & 4) == 0;
    o.device.checksum_offload = (bits & 8) != 0;
    o.device.segmentation_offload = (bits & 24) == 24;
    o.tcp.time_wait_ignores_resets = (bits & 32) != 0;
    if ((bits & 64) != 0) o.tcp.challenge_ack_interval = duration::zero();
    return o;
}

tcp::connection_options read_connection(input& in) {
    static constexpr std::uint32_t buffers[] = {1U << 20, 65536, 4096, 2048, 16384};
    tcp::connection_options o;
    o.send_buffer_bytes = buffers[in.below(std::size(buffers))];
    o.receive_buffer_bytes = buffers[in.below(std::size(buffers))];
    const std::uint8_t bits = in.byte();
    o.no_delay = (bits & 1) != 0;
    o.congestion = static_cast<tcp::congestion_algorithm>((bits >> 1 & 3) % 3);
    o.fast_open = (bits & 8) != 0;
    o.fast_open_cookieless = (bits & 16) != 0;
    return o;
}

class pair {
public:
    explicit pair(input& in)
        : sides_{watched_stack{read_options(in, 0), pool_bytes},
                 watched_stack{read_options(in, 1), pool_bytes}} {
        const tcp::connection_options first = read_connection(in);
        const tcp::connection_options second = read_connection(in);
        const bool is_simultaneous = in.byte() % 8 == 7;  // RFC 9293 §3.5, figure 7
        if (is_simultaneous) {
            (void)sides_[1].connect(at(0), second, at(1));
        } else {
            sides_[1].listen(at(1), {.backlog = 4,
                                     .fast_open_queue = second.fast_open ? 2U : 0U,
                                     .fast_open_cookieless = second.fast_open_cookieless,
                                     .connection = second});
        }
        (void)sides_[0].connect(at(1), first, at(0));
        if (first.fast_open) write(0, in.word());  // before the SYN leaves
        collect();
    }

    void step(input& in) {
        const std::uint8_t what = in.byte();
        const unsigned way = what & 1;  // 0: from the first to the second
        switch (what >> 1 & 15) {
            case 0:
            case 1: deliver(way, 1U + in.below(4)); break;
            case 2: drop(way, in.below(4)); break;
            case 3: repeat(way, in.below(8)); break;
            case 4: overtake(way, in.below(16)); break;
            case 5: spoil(way, in.byte(), in.byte()); break;
            case 6: cut(way, in.word()); break;
            case 7: mark_congestion(way); break;
            case 8: shrink_path(way, in.below(1500)); break;
            case 9:
            case 10: write(way, in.word()); break;
            case 11: read(way, in.word()); break;
            case 12: trouble(std::chrono::milliseconds{in.byte()}); break;
            case 13: trouble(std::chrono::milliseconds{in.word() % 4000}); break;
            case 14: call(way, in.byte()); break;
            default: exchange(1 + in.below(32)); break;
        }
        (void)sides_[1].accept();
        collect();
        for (watched_stack& s : sides_) s.check();
    }

    /// The wire heals, and everything that was begun comes to its end.
    void heal() {
        const instant begin = sides_[0].now;
        for (int turn = 0; turn < 4000 && !is_over(); ++turn) {
            exchange(64);
            for (unsigned i = 0; i < 2; ++i) {
                read(i, 65535);
                close(i);
            }
            collect();
            if (!wires_[0].empty() || !wires_[1].empty()) continue;
            const instant next =
                std::min(sides_[0].stack.next_timeout(), sides_[1].stack.next_timeout());
            if (next == never || next - begin > 10min) break;
            pass(std::max(duration{1ms}, next - now()));
        }
        // What has arrived outlives the connection, however TIME-WAIT ended.
        for (unsigned i = 0; i < 2; ++i) read(i, most_written);
        if (!aborted_) check_outcome();
        for (watched_stack& s : sides_) s.finish();
    }

private:
    static constexpr std::size_t pool_bytes = std::size_t{64} << 20;

    static endpoint at(unsigned side) { return {address_of[side], port_of[side]}; }
    [[nodiscard]] instant now() const { return sides_[0].now; }

    watched_stack::handle* handle_of(unsigned side) {
        return sides_[side].handles.empty() ? nullptr : &sides_[side].handles[0];
    }

    // ---- the wire

    void collect() {
        for (unsigned i = 0; i < 2; ++i) {
            while (auto frame = sides_[i].poll()) send(i, std::move(*frame));
        }
    }

    void send(unsigned way, sent_frame frame) {
        const auto seen = read_segment(frame.bytes);
        if (seen && seen->has(tcp_flags::rst) && !aborted_) check_reset(way, *seen);
        const std::size_t one =
            frame.offload.segment_bytes != 0 && seen
                ? frame.bytes.size() - seen->text.size() + frame.offload.segment_bytes
                : frame.bytes.size();
        // What may be cut is cut, and put together again at its destination.
        if (one > path_mtu_[way] && seen && seen->ip.dont_fragment) {
            too_big(way, frame.bytes);
            return;
        }
        if (wires_[way].size() < queue_packets) {
            wires_[way].push_back({std::move(frame.bytes), frame.offload});
        }
    }

    /// The router before the narrow link says so (RFC 1191 §4).
    void too_big(unsigned way, std::span<const std::byte> bytes) {
        std::vector<std::byte> message(wire::icmp_header_bytes + 28);
        wire::emit_icmp_header(wire::icmp_type::destination_unreachable,
                               wire::unreachable_code::fragmentation_needed, path_mtu_[way],
                               message.data());
        std::copy_n(bytes.begin(), 28, message.begin() + wire::icmp_header_bytes);
        wire::fill_icmp_checksum(message);
        wire::ipv4_header ip;
        ip.source = ipv4_address{10, 0, 0, 99};
        ip.destination = address_of[way];
        ip.protocol = wire::ip_protocol::icmp;
        ip.total_bytes = static_cast<std::uint16_t>(wire::ipv4_header_bytes + message.size());
        std::vector<std::byte> out(wire::ipv4_header_bytes);
        wire::emit_ipv4(ip, out.data());
        out.insert(out.end(), message.begin(), message.end());
        sides_[way].receive(out);
    }

    void deliver(unsigned way, std::uint32_t count) {
        for (; count != 0 && !wires_[way].empty(); --count) {
            const packet p = std::move(wires_[way].front());
            wires_[way].pop_front();
            rx_offload offload;
            offload.checksum_verified = p.offload.needs_checksum;
            offload.segment_bytes = p.offload.segment_bytes;
            sides_[1 - way].receive(p.bytes, offload);
        }
    }

    void drop(unsigned way, std::uint32_t where) {
        if (where < wires_[way].size()) wires_[way].erase(wires_[way].begin() + where);
    }

    void repeat(unsigned way, std::uint32_t where) {
        if (where < wires_[way].size()) wires_[way].push_back(wires_[way][where]);
    }

    void overtake(unsigned way, std::uint32_t where) {
        if (where == 0 || where >= wires_[way].size()) return;
        std::rotate(wires_[way].begin(), wires_[way].begin() + where,
                    wires_[way].begin() + where + 1);
    }

    /// A spoilt byte is seen by a checksum, if there is one. Two may cancel each other out: so one
    /// a packet, and of fragments, which share a checksum, the first only.
    void spoil(unsigned way, std::uint8_t where, std::uint8_t how) {
        if (wires_[way].empty() || how == 0) return;
        packet& p = wires_[way].front();
        if (p.offload.needs_checksum || p.is_spoilt) return;
        const auto ip = wire::parse_ipv4(p.bytes);
        if (!ip || ip->fragment_offset_bytes != 0) return;
        p.is_spoilt = true;
        p.bytes[where % p.bytes.size()] ^= static_cast<std::byte>(how);
    }

    /// A middlebox makes two segments of one (RFC 9293 §3.7: segments are not records).
    void cut(unsigned way, std::uint16_t where) {
        if (wires_[way].empty()) return;
        const packet& whole = wires_[way].front();
        const auto seen = read_segment(whole.bytes);
        if (!seen || seen->text.size() < 2 || seen->has(tcp_flags::syn)) return;
        const bool is_spoilt = !whole.offload.needs_checksum &&
                               !wire::verify_tcp_checksum(seen->ip.source, seen->ip.destination,
                                                          seen->ip.payload_in(whole.bytes));
        if (is_spoilt) return;  // it must not be made good
        const std::size_t at = 1 + where % (seen->text.size() - 1);
        wire::tcp_segment_header second = seen->tcp;
        second.header.sequence += static_cast<std::uint32_t>(at);
        wire::tcp_segment_header first = seen->tcp;
        first.header.flags &= ~(tcp_flags::fin | tcp_flags::psh);
        packet head = segment_of(*seen, first, seen->text.first(at));
        packet tail = segment_of(*seen, second, seen->text.subspan(at));
        wires_[way].front() = std::move(tail);
        wires_[way].push_front(std::move(head));
    }

    static packet segment_of(const seen_segment& like, const wire::tcp_segment_header& header,
                             std::span<const std::byte> text) {
        std::vector<std::byte> tcp(wire::tcp_header_bytes + header.options.encoded_bytes());
        wire::emit_tcp(header.header, header.options, tcp.data());
        wire::fill_tcp_checksum(like.ip.source, like.ip.destination, tcp,
                                wire::checksum_partial(text), text.size());
        wire::ipv4_header ip = like.ip;
        ip.total_bytes =
            static_cast<std::uint16_t>(wire::ipv4_header_bytes + tcp.size() + text.size());
        packet out;
        out.bytes.resize(wire::ipv4_header_bytes);
        wire::emit_ipv4(ip, out.bytes.data());
        out.bytes.insert(out.bytes.end(), tcp.begin(), tcp.end());
        out.bytes.insert(out.bytes.end(), text.begin(), text.end());
        return out;
    }

    /// A router that is full marks what says that it understands (RFC 3168 §5).
    void mark_congestion(unsigned way) {
        if (wires_[way].empty()) return;
        packet& p = wires_[way].front();
        auto ip = wire::parse_ipv4(p.bytes);
        if (!ip || (ip->traffic_class & wire::ecn::mask) == wire::ecn::not_ect) return;
        wire::ipv4_header marked = *ip;
        marked.traffic_class |= wire::ecn::ce;
        wire::emit_ipv4(marked, p.bytes.data());
    }

    void shrink_path(unsigned way, std::uint32_t mtu) {
        path_mtu_[way] = std::min(path_mtu_[way], std::max(mtu, 296U));
    }

    /// Packets to and fro, without time.
    void exchange(std::uint32_t rounds) {
        for (; rounds != 0; --rounds) {
            collect();
            if (wires_[0].empty() && wires_[1].empty()) return;
            deliver(0, queue_packets);
            collect();
            deliver(1, queue_packets);
            (void)sides_[1].accept();
        }
    }

    // ---- time

    void trouble(duration d) {
        d = std::min(d, longest_trouble - trouble_);
        trouble_ += d;
        pass(d);
    }

    void pass(duration d) {
        // One clock: neither side may run ahead by more than it takes to hear of it.
        for (unsigned i = 0; i < 2; ++i) {
            sides_[i].pass(d, [this, i](sent_frame f) { send(i, std::move(f)); });
        }
    }

    // ---- the users

    void write(unsigned side, std::uint32_t count) {
        if (watched_stack::handle* h = handle_of(side)) {
            const std::uint64_t room = most_written - std::min(most_written, h->written);
            sides_[side].write(*h,
                               static_cast<std::uint32_t>(std::min<std::uint64_t>(count, room)));
        }
    }

    void read(unsigned side, std::uint32_t count) {
        if (watched_stack::handle* h = handle_of(side)) {
            sides_[side].read(*h, count);
            check_prefix();
        }
    }

    /// As a patient user closes: not before the connection is open.
    void close(unsigned side) {
        watched_stack::handle* const h = handle_of(side);
        if (h == nullptr || h->connection->state() == tcp::state::syn_sent) return;
        (void)h->connection->close(now());
    }

    void call(unsigned side, std::uint8_t what) {
        watched_stack::handle* const h = handle_of(side);
        if (h == nullptr) return;
        switch (what % 8) {
            case 0:
            case 1:
                // A CLOSE in SYN-SENT deletes the TCB (§3.10.4).
                if (h->connection->state() == tcp::state::syn_sent) aborted_ = true;
                (void)h->connection->close(now());
                break;
            case 2: h->connection->set_no_delay((what & 8) != 0, now()); break;
            case 3:
                h->connection->set_keepalive({.enabled = (what & 8) != 0, .idle = 1s}, now());
                break;
            case 4: sides_[side].refuse(); break;
            case 5:
                if (what < 64) {
                    aborted_ = true;
                    h->connection->abort(now());
                }
                break;
            default: break;
        }
    }

    // ---- what has to hold

    /// Every byte read was checked against its number; the numbers are the other side's.
    void check_prefix() {
        for (unsigned i = 0; i < 2; ++i) {
            const watched_stack::handle* const to = handle_of(i);
            const watched_stack::handle* const from = handle_of(1 - i);
            if (to == nullptr || from == nullptr || to->read == 0) continue;
            require(to->connection->irs() == from->connection->iss(), "both speak of one stream");
            require(to->read <= from->written, "no more is read than was written");
        }
    }

    [[nodiscard]] bool is_over() {
        return std::ranges::all_of(std::array{0U, 1U}, [this](unsigned i) {
            const watched_stack::handle* const h = handle_of(i);
            return h != nullptr && h->connection->state() == tcp::state::closed;
        });
    }

    void check_outcome() {
        for (unsigned i = 0; i < 2; ++i) {
            const watched_stack::handle* const h = handle_of(i);
            require(h != nullptr, "a handshake comes to its end");
            require(!h->connection->error(), "nobody aborted, nothing fails");
        }
        for (unsigned i = 0; i < 2; ++i) {
            require(handle_of(i)->read == handle_of(1 - i)->written, "every byte arrives");
            require(handle_of(i)->connection->state() == tcp::state::closed, "both ends end");
        }
    }

    /// An orderly end resets nobody. What still comes late is for no connection, and a reset has to
    /// answer it (RFC 9293 §3.10.7.1): the acknowledgment of a FIN that was sent twice, say, finds
    /// LAST-ACK gone. So: whoever sends one has ended without an error. Its end took the peer's FIN
    /// and the peer's acknowledgment of its own, so that the reset finds TIME-WAIT, or nothing.
    void check_reset(unsigned from, const seen_segment& reset) {
        const watched_stack::handle* const h = handle_of(from);
        const watched_stack::handle* const peer = handle_of(1 - from);
        require(h != nullptr && peer != nullptr, "no reset before the handshake is over");
        require(h->connection->state() == tcp::state::closed && !h->connection->error(),
                "only who has come to an orderly end sends a reset");
        require(is_one_of(peer->connection->state(), tcp::state::time_wait, tcp::state::closed),
                "a reset comes only after both FINs are acknowledged");
        const wire::tcp_header& header = reset.tcp.header;
        if (reset.has(tcp_flags::ack)) {  // answers a SYN, which acknowledges nothing
            require(header.sequence == 0 &&
                        header.acknowledgment == peer->connection->iss().value() + 1,
                    "a reset that answers a SYN acknowledges it");
            return;
        }
        // Between the acknowledgment of the SYN and that of the FIN.
        const std::uint32_t acknowledged = header.sequence - (h->connection->iss().value() + 1);
        require(acknowledged <= h->written + 1, "a reset stands where the late segment pointed");
    }

    std::array<watched_stack, 2> sides_;
    std::array<std::deque<packet>, 2> wires_;
    std::array<std::uint32_t, 2> path_mtu_{65535, 65535};
    duration trouble_{};
    bool aborted_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    input in{data, size};
    pair p{in};
    for (int i = 0; i < 300 && !in.empty(); ++i) p.step(in);
    p.heal();
    return 0;
}
