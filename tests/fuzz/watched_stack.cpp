#include "watched_stack.hpp"

#include <weft/net/wire/ethernet.hpp>
#include <weft/net/wire/tcp.hpp>
#include <weft/net/wire/udp.hpp>

#include <algorithm>
#include <memory>

namespace weft::fuzz {

using namespace net;
using wire::tcp_flags;

namespace {

/// More than any honest reason for a timer to fire in one pass, or for frames at one instant.
constexpr int most_timers = 20'000;
constexpr int most_frames_at_once = 20'000;
constexpr int most_at_one_instant = 200;

double seconds(instant t) { return std::chrono::duration<double>(t.time_since_epoch()).count(); }
const char* name(std::string_view literal) { return literal.data(); }

}  // namespace

std::vector<std::byte> text_at(std::uint32_t sequence, std::size_t count) {
    std::vector<std::byte> out(count);
    for (std::size_t i = 0; i < count; ++i) {
        out[i] = byte_at(sequence + static_cast<std::uint32_t>(i));
    }
    return out;
}

std::optional<seen_segment> read_segment(std::span<const std::byte> packet) {
    const auto ip = wire::parse_ipv4(packet);
    if (!ip || ip->protocol != wire::ip_protocol::tcp || ip->is_fragment()) return std::nullopt;
    const auto payload = ip->payload_in(packet);
    const auto tcp = wire::parse_tcp(payload);
    if (!tcp) return std::nullopt;
    return seen_segment{*ip, *tcp, payload.subspan(tcp->header.data_offset_bytes)};
}

watched_stack::watched_stack(const stack_options& options, std::size_t pool_bytes)
    : pool{pool_bytes},
      stack{options, pool},
      is_traced_{std::getenv("WEFT_FUZZ_TRACE") != nullptr} {
    stack.observe(this);
}

watched_stack::~watched_stack() = default;

// ---- the wire

void watched_stack::receive(std::span<const std::byte> frame, const rx_offload& offload) {
    if (frame.size() > static_cast<std::size_t>(block_size::large)) return;
    slice bytes = pool.allocate_for(frame.size());
    if (!bytes) return;  // as a device without a buffer
    std::ranges::copy(frame, bytes.data());
    bytes.extend(static_cast<std::uint32_t>(frame.size()));
    stack.on_frame(std::move(bytes), offload, now);
}

std::optional<sent_frame> watched_stack::poll() {
    in_device& place = device_[next_slot_];
    if (!place.bytes.empty()) {  // it has left: what it carried must not have changed
        std::vector<std::byte> leaving(place.slot.frame_bytes());
        place.slot.copy_to(leaving.data());
        require(leaving == place.bytes, "a frame in the device keeps its bytes");
    }
    place.slot.clear();
    place.bytes.clear();
    if (!stack.poll_frame(place.slot, now)) {
        place.slot.clear();
        return std::nullopt;
    }
    sent_frame frame{std::vector<std::byte>(place.slot.frame_bytes()), place.slot.offload};
    place.slot.copy_to(frame.bytes.data());
    place.bytes = frame.bytes;
    next_slot_ = (next_slot_ + 1) % device_.size();
    check_frame(frame);
    return frame;
}

void watched_stack::refuse() {
    if (poll()) stack.on_frame_refused();
}

void watched_stack::check_frame(const sent_frame& frame) const {
    std::span<const std::byte> packet = frame.bytes;
    if (stack.options().device.link == device_capabilities::link_type::ethernet) {
        const auto header = wire::parse_ethernet(packet);
        require(header.has_value(), "a frame has an Ethernet header");
        require(header->source == stack.options().mac, "a frame comes from us");
        packet = packet.subspan(wire::ethernet_header_bytes);
        if (header->type != wire::ethernet_type::ipv4) return;
    }
    const auto ip = wire::parse_ipv4(packet);
    require(ip.has_value(), "a packet of ours is well-formed");
    require(ip->total_bytes == packet.size(), "a packet of ours has its length");
    require(frame.offload.segment_bytes != 0 || packet.size() <= stack.options().device.mtu,
            "a packet of ours fits the link");
    if (ip->is_fragment()) return;
    if (ip->protocol == wire::ip_protocol::udp) {
        const auto datagram = ip->payload_in(packet);
        const auto udp = wire::parse_udp(datagram);
        require(udp.has_value() && udp->length == datagram.size(), "a datagram has its length");
        require(udp->checksum != 0 &&
                    wire::verify_udp_checksum(ip->source, ip->destination, datagram),
                "a datagram of ours has its checksum");
    }
    if (ip->protocol != wire::ip_protocol::tcp) return;
    const auto segment = read_segment(packet);
    require(segment.has_value(), "a segment of ours is well-formed");
    if (!frame.offload.needs_checksum) {
        require(wire::verify_tcp_checksum(ip->source, ip->destination, ip->payload_in(packet)),
                "a segment of ours has its checksum (MUST-2)");
    }
    check_segment(*segment, frame.offload);
}

void watched_stack::check_segment(const seen_segment& s, const tx_offload& offload) const {
    const bool has_syn = s.has(tcp_flags::syn);
    require(!(has_syn && s.has(tcp_flags::fin)), "a SYN is no FIN");
    require(!(has_syn && s.has(tcp_flags::rst)), "a SYN is no RST");
    require(!s.has(tcp_flags::rst) || s.text.empty(), "a RST carries no text");
    require(has_syn || s.has(tcp_flags::rst) || s.has(tcp_flags::ack),
            "a segment of a connection acknowledges");
    require(has_syn || !s.tcp.options.has_mss(), "the MSS stands in a SYN only (RFC 9293 §3.2)");
    require(has_syn || !s.tcp.options.has_window_scale(), "so does the window scale");
    require(has_syn || !s.tcp.options.has_sack_permitted(), "and SACK permitted");
    if (offload.segment_bytes != 0) {
        require(s.text.size() > offload.segment_bytes, "only what is larger is to be cut");
        require(!has_syn, "a SYN is not cut");
    }
    const std::uint32_t begin = s.text_begin();
    for (std::uint32_t i = 0; i < s.text.size(); ++i) {
        require(s.text[i] == byte_at(begin + i), "what is sent is what was written");
    }
}

// ---- time

void watched_stack::pass(duration time, const frame_sink& on_frame) {
    const instant until = now + time;
    int fired = 0;
    int frames = 0;
    int here = 0;
    for (;;) {
        frames = 0;
        while (auto frame = poll()) {
            require(++frames <= most_frames_at_once, "frames at one instant have an end");
            on_frame(std::move(*frame));
        }
        const instant next = stack.next_timeout();
        if (next > until) break;
        here = next > now ? 0 : here + 1;
        require(here <= most_at_one_instant, "a timer that fires makes progress");
        require(++fired <= most_timers, "timers do not storm");
        now = std::max(now, next);
        stack.on_timeout(now);
        check();
    }
    now = until;
}

// ---- the user

void watched_stack::listen(const endpoint& local, const tcp::listen_options& options) {
    if (listener != nullptr) return;
    if (const auto made = stack.listen(local, options, now)) listener = *made;
}

void watched_stack::close_listener() {
    if (listener == nullptr) return;
    stack.close(*listener, now);
    listener = nullptr;
}

bool watched_stack::connect(const endpoint& remote, const tcp::connection_options& options,
                            const endpoint& local) {
    const auto made = stack.connect(remote, options, now, local);
    if (made) handles.push_back({*made});
    return made.has_value();
}

bool watched_stack::accept() {
    if (listener == nullptr || !listener->can_accept()) return false;
    handles.push_back({&listener->accept()});
    return true;
}

void watched_stack::write(handle& h, std::uint32_t count) {
    const std::uint32_t at =
        h.connection->iss().value() + 1 + static_cast<std::uint32_t>(h.written);
    const auto taken = h.connection->write(text_at(at, count), now);
    if (!taken) return;
    require(*taken <= count, "no more is taken than was given");
    h.written += *taken;
}

void watched_stack::read(handle& h, std::uint32_t count) {
    const std::uint32_t readable = h.connection->readable_bytes();
    const std::uint32_t at = h.connection->irs().value() + 1 + static_cast<std::uint32_t>(h.read);
    std::vector<std::byte> into(count);
    const std::uint32_t got = h.connection->read(into, now);
    require(got == std::min(readable, count), "what is readable is read");
    h.read += got;
    if (!trusts_input_) return;
    for (std::uint32_t i = 0; i < got; ++i) {
        require(into[i] == byte_at(at + i), "what is read is what was sent");
    }
}

void watched_stack::release(std::size_t index) {
    handles[index].connection->release(now);
    handles[index] = handles.back();
    handles.pop_back();
}

watched_stack::handle* watched_stack::pick(std::uint32_t number) {
    return handles.empty() ? nullptr : &handles[number % handles.size()];
}

// ---- what has to hold

void watched_stack::check() {
    while (tcp::connection* c = stack.tcp().pop_signaled()) (void)c->take_signals();
    require(pool.bytes_out() <= pool.limit_bytes(), "memory keeps to its limit");
    require(stack.tcp().half_open_count() <= stack.options().tcp.max_half_open &&
                stack.tcp().time_wait_count() <= stack.options().tcp.max_time_wait,
            "records keep to their limits");
    stack.tcp().for_each_connection([](tcp::connection& c) {
        if (const std::string_view wrong = c.violated_invariant(); !wrong.empty()) fail(wrong);
        require(c.bytes_in_flight() <= c.unacked_bytes(), "no more is in flight than was sent");
    });
    for (const handle& h : handles) {
        if (const std::string_view wrong = h.connection->violated_invariant(); !wrong.empty()) {
            fail(wrong);
        }
    }
}

void watched_stack::finish() {
    check();
    while (!handles.empty()) release(handles.size() - 1);
    close_listener();
    check();
    pass(std::chrono::hours{1}, [](const sent_frame&) {});
    for (in_device& place : device_) place.slot.clear();
    require(stack.tcp().connection_count() == 0, "no connection lives without a user for ever");
    require(stack.tcp().orphan_count() == 0, "no orphan is counted that is not there");
    require(stack.udp().socket_count() == 0, "no socket that was closed stays");
    require(pool.bytes_in_use() == 0, "all memory comes back");
}

void watched_stack::on_transition(const transition_event& e) {
    if (is_traced_) {
        std::fprintf(stderr, "%s %12.6f %s %s: %s -> %s\n", e.local.to_string().c_str(),
                     seconds(e.at), e.remote.to_string().c_str(), name(tcp::to_string(e.on)),
                     name(tcp::to_string(e.from)), name(tcp::to_string(e.to)));
    }
    require(tcp::next_state(e.from, e.on) == e.to, "a transition is one of the table");
}

void watched_stack::on_segment(const segment_event& e) {
    if (!is_traced_) return;
    const bool is_sent = e.way == segment_event::direction::sent;
    std::fprintf(stderr, "%s %12.6f %s %s flags %02x seq %u ack %u win %u text %u%s",
                 e.local.to_string().c_str(), seconds(e.at), is_sent ? "->" : "<-",
                 e.remote.to_string().c_str(), unsigned{e.header.flags.bits}, e.header.sequence,
                 e.header.acknowledgment, unsigned{e.header.window}, e.payload_bytes,
                 e.retransmission ? " again" : "");
    for (const wire::sack_block& b : e.options.sack_blocks()) {
        std::fprintf(stderr, " sack %u-%u", b.left, b.right);
    }
    std::fprintf(stderr, "\n");
}

}  // namespace weft::fuzz
