#include "udp_user.hpp"

namespace weft::fuzz {

using namespace net;

void udp_user::step(input& in) {
    switch (in.byte() % 8) {
        case 0: open(in); break;
        case 1: peer_.send_udp(in, open_port); break;
        case 2: peer_.send_udp(in, connected_port); break;
        case 3: peer_.send_udp_error(in, connected_port); break;
        case 4:
            if (open_ != nullptr) send(*open_, in);
            break;
        case 5:
            if (connected_ != nullptr) send(*connected_, in);
            break;
        case 6:
            if (open_ != nullptr) receive(*open_);
            if (connected_ != nullptr) receive(*connected_);
            break;
        default: close(); break;
    }
    check();
}

void udp_user::open(input& in) {
    const udp::socket_options options{.receive_buffer_bytes = buffer_bytes,
                                      .send_buffer_bytes = buffer_bytes,
                                      .allow_broadcast = in.flag()};
    if (open_ == nullptr) {
        if (const auto made = ours_.stack.bind_udp({ip_address{}, open_port}, options)) {
            open_ = *made;
        }
    }
    if (connected_ == nullptr) {
        if (const auto made = ours_.stack.bind_udp({our_ip, connected_port}, options)) {
            connected_ = *made;
            (void)ours_.stack.connect(**made, {peer_ip, hostile_peer::udp_port});
        }
    }
}

void udp_user::send(udp::socket& from, input& in) {
    static constexpr ipv4_address silent{10, 0, 0, 99};
    static constexpr ipv4_address nowhere{192, 0, 2, 1};
    const ipv4_address to[] = {peer_ip, silent, nowhere, ipv4_address::broadcast()};
    const std::uint8_t how = in.byte();
    const std::uint32_t size = how < 128 ? in.word() % 2000U : in.word();
    if (!from.can_send()) return;
    const std::uint32_t before = from.unsent_bytes();
    const auto sent = ours_.stack.send(from, text_at(size, size), {to[how % 4], 4000});
    require(!sent || *sent == size, "a datagram is taken whole");
    require(sent.has_value() || from.unsent_bytes() == before, "or not at all");
}

void udp_user::receive(udp::socket& at) {
    (void)at.take_error();
    (void)at.take_soft_error();
    while (at.queued() != 0) {
        const udp::received_datagram got = at.receive();
        if (!ours_.trusts_input()) continue;
        const auto bytes = got.payload.bytes();
        const auto expected = text_at(got.from.port, bytes.size());
        require(std::ranges::equal(bytes, expected), "a datagram received is one that was sent");
    }
    require(at.queued_bytes() == 0, "an empty queue costs nothing");
}

void udp_user::check() {
    while (ours_.stack.udp().pop_signaled() != nullptr) {
    }
    for (udp::socket* s : {open_, connected_}) {
        if (s == nullptr) continue;
        // One datagram is taken whatever it costs.
        require(s->queued() <= 1 || s->queued_bytes() <= buffer_bytes, "a queue keeps its limit");
    }
    require(ours_.stack.udp().aside_count() <= udp::demux::max_aside,
            "what waits for neighbours is bounded");
}

void udp_user::close() {
    for (udp::socket** s : {&open_, &connected_}) {
        if (*s != nullptr) ours_.stack.close(**s);
        *s = nullptr;
    }
}

}  // namespace weft::fuzz
