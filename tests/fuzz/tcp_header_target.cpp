// The TCP header and its options: parse, emit, parse again gives the same value, but for SACK
// blocks that no longer fit beside the other options.

#include "input.hpp"

#include <weft/net/wire/tcp.hpp>

#include <algorithm>
#include <array>
#include <vector>

using namespace weft::fuzz;
using namespace weft::net;
using namespace weft::net::wire;

namespace {

void check_again(const tcp_segment_header& first, bytes_view text) {
    const ip_address from = ipv4_address{10, 0, 0, 1};
    const ip_address to = ipv4_address{10, 0, 0, 2};
    std::array<std::byte, tcp_max_header_bytes> out{};
    const std::size_t size = emit_tcp(first.header, first.options, out.data());
    require(size <= out.size() && size % 4 == 0, "a header has 20 to 60 bytes, in words");
    require(size == tcp_header_bytes + first.options.encoded_bytes(), "its size is known before");
    fill_tcp_checksum(from, to, std::span{out}.first(size), checksum_partial(text), text.size());

    std::vector<std::byte> segment{out.begin(), out.begin() + static_cast<std::ptrdiff_t>(size)};
    segment.insert(segment.end(), text.begin(), text.end());
    require(verify_tcp_checksum(from, to, segment), "an emitted segment's sum is right");
    const auto second = parse_tcp(segment);
    require(second.has_value(), "an emitted segment is read");
    tcp_header expected = first.header;
    expected.data_offset_bytes = static_cast<std::uint8_t>(size);
    require(second->header == expected, "a header survives emitting");

    tcp_options kept = first.options;
    kept.clear_sack_blocks();
    for (const sack_block& b :
         first.options.sack_blocks().first(first.options.fitting_sack_blocks())) {
        kept.add_sack_block(b);
    }
    require(second->options == kept, "options survive emitting");

    if (!segment.empty()) {  // one bit
        segment[segment.size() / 2] ^= std::byte{1};
        require(!verify_tcp_checksum(from, to, segment), "a flipped bit is seen");
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    input in{data, size};
    const bytes_view bytes = in.rest();
    if (const auto parsed = parse_tcp(bytes)) {
        require(parsed->header.data_offset_bytes <= bytes.size(), "the text begins inside");
        require(parsed->options.fitting_sack_blocks() <= tcp_max_sack_blocks,
                "at most four blocks");
        check_again(*parsed, bytes.subspan(parsed->header.data_offset_bytes));
    }
    return 0;
}
