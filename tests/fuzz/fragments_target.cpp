// Reassembly of IPv4 datagrams: any fragments in any order, with time passing. The byte at offset o
// of a datagram is a function of o and its identification, so a completed one proves itself.

#include "input.hpp"

#include <weft/net/ip/fragmenter.hpp>
#include <weft/net/ip/fragments.hpp>

#include <algorithm>
#include <vector>

using namespace weft;
using namespace weft::fuzz;
using namespace weft::net;

namespace {

constexpr ip::fragment_limits limits{
    .max_datagrams = 4, .max_bytes = 96 * 1024, .max_fragments = 24};

std::byte byte_of(std::uint16_t id, std::size_t offset) {
    return static_cast<std::byte>((id * 31U + offset * 7 + offset / 251) & 0xff);
}

std::vector<std::byte> text_of(std::uint16_t id, std::size_t offset, std::size_t count) {
    std::vector<std::byte> out(count);
    for (std::size_t i = 0; i < count; ++i) out[i] = byte_of(id, offset + i);
    return out;
}

struct run {
    stack_counters counters;
    ip::fragment_store store{counters, limits};
    instant now{std::chrono::seconds{1}};

    void take(const wire::ipv4_header& header, wire::bytes_view payload) {
        const auto whole = store.on_fragment(header, payload, now);
        require(store.bytes() <= limits.max_bytes, "what is kept is bounded");
        require(store.datagrams() <= limits.max_datagrams, "datagrams are bounded");
        if (!whole) return;
        require(whole->payload.size() + whole->header.header_bytes <= 65535,
                "IPv4 can say its size");
        require(whole->header.payload_bytes() == whole->payload.size(),
                "the length is the whole's");
        require(!whole->header.is_fragment(), "a whole is no fragment");
        for (std::size_t i = 0; i < whole->payload.size(); ++i) {
            require(whole->payload[i] == byte_of(whole->header.identification, i),
                    "every byte of a datagram is where it was");
        }
    }

    void pass(duration d) {
        now += d;
        while (store.poll_expired(now)) {
        }
        require(store.next_timeout() > now, "what was overdue is gone");
    }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    input in{data, size};
    run r;
    for (int step = 0; step < 400 && !in.empty(); ++step) {
        const std::uint8_t what = in.byte();
        if (what >= 0xf0) {
            r.pass(std::chrono::milliseconds{in.word()});
            continue;
        }
        wire::ipv4_header header;
        header.source = ipv4_address{10, 0, 0, static_cast<std::uint8_t>(1 + (what >> 3 & 1))};
        header.destination = ipv4_address{10, 0, 0, 9};
        header.protocol = (what & 0x10) != 0 ? wire::ip_protocol::udp : wire::ip_protocol::icmp;
        header.identification = what & 7;
        if ((what & 0x20) != 0) {  // all fragments of one, from one side or the other
            const auto text = text_of(header.identification, 0, in.word() % 9000);
            const std::size_t mtu = 68 + in.below(2000);
            const bool is_backwards = in.flag();
            std::vector<ip::fragment> parts;
            ip::fragmenter cut{header, text, mtu};
            while (const auto part = cut.next()) parts.push_back(*part);
            if (is_backwards) std::ranges::reverse(parts);
            for (const ip::fragment& part : parts) {
                require(part.header.total_bytes <= mtu, "a fragment fits the link");
                if (part.header.is_fragment()) r.take(part.header, part.payload);
            }
            continue;
        }
        const std::uint16_t place = in.word();
        const std::size_t bytes = in.word() % 3000;
        header.more_fragments = (place & 0x2000) != 0;
        header.fragment_offset_bytes = static_cast<std::uint16_t>((place & 0x1fff) * 8);
        if (!header.is_fragment()) continue;
        header.total_bytes = static_cast<std::uint16_t>(wire::ipv4_header_bytes + bytes);
        r.take(header, text_of(header.identification, header.fragment_offset_bytes, bytes));
    }
    r.pass(std::chrono::minutes{5});
    require(r.store.bytes() == 0 && r.store.datagrams() == 0, "nothing is kept for ever");
    return 0;
}
