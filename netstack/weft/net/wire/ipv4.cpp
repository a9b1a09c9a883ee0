#include <weft/net/wire/ipv4.hpp>

#include <weft/net/wire/checksum.hpp>

namespace weft::net::wire {
namespace {

constexpr unsigned dont_fragment_bit = 0x4000;
constexpr unsigned more_fragments_bit = 0x2000;
constexpr unsigned offset_mask = 0x1fff;

/// Walks the option list by its lengths (RFC 791 §3.1); kinds 0 and 1 have none.
bool options_are_well_formed(bytes_view options) noexcept {
    while (!options.empty()) {
        const std::uint8_t kind = load_u8(options.data());
        if (kind == 0) {
            return true;  // end of list
        }
        std::size_t length = 1;
        if (kind != 1) {
            if (options.size() < 2) {
                return false;
            }
            length = load_u8(options.data() + 1);
            if (length < 2 || length > options.size()) {
                return false;
            }
        }
        options = options.subspan(length);
    }
    return true;
}

/// Reads the fields. Precondition: 20 bytes.
ipv4_header read_fields(const std::byte* at) noexcept {
    const unsigned fragment = load_be16(at + 6);
    ipv4_header header;
    header.source = load_ipv4(at + 12);
    header.destination = load_ipv4(at + 16);
    header.protocol = load_u8(at + 9);
    header.ttl = load_u8(at + 8);
    header.traffic_class = load_u8(at + 1);
    header.header_bytes = static_cast<std::uint8_t>((load_u8(at) & 0xfU) * 4);
    header.total_bytes = load_be16(at + 2);
    header.identification = load_be16(at + 4);
    header.fragment_offset_bytes = static_cast<std::uint16_t>((fragment & offset_mask) * 8);
    header.dont_fragment = (fragment & dont_fragment_bit) != 0;
    header.more_fragments = (fragment & more_fragments_bit) != 0;
    return header;
}

/// What packets and quotations have in common.
parsed<ipv4_header, ipv4_error> parse_fields(bytes_view packet) noexcept {
    if (packet.size() < ipv4_header_bytes) {
        return ipv4_error::too_short;
    }
    if (load_u8(packet.data()) >> 4 != 4) {
        return ipv4_error::bad_version;
    }
    const ipv4_header header = read_fields(packet.data());
    if (header.header_bytes < ipv4_header_bytes || header.header_bytes > packet.size()) {
        return ipv4_error::bad_header_length;
    }
    return header;
}

}  // namespace

parsed<ipv4_header, ipv4_error> parse_ipv4(bytes_view packet) noexcept {
    const auto header = parse_fields(packet);
    if (!header) {
        return header;
    }
    if (header->total_bytes < header->header_bytes || header->total_bytes > packet.size()) {
        return ipv4_error::bad_total_length;
    }
    const bytes_view header_view = packet.first(header->header_bytes);
    if (!checksum_is_valid(checksum_partial(header_view))) {
        return ipv4_error::bad_checksum;
    }
    if (header->header_bytes > ipv4_header_bytes &&
        !options_are_well_formed(header_view.subspan(ipv4_header_bytes))) {
        return ipv4_error::bad_options;
    }
    return header;
}

parsed<ipv4_header, ipv4_error> parse_quoted_ipv4(bytes_view quoted) noexcept {
    return parse_fields(quoted);
}

std::size_t emit_ipv4(const ipv4_header& header, std::byte* out) noexcept {
    const unsigned fragment = (header.dont_fragment ? dont_fragment_bit : 0U) |
                              (header.more_fragments ? more_fragments_bit : 0U) |
                              header.fragment_offset_bytes / 8U;
    store_u8(out, 0x45);
    store_u8(out + 1, header.traffic_class);
    store_be16(out + 2, header.total_bytes);
    store_be16(out + 4, header.identification);
    store_be16(out + 6, fragment);
    store_u8(out + 8, header.ttl);
    store_u8(out + 9, header.protocol);
    store_be16(out + 10, 0);
    store_ipv4(out + 12, header.source);
    store_ipv4(out + 16, header.destination);
    store_be16(out + 10, checksum_finish(checksum_partial({out, ipv4_header_bytes})));
    return ipv4_header_bytes;
}

}  // namespace weft::net::wire
