#include <weft/net/ip/fragmenter.hpp>

#include <algorithm>
#include <cassert>

namespace weft::net::ip {

fragmenter::fragmenter(const wire::ipv4_header& whole, wire::bytes_view payload,
                       std::size_t mtu) noexcept
    : header_{whole},
      payload_{payload},
      step_bytes_{payload.size() + wire::ipv4_header_bytes <= mtu
                      ? payload.size()
                      : (mtu - wire::ipv4_header_bytes) / 8 * 8} {
    assert(mtu >= 68 && payload.size() + wire::ipv4_header_bytes <= 0xffff);
    assert(!whole.dont_fragment || step_bytes_ == payload.size());
    header_.header_bytes = wire::ipv4_header_bytes;
}

std::optional<fragment> fragmenter::next() noexcept {
    if (finished_) {
        return std::nullopt;
    }
    const std::size_t size = std::min(step_bytes_, payload_.size() - offset_);
    fragment piece{header_, payload_.subspan(offset_, size)};
    finished_ = offset_ + size == payload_.size();
    piece.header.total_bytes = static_cast<std::uint16_t>(wire::ipv4_header_bytes + size);
    piece.header.fragment_offset_bytes = static_cast<std::uint16_t>(offset_);
    piece.header.more_fragments = !finished_;
    offset_ += size;
    return piece;
}

std::size_t fragmenter::remaining() const noexcept {
    if (finished_) {
        return 0;
    }
    const std::size_t left = payload_.size() - offset_;
    return left == 0 ? 1 : (left + step_bytes_ - 1) / step_bytes_;
}

}  // namespace weft::net::ip
