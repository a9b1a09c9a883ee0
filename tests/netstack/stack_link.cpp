#include "stack_link.hpp"

#include <doctest/doctest.h>

namespace weft::test {

using namespace net;

namespace {

stack_options options_for(const device_capabilities& device, const tcp::config& c, unsigned prefix,
                          const tcp::shard& shard) {
    stack_options o;
    o.address = ip_prefix{stack_link::our_ip, prefix};
    o.mac = stack_link::our_mac;
    o.device = device;
    o.tcp = c;
    o.secret = {1, 2};
    o.shard = shard;
    return o;
}

bool is_ethernet(const stack& s) {
    return s.options().device.link == device_capabilities::link_type::ethernet;
}

sent_frame read_frame(byte_string bytes, bool has_ethernet) {
    sent_frame f;
    f.bytes = std::move(bytes);
    wire::bytes_view rest{f.bytes};
    if (has_ethernet) {
        f.ethernet = wire::parse_ethernet(rest).value();
        if (f.ethernet.type != wire::ethernet_type::ipv4) return f;
        rest = rest.subspan(wire::ethernet_header_bytes);
    }
    const auto ip = wire::parse_ipv4(rest);
    REQUIRE(ip);
    f.ip = *ip;
    if (ip->protocol != wire::ip_protocol::tcp) return f;
    const wire::bytes_view payload = ip->payload_in(rest);
    const auto segment = wire::parse_tcp(payload);
    REQUIRE(segment);
    f.segment = *segment;
    f.checksum_is_valid = wire::verify_tcp_checksum(ip->source, ip->destination, payload);
    const auto text = payload.subspan(segment->header.data_offset_bytes);
    f.text.assign(text.begin(), text.end());
    return f;
}

}  // namespace

stack_link::stack_link(const device_capabilities& device, const tcp::config& c,
                       std::size_t pool_bytes, unsigned prefix, const tcp::shard& shard)
    : pool{pool_bytes}, ours{options_for(device, c, prefix, shard), pool} {
    (void)frames();  // its announcement
}

void stack_link::hear_of_peer() {
    byte_string frame(wire::ethernet_header_bytes + wire::arp_bytes);
    wire::emit_ethernet({our_mac, peer_mac, wire::ethernet_type::arp}, frame.data());
    wire::emit_arp({wire::arp_operation::request, peer_mac, peer_ip, mac_address{}, our_ip},
                   frame.data() + wire::ethernet_header_bytes);
    receive(frame);
}

void stack_link::introduce_peer() {
    hear_of_peer();
    REQUIRE(frames().size() == 1);
}

void stack_link::receive(const byte_string& frame, const rx_offload& offload) {
    slice bytes = pool.allocate_for(frame.size());
    if (!bytes) return;  // as a device without a buffer
    std::ranges::copy(frame, bytes.data());
    bytes.extend(static_cast<std::uint32_t>(frame.size()));
    ours.on_frame(std::move(bytes), offload, now);
}

void stack_link::receive_packet(const byte_string& packet, const rx_offload& offload) {
    if (!is_ethernet(ours)) {
        receive(packet, offload);
        return;
    }
    byte_string frame(wire::ethernet_header_bytes);
    wire::emit_ethernet({our_mac, peer_mac, wire::ethernet_type::ipv4}, frame.data());
    receive(frame + packet, offload);
}

void stack_link::receive_segment(const raw_segment& s, ipv4_address from, ipv4_address to) {
    receive_packet(ip_packet(wire::ip_protocol::tcp, tcp_bytes(s, from, to), from, to));
}

std::vector<sent_frame> stack_link::frames() {
    std::vector<sent_frame> out;
    while (ours.poll_frame(slot, now)) {
        byte_string bytes(slot.frame_bytes());
        slot.copy_to(bytes.data());
        slot.clear();
        out.push_back(read_frame(std::move(bytes), is_ethernet(ours)));
        REQUIRE(out.size() < 10'000);
    }
    slot.clear();
    return out;
}

sent_frame stack_link::segment() {
    std::vector<sent_frame> all = frames();
    std::erase_if(all, [](const sent_frame& f) { return !f.segment; });
    REQUIRE(all.size() == 1);
    return std::move(all[0]);
}

void stack_link::wait(duration time) {
    const instant until = now + time;
    while (ours.next_timeout() <= until) {
        now = std::max(now, ours.next_timeout());
        ours.on_timeout(now);
        (void)frames();
    }
    now = until;
}

wire::tcp_header tcp_header_of(std::uint16_t from, std::uint16_t to, std::uint32_t seq,
                               std::uint32_t ack, tcp_flags flags) {
    wire::tcp_header h;
    h.source_port = from;
    h.destination_port = to;
    h.sequence = seq;
    h.acknowledgment = ack;
    h.flags = flags;
    h.window = 65'535;
    return h;
}

byte_string tcp_bytes(const raw_segment& s, ipv4_address from, ipv4_address to) {
    byte_string header(wire::tcp_header_bytes);
    wire::emit_tcp(s.header, {}, header.data());
    const std::size_t size = header.size() + s.options.size();
    header[12] = static_cast<std::byte>(size / 4 * 16);
    byte_string bytes = header + s.options + s.text;
    wire::fill_tcp_checksum(from, to, bytes, 0, 0);  // over all of it as if it were header
    return bytes;
}

byte_string ip_packet(std::uint8_t protocol, const byte_string& payload, ipv4_address from,
                      ipv4_address to) {
    wire::ipv4_header header;
    header.source = from;
    header.destination = to;
    header.protocol = protocol;
    header.total_bytes = static_cast<std::uint16_t>(wire::ipv4_header_bytes + payload.size());
    byte_string out(wire::ipv4_header_bytes);
    wire::emit_ipv4(header, out.data());
    return out + payload;
}

byte_string arp_reply() {
    byte_string frame(wire::ethernet_header_bytes + wire::arp_bytes);
    wire::emit_ethernet({stack_link::our_mac, stack_link::peer_mac, wire::ethernet_type::arp},
                        frame.data());
    wire::emit_arp({wire::arp_operation::reply, stack_link::peer_mac, stack_link::peer_ip,
                    stack_link::our_mac, stack_link::our_ip},
                   frame.data() + wire::ethernet_header_bytes);
    return frame;
}

}  // namespace weft::test
