#include "hostile_peer.hpp"

#include <weft/net/wire/arp.hpp>
#include <weft/net/wire/checksum.hpp>
#include <weft/net/wire/ethernet.hpp>
#include <weft/net/wire/icmp.hpp>
#include <weft/net/wire/udp.hpp>

#include <algorithm>

namespace weft::fuzz {

using namespace net;
using namespace std::chrono_literals;
using wire::tcp_flags;

namespace {

/// A number near the right one: how near, and which way, is the input's choice.
std::uint32_t near(std::uint32_t right, input& in) {
    switch (const std::uint8_t how = in.byte(); how % 8) {
        case 4: return right + static_cast<std::uint32_t>(static_cast<std::int8_t>(in.byte()));
        case 5: return right + in.word();
        case 6: return right - in.word();
        case 7: return how < 128 ? in.number() : right + (std::uint32_t{how} << 24);
        default: return right;
    }
}

tcp_flags choose_flags(input& in) {
    using f = tcp_flags;
    static constexpr std::uint8_t usual[] = {0x10, 0x18, 0x10, 0x11, 0x02, 0x12, 0x14, 0x04,
                                             0x30, 0x19, 0x50, 0x90, 0xc2, 0x52, 0x01, 0x00};
    const std::uint8_t which = in.byte();
    return which < 240 ? f{usual[which % 16]} : f{in.byte()};
}

}  // namespace

std::uint32_t hostile_peer::clock() const {
    return static_cast<std::uint32_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(ours_.now.time_since_epoch())
            .count());
}

// ---- what the stack says

void hostile_peer::drain(std::uint32_t most) {
    for (std::uint32_t i = 0; i < most; ++i) {
        const auto frame = ours_.poll();
        if (!frame) return;
        require(i < 20'000, "the stack has something to say without end");
        learn(*frame);
    }
}

void hostile_peer::pass(duration time) {
    ours_.pass(time, [this](const sent_frame& f) { learn(f); });
}

void hostile_peer::learn(const sent_frame& frame) {
    std::span<const std::byte> packet = frame.bytes;
    if (ours_.stack.options().device.link == device_capabilities::link_type::ethernet) {
        packet = packet.subspan(wire::ethernet_header_bytes);
    }
    const auto s = read_segment(packet);
    if (!s) return;
    const std::uint32_t number = s->tcp.header.destination_port - 4000U;
    if (number >= place_count) return;
    place& at = places_[number];
    if (s->has(tcp_flags::rst)) {
        at = {};
        return;
    }
    at.our_port = s->tcp.header.source_port;
    if (s->has(tcp_flags::syn)) {
        at.snd_nxt = s->end();
        at.timestamps = s->tcp.options.has_timestamps();
    } else if (static_cast<std::int32_t>(s->end() - at.snd_nxt) > 0) {
        at.snd_nxt = s->end();
    }
    if (s->has(tcp_flags::ack)) at.rcv_nxt = s->tcp.header.acknowledgment;
    if (s->tcp.options.has_timestamps()) at.their_time = s->tcp.options.timestamps().value;
}

// ---- what the peer says

void hostile_peer::introduce() {
    std::vector<std::byte> frame(wire::ethernet_header_bytes + wire::arp_bytes);
    wire::emit_ethernet({our_mac, peer_mac, wire::ethernet_type::arp}, frame.data());
    wire::emit_arp({wire::arp_operation::request, peer_mac, peer_ip, mac_address{}, our_ip},
                   frame.data() + wire::ethernet_header_bytes);
    ours_.receive(frame);
}

void hostile_peer::deliver(const std::vector<std::byte>& packet, const rx_offload& offload) {
    if (ours_.stack.options().device.link == device_capabilities::link_type::raw_ip) {
        ours_.receive(packet, offload);
        return;
    }
    std::vector<std::byte> frame(wire::ethernet_header_bytes);
    wire::emit_ethernet({our_mac, peer_mac, wire::ethernet_type::ipv4}, frame.data());
    frame.insert(frame.end(), packet.begin(), packet.end());
    ours_.receive(frame, offload);
}

std::vector<std::byte> hostile_peer::build(std::uint32_t number, wire::tcp_header header,
                                           std::span<const std::byte> options,
                                           std::span<const std::byte> text,
                                           std::uint8_t traffic_class) const {
    const place& at = places_[number];
    header.source_port = peer_port(number);
    header.destination_port = number < passive_count || at.our_port == 0 ? our_port : at.our_port;
    const std::size_t header_bytes = wire::tcp_header_bytes + (options.size() + 3) / 4 * 4;
    std::vector<std::byte> tcp(header_bytes);
    wire::emit_tcp(header, {}, tcp.data());
    wire::store_u8(tcp.data() + 12, static_cast<unsigned>(header_bytes / 4 * 16));
    std::ranges::copy(options, tcp.begin() + wire::tcp_header_bytes);
    tcp.insert(tcp.end(), text.begin(), text.end());
    wire::fill_tcp_checksum(peer_ip, our_ip, tcp, 0, 0);  // over all of it as if it were header

    wire::ipv4_header ip;
    ip.source = peer_ip;
    ip.destination = our_ip;
    ip.protocol = wire::ip_protocol::tcp;
    ip.traffic_class = traffic_class;
    ip.total_bytes = static_cast<std::uint16_t>(wire::ipv4_header_bytes + tcp.size());
    std::vector<std::byte> packet(wire::ipv4_header_bytes);
    wire::emit_ipv4(ip, packet.data());
    packet.insert(packet.end(), tcp.begin(), tcp.end());
    return packet;
}

wire::tcp_options hostile_peer::usual_options(const place& at, bool is_syn) const {
    wire::tcp_options options;
    if (is_syn) {
        options.set_mss(1460).set_window_scale(7).set_sack_permitted();
        options.set_timestamps({clock(), at.their_time});
    } else if (at.timestamps) {
        options.set_timestamps({clock(), at.their_time});
    }
    return options;
}

std::vector<std::byte> hostile_peer::choose_options(input& in, const place& at, bool is_syn) {
    const std::uint8_t how = in.byte();
    wire::tcp_options options = usual_options(at, is_syn);
    switch (how % 8) {
        case 3: options = {}; break;
        case 4: options.set_timestamps({near(clock(), in), near(at.their_time, in)}); break;
        case 5:
            for (unsigned i = how >> 4 & 3; i < 4; ++i) {
                const std::uint32_t right = near(at.snd_nxt, in);
                options.add_sack_block({right - in.word(), right});
            }
            break;
        case 6:
            if ((how & 8) != 0) options = {};
            if ((how & 16) != 0) options.set_mss(in.word());
            if ((how & 32) != 0) options.set_window_scale(in.byte());
            if ((how & 64) != 0) options.set_sack_permitted();
            break;
        case 7: {
            const auto raw = in.bytes(std::min<std::size_t>(in.byte(), 40));
            return {raw.begin(), raw.end()};
        }
        default: break;
    }
    std::array<std::byte, wire::tcp_max_header_bytes> out{};
    const std::size_t size = wire::emit_tcp({}, options, out.data());
    return {out.begin() + wire::tcp_header_bytes, out.begin() + static_cast<std::ptrdiff_t>(size)};
}

void hostile_peer::send_segment(input& in) {
    const std::uint32_t number = in.below(place_count);
    place& at = places_[number];
    wire::tcp_header header;
    header.flags = choose_flags(in);
    header.sequence = near((in.byte() & 1) != 0 ? at.sent : at.rcv_nxt, in);
    header.acknowledgment = near(at.snd_nxt, in);
    header.window = (in.byte() & 3) == 0 ? in.word() : std::uint16_t{65535};
    header.urgent_pointer = header.flags.has(tcp_flags::urg) ? in.word() : std::uint16_t{0};
    const bool is_syn = header.flags.has(tcp_flags::syn);
    const std::vector<std::byte> options = choose_options(in, at, is_syn);
    const std::uint8_t more = in.byte();
    const std::uint32_t count = (more & 3) == 0 ? in.word() % 9000U : (more & 3) == 1 ? 1000U : 0U;
    const std::uint32_t begin = header.sequence + (is_syn ? 1U : 0U);
    rx_offload offload;
    if ((more & 4) != 0) offload.segment_bytes = in.word();
    const auto traffic_class = static_cast<std::uint8_t>((more & 8) != 0 ? in.byte() : 0U);
    last_ = build(number, header, options, text_at(begin, count), traffic_class);
    at.sent = begin + count + (header.flags.has(tcp_flags::fin) ? 1U : 0U);
    deliver(last_, offload);
}

void hostile_peer::plain(std::uint32_t number, tcp_flags flags, std::uint32_t seq,
                         std::uint32_t ack, std::uint16_t window, std::uint32_t text_bytes) {
    place& at = places_[number];
    wire::tcp_header header;
    header.flags = flags;
    header.sequence = seq;
    header.acknowledgment = flags.has(tcp_flags::ack) ? ack : 0;
    header.window = window;
    std::array<std::byte, wire::tcp_max_header_bytes> out{};
    const bool is_syn = flags.has(tcp_flags::syn);
    const std::size_t size = wire::emit_tcp({}, usual_options(at, is_syn), out.data());
    const std::uint32_t begin = seq + (is_syn ? 1U : 0U);
    last_ = build(number, header, std::span{out}.first(size).subspan(wire::tcp_header_bytes),
                  text_at(begin, text_bytes), 0);
    at.sent = begin + text_bytes + (flags.has(tcp_flags::fin) ? 1U : 0U);
    deliver(last_, {});
    drain();
}

watched_stack::handle* hostile_peer::handle_at(std::uint32_t number) {
    const auto found = std::ranges::find_if(ours_.handles, [&](const watched_stack::handle& h) {
        return h.connection->remote().port == peer_port(number);
    });
    return found == ours_.handles.end() ? nullptr : &*found;
}

/// Opens connection `number`, and goes on by `target`: 1 SYN-RECEIVED or SYN-SENT, 2 and above
/// ESTABLISHED, then 3 text in flight, 4 text behind a gap, 5 a closed window, 6 FIN-WAIT-1,
/// 7 FIN-WAIT-2, 8 CLOSING, 9 TIME-WAIT, 10 CLOSE-WAIT, 11 LAST-ACK, 12 the peer's text unread,
/// 13 a FIN behind a gap, 14 three duplicate ACKs, 15 CLOSE-WAIT with text in flight, 0 TIME-WAIT
/// that nobody holds.
void hostile_peer::drive(std::uint32_t number, std::uint8_t target) {
    place& at = places_[number];
    constexpr tcp_flags ack = tcp_flags::ack;
    const std::uint32_t irs = 0xffff'ff00U + number * 0x1000'0000U;  // some wrap soon
    if (number < passive_count) {
        plain(number, tcp_flags::syn, irs, 0);
        if (target == 1) return;
    } else {
        (void)ours_.connect({peer_ip, peer_port(number)}, {}, {});
        drain();
        if (target == 1) return;
        plain(number, tcp_flags::syn | ack, irs, at.snd_nxt);
    }
    plain(number, ack, irs + 1, at.snd_nxt);
    (void)ours_.accept();
    watched_stack::handle* const h = handle_at(number);
    if (h == nullptr) return;
    const std::uint32_t una = at.snd_nxt;
    const auto closes = [&] {
        (void)h->connection->close(ours_.now);
        drain();
    };
    const auto writes = [&] {
        ours_.write(*h, 20'000);
        drain();
    };
    const auto peer_closes = [&](std::uint32_t acked) {
        plain(number, ack | tcp_flags::fin, at.rcv_nxt, acked);
    };
    switch (target) {
        case 3: writes(); break;
        case 4: plain(number, ack, irs + 1001, una, 65535, 700); break;
        case 5:
            plain(number, ack, irs + 1, una, 0);
            writes();
            break;
        case 6: closes(); break;
        case 7:
            closes();
            plain(number, ack, irs + 1, at.snd_nxt);
            break;
        case 8:
            closes();
            peer_closes(una);
            break;
        case 0:
        case 9:
            closes();
            peer_closes(at.snd_nxt);
            if (target == 9) break;
            ours_.release(static_cast<std::size_t>(h - ours_.handles.data()));
            drain();
            break;
        case 10: peer_closes(una); break;
        case 11:
            peer_closes(una);
            closes();
            break;
        case 12: plain(number, ack, irs + 1, una, 65535, 1200); break;
        case 13: plain(number, ack | tcp_flags::fin, irs + 501, una, 65535, 500); break;
        case 14:
            writes();
            for (int i = 0; i < 4; ++i) plain(number, ack, irs + 1, una);
            break;
        case 15:
            writes();
            peer_closes(una);
            break;
        default: break;
    }
}

// ---- what nobody would send

void hostile_peer::forge(input& in) {
    std::vector<std::byte> packet = last_;
    if (packet.empty()) return;
    const std::uint8_t how = in.byte();
    for (unsigned i = 0; i < 1U + how % 4; ++i) {
        packet[in.below(static_cast<std::uint32_t>(std::min<std::size_t>(packet.size(), 256)))] =
            static_cast<std::byte>(in.byte());
    }
    if ((how & 4) != 0) packet.resize(in.word() % (packet.size() + 8));
    if ((how & 24) == 0) {
        deliver(packet, {});
        return;
    }
    ours_.distrust_input();
    const std::size_t at = wire::ipv4_header_bytes;
    if (packet.size() >= at + wire::tcp_header_bytes) {
        const auto total = static_cast<unsigned>(packet.size());
        if ((how & 16) != 0) wire::store_be16(packet.data() + 2, total);
        wire::store_be16(packet.data() + 10, 0);
        wire::store_be16(
            packet.data() + 10,
            wire::checksum_finish(wire::checksum_partial(std::span{packet}.first(at))));
        const ipv4_address from{wire::load_be32(packet.data() + 12)};
        const ipv4_address to{wire::load_be32(packet.data() + 16)};
        wire::fill_tcp_checksum(from, to, std::span{packet}.subspan(at), 0, 0);
    }
    deliver(packet, {});
}

void hostile_peer::fragment(input& in) {
    const auto header = wire::parse_ipv4(last_);
    if (!header || header->is_fragment() || header->payload_bytes() < 16) return;
    const auto payload = header->payload_in(last_);
    const std::size_t cut =
        8 * (1 + in.byte() % std::max<std::size_t>(1, (payload.size() - 1) / 8));
    const std::uint8_t identification = in.byte();
    const auto send = [&](std::size_t begin, std::size_t end) {
        wire::ipv4_header part = *header;
        part.identification = identification;
        part.fragment_offset_bytes = static_cast<std::uint16_t>(begin);
        part.more_fragments = end != payload.size();
        part.dont_fragment = false;
        part.total_bytes = static_cast<std::uint16_t>(wire::ipv4_header_bytes + end - begin);
        std::vector<std::byte> packet(wire::ipv4_header_bytes);
        wire::emit_ipv4(part, packet.data());
        const auto text = payload.subspan(begin, end - begin);
        packet.insert(packet.end(), text.begin(), text.end());
        deliver(packet, {});
    };
    send(cut, payload.size());
    send(0, cut);
}

void hostile_peer::send_icmp(input& in) {
    static constexpr wire::icmp_type types[] = {
        wire::icmp_type::destination_unreachable, wire::icmp_type::time_exceeded,
        wire::icmp_type::parameter_problem,       wire::icmp_type::echo_request,
        wire::icmp_type::source_quench,           wire::icmp_type::redirect};
    const std::uint32_t number = in.below(place_count);
    const place& at = places_[number];
    const wire::icmp_type type = types[in.byte() % std::size(types)];
    const std::uint8_t code = in.byte() % 16;
    wire::ipv4_header quoted;
    quoted.source = our_ip;
    quoted.destination = peer_ip;
    quoted.protocol = wire::ip_protocol::tcp;
    quoted.total_bytes = in.word();
    std::vector<std::byte> message(wire::icmp_header_bytes + wire::ipv4_header_bytes + 8);
    wire::emit_icmp_header(type, code, in.word(), message.data());
    wire::emit_ipv4(quoted, message.data() + wire::icmp_header_bytes);
    std::byte* const tcp = message.data() + wire::icmp_header_bytes + wire::ipv4_header_bytes;
    wire::store_be16(tcp, number < passive_count ? our_port : at.our_port);
    wire::store_be16(tcp + 2, peer_port(number));
    wire::store_be32(tcp + 4, near(at.snd_nxt - 1, in));
    if (type == wire::icmp_type::echo_request) message.resize(message.size() + in.word() % 4000);
    wire::fill_icmp_checksum(message);

    wire::ipv4_header ip;
    ip.source = peer_ip;
    ip.destination = our_ip;
    ip.protocol = wire::ip_protocol::icmp;
    ip.total_bytes = static_cast<std::uint16_t>(wire::ipv4_header_bytes + message.size());
    last_.assign(wire::ipv4_header_bytes, std::byte{});
    wire::emit_ipv4(ip, last_.data());
    last_.insert(last_.end(), message.begin(), message.end());
    deliver(last_, {});
}

/// A frame of nothing but input.
void hostile_peer::send_raw(input& in) {
    ours_.distrust_input();
    const auto bytes = in.bytes(in.byte());
    if (in.flag()) {
        last_.assign(bytes.begin(), bytes.end());
        deliver(last_, {.truncated = in.flag()});
    } else {
        ours_.receive(bytes);
    }
}

// ---- UDP

void hostile_peer::deliver_payload(std::uint8_t protocol, const std::vector<std::byte>& payload,
                                   ipv4_address to) {
    wire::ipv4_header ip;
    ip.source = peer_ip;
    ip.destination = to;
    ip.protocol = protocol;
    ip.total_bytes = static_cast<std::uint16_t>(wire::ipv4_header_bytes + payload.size());
    last_.assign(wire::ipv4_header_bytes, std::byte{});
    wire::emit_ipv4(ip, last_.data());
    last_.insert(last_.end(), payload.begin(), payload.end());
    deliver(last_, {});
}

void hostile_peer::send_udp(input& in, std::uint16_t to_port) {
    const std::uint8_t how = in.byte();
    const auto from_port = static_cast<std::uint16_t>(udp_port + (how < 192 ? 0 : how % 8));
    const std::uint32_t size = (how & 7) == 7 ? in.word() % 65'000U : in.word() % 1500U;
    const ipv4_address to = (how & 24) == 24 ? ipv4_address{10, 0, 0, 255} : ipv4_address{our_ip};
    const std::vector<std::byte> text = text_at(from_port, size);
    std::vector<std::byte> bytes(wire::udp_header_bytes);
    wire::emit_udp(peer_ip, to, from_port, to_port, wire::checksum_partial(text), size,
                   bytes.data());
    if ((how & 32) != 0) wire::store_be16(bytes.data() + 6, 0);  // none
    bytes.insert(bytes.end(), text.begin(), text.end());
    if ((how & 64) != 0) bytes[bytes.size() - 1] ^= std::byte{1};
    if ((how & 96) == 96) ours_.distrust_input();  // spoiled, and nobody can tell
    deliver_payload(wire::ip_protocol::udp, bytes, to);
}

void hostile_peer::send_udp_error(input& in, std::uint16_t from_port) {
    const std::uint8_t how = in.byte();
    wire::ipv4_header quoted;
    quoted.source = our_ip;
    quoted.destination = peer_ip;
    quoted.protocol = wire::ip_protocol::udp;
    quoted.total_bytes = in.word();
    std::vector<std::byte> message(wire::icmp_header_bytes + wire::ipv4_header_bytes + 8);
    wire::emit_icmp_header(wire::icmp_type::destination_unreachable, how % 16, in.word(),
                           message.data());
    wire::emit_ipv4(quoted, message.data() + wire::icmp_header_bytes);
    std::byte* const udp = message.data() + wire::icmp_header_bytes + wire::ipv4_header_bytes;
    wire::store_be16(udp, from_port);
    wire::store_be16(udp + 2, how < 128 ? udp_port : in.word());
    wire::fill_icmp_checksum(message);
    deliver_payload(wire::ip_protocol::icmp, message, our_ip);
}

}  // namespace weft::fuzz
