#include <weft/net/wire/tcp.hpp>

#include <weft/net/wire/ipv4.hpp>

#include <algorithm>

namespace weft::net::wire {
namespace {

/// Reads one option that has a length byte. False: its length is not what its RFC gives.
bool read_option(std::uint8_t kind, bytes_view value, tcp_options& into) noexcept {
    const std::byte* at = value.data();
    switch (kind) {
        case tcp_option_kind::mss:
            if (value.size() != 2) {
                return false;
            }
            into.set_mss(load_be16(at));
            return true;
        case tcp_option_kind::window_scale:
            if (value.size() != 1) {
                return false;
            }
            into.set_window_scale(load_u8(at));
            return true;
        case tcp_option_kind::sack_permitted:
            if (!value.empty()) {
                return false;
            }
            into.set_sack_permitted();
            return true;
        case tcp_option_kind::sack:
            if (value.empty() || value.size() % 8 != 0) {
                return false;
            }
            into.clear_sack_blocks();  // of an option given twice the last one counts
            for (; !value.empty(); value = value.subspan(8)) {
                into.add_sack_block({load_be32(value.data()), load_be32(value.data() + 4)});
            }
            return true;
        case tcp_option_kind::timestamps:
            if (value.size() != 8) {
                return false;
            }
            into.set_timestamps({load_be32(at), load_be32(at + 4)});
            return true;
        case tcp_option_kind::fast_open:
            // "Options with invalid Length values [...] MUST be ignored" (RFC 7413 §4.1.1).
            if (tcp_fast_open_cookie::is_length(value.size())) {
                into.set_fast_open(tcp_fast_open_cookie{value});
            }
            return true;
        default: return true;  // unknown: skipped by its length (RFC 9293 MUST-6)
    }
}

/// RFC 9293 §3.2. False: an illegal length (MUST-7).
bool read_options(bytes_view list, tcp_options& into) noexcept {
    while (!list.empty()) {
        const std::uint8_t kind = load_u8(list.data());
        if (kind == tcp_option_kind::end_of_list) {
            return true;  // what follows is padding
        }
        if (kind == tcp_option_kind::no_operation) {
            list = list.subspan(1);
            continue;
        }
        if (list.size() < 2) {
            return false;
        }
        const std::size_t length = load_u8(list.data() + 1);
        if (length < 2 || length > list.size()) {
            return false;
        }
        if (!read_option(kind, list.subspan(2, length - 2), into)) {
            return false;
        }
        list = list.subspan(length);
    }
    return true;
}

/// The layout that nearly every segment has (RFC 7323 appendix A): read in one look.
bool read_only_timestamps(bytes_view list, tcp_options& into) noexcept {
    if (list.size() != 12 || load_be32(list.data()) != 0x0101'080aU) {
        return false;
    }
    into.set_timestamps({load_be32(list.data() + 4), load_be32(list.data() + 8)});
    return true;
}

std::byte* emit_timestamps(tcp_timestamps timestamps, std::byte* at) noexcept {
    store_u8(at, tcp_option_kind::timestamps);
    store_u8(at + 1, 10);
    store_be32(at + 2, timestamps.value);
    store_be32(at + 6, timestamps.echo);
    return at + 10;
}

std::byte* emit_two_no_operations(std::byte* at) noexcept {
    store_u8(at, tcp_option_kind::no_operation);
    store_u8(at + 1, tcp_option_kind::no_operation);
    return at + 2;
}

/// Behind everything else, and padded behind itself, as other stacks have it.
std::byte* emit_fast_open(const tcp_fast_open_cookie& cookie, std::byte* at) noexcept {
    const std::size_t bytes = 2 + cookie.bytes().size();
    store_u8(at, tcp_option_kind::fast_open);
    store_u8(at + 1, static_cast<unsigned>(bytes));
    at = std::ranges::copy(cookie.bytes(), at + 2).out;
    return bytes % 4 == 0 ? at : emit_two_no_operations(at);
}

/// Every option ends on a multiple of 4; all but the last are padded by NOPs in front.
std::byte* emit_options(const tcp_options& options, std::byte* at) noexcept {
    if (options.has_mss()) {
        store_u8(at, tcp_option_kind::mss);
        store_u8(at + 1, 4);
        store_be16(at + 2, options.mss());
        at += 4;
    }
    if (options.has_sack_permitted()) {
        // In front of timestamps its two bytes take the place of the NOPs.
        at = options.has_timestamps() ? at : emit_two_no_operations(at);
        store_u8(at, tcp_option_kind::sack_permitted);
        store_u8(at + 1, 2);
        at += 2;
    }
    if (options.has_timestamps()) {
        at = options.has_sack_permitted() ? at : emit_two_no_operations(at);
        at = emit_timestamps(options.timestamps(), at);
    }
    if (options.has_window_scale()) {
        store_u8(at, tcp_option_kind::no_operation);
        store_u8(at + 1, tcp_option_kind::window_scale);
        store_u8(at + 2, 3);
        store_u8(at + 3, options.window_scale());
        at += 4;
    }
    if (const std::size_t blocks = options.fitting_sack_blocks(); blocks != 0) {
        at = emit_two_no_operations(at);
        store_u8(at, tcp_option_kind::sack);
        store_u8(at + 1, static_cast<unsigned>(2 + 8 * blocks));
        at += 2;
        for (const sack_block& block : options.sack_blocks().first(blocks)) {
            store_be32(at, block.left);
            store_be32(at + 4, block.right);
            at += 8;
        }
    }
    if (options.has_fast_open()) at = emit_fast_open(options.fast_open(), at);
    return at;
}

}  // namespace

parsed<tcp_segment_header, tcp_error> parse_tcp(bytes_view segment) noexcept {
    if (segment.size() < tcp_header_bytes) {
        return tcp_error::too_short;
    }
    const std::byte* at = segment.data();
    const std::size_t data_offset = std::size_t{load_u8(at + 12)} / 16 * 4;
    if (data_offset < tcp_header_bytes || data_offset > segment.size()) {
        return tcp_error::bad_data_offset;
    }
    tcp_segment_header result;
    result.header = {
        load_be16(at),      load_be16(at + 2),           load_be32(at + 4),
        load_be32(at + 8),  tcp_flags{load_u8(at + 13)}, static_cast<std::uint8_t>(data_offset),
        load_be16(at + 14), load_be16(at + 18)};
    const bytes_view options = segment.subspan(tcp_header_bytes, data_offset - tcp_header_bytes);
    if (read_only_timestamps(options, result.options)) {
        return result;
    }
    if (!read_options(options, result.options)) {
        return tcp_error::bad_option_length;
    }
    // "[...] or without the SYN flag set MUST be ignored" (RFC 7413 §4.1.1).
    if (!result.header.flags.has(tcp_flags::syn)) {
        result.options.clear_fast_open();
    }
    return result;
}

bool verify_tcp_checksum(const ip_address& source, const ip_address& destination,
                         bytes_view segment) noexcept {
    const std::uint64_t pseudo = pseudo_header_sum(source, destination, ip_protocol::tcp,
                                                   static_cast<std::uint32_t>(segment.size()));
    return checksum_is_valid(checksum_partial(segment, pseudo));
}

std::size_t emit_tcp(const tcp_header& header, const tcp_options& options,
                     std::byte* out) noexcept {
    store_be16(out, header.source_port);
    store_be16(out + 2, header.destination_port);
    store_be32(out + 4, header.sequence);
    store_be32(out + 8, header.acknowledgment);
    store_u8(out + 13, header.flags.bits);
    store_be16(out + 14, header.window);
    store_be16(out + 16, 0);
    store_be16(out + 18, header.urgent_pointer);
    const std::byte* const end = emit_options(options, out + tcp_header_bytes);
    const auto size = static_cast<std::size_t>(end - out);
    store_u8(out + 12, static_cast<unsigned>(size / 4 * 16));
    return size;
}

void fill_tcp_checksum(const ip_address& source, const ip_address& destination,
                       std::span<std::byte> header, std::uint64_t payload_sum,
                       std::size_t payload_bytes) noexcept {
    store_be16(header.data() + tcp_checksum_offset, 0);
    const std::uint64_t pseudo =
        pseudo_header_sum(source, destination, ip_protocol::tcp,
                          static_cast<std::uint32_t>(header.size() + payload_bytes));
    const std::uint64_t sum = checksum_add(checksum_partial(header, pseudo), payload_sum);
    store_be16(header.data() + tcp_checksum_offset, checksum_finish(sum));
}

void fill_tcp_partial_checksum(const ip_address& source, const ip_address& destination,
                               std::span<std::byte> header, std::size_t payload_bytes) noexcept {
    const std::uint64_t pseudo =
        pseudo_header_sum(source, destination, ip_protocol::tcp,
                          static_cast<std::uint32_t>(header.size() + payload_bytes));
    store_be16(header.data() + tcp_checksum_offset, checksum_fold(pseudo));
}

}  // namespace weft::net::wire
