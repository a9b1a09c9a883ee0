#include <weft/net/wire/udp.hpp>

#include <weft/net/wire/checksum.hpp>
#include <weft/net/wire/ipv4.hpp>

namespace weft::net::wire {

parsed<udp_header, udp_error> parse_udp(bytes_view datagram) noexcept {
    if (datagram.size() < udp_header_bytes) {
        return udp_error::too_short;
    }
    const std::byte* at = datagram.data();
    const udp_header header{load_be16(at), load_be16(at + 2), load_be16(at + 4), load_be16(at + 6)};
    if (header.length < udp_header_bytes || header.length > datagram.size()) {
        return udp_error::bad_length;
    }
    return header;
}

bool verify_udp_checksum(const ip_address& source, const ip_address& destination,
                         bytes_view datagram) noexcept {
    const std::uint16_t length = load_be16(datagram.data() + 4);
    if (load_be16(datagram.data() + 6) == 0) {
        return source.is_v4();  // IPv6 has no header checksum, so it demands this one
    }
    return checksum_is_valid(checksum_partial(
        datagram.first(length), pseudo_header_sum(source, destination, ip_protocol::udp, length)));
}

std::size_t emit_udp(const ip_address& source, const ip_address& destination,
                     std::uint16_t source_port, std::uint16_t destination_port,
                     std::uint64_t payload_sum, std::size_t payload_bytes,
                     std::byte* out) noexcept {
    const auto length = static_cast<std::uint16_t>(udp_header_bytes + payload_bytes);
    store_be16(out, source_port);
    store_be16(out + 2, destination_port);
    store_be16(out + 4, length);
    store_be16(out + 6, 0);
    const std::uint64_t sum = checksum_add(
        payload_sum,
        checksum_partial({out, udp_header_bytes},
                         pseudo_header_sum(source, destination, ip_protocol::udp, length)));
    const std::uint16_t checksum = checksum_finish(sum);
    store_be16(out + 6, checksum == 0 ? 0xffffU : checksum);
    return udp_header_bytes;
}

}  // namespace weft::net::wire
