// Cuts a datagram that is larger than the MTU into fragments (RFC 791 §3.2).
//
// Only for replies that have to be as large as what they answer, such as a large ping: TCP keeps
// its segments below the path's MTU and sets DF. A value that yields one fragment after the other;
// it copies nothing.
#pragma once

#include <weft/net/wire/ipv4.hpp>

#include <optional>

namespace weft::net::ip {

struct fragment {
    wire::ipv4_header header;
    wire::bytes_view payload;
};

class fragmenter {
public:
    /// `whole.total_bytes` is not looked at. Preconditions: mtu >= 68 (RFC 791), the payload is at
    /// most 65515 bytes; whole.dont_fragment is false if it does not fit. The view must outlive
    /// this.
    fragmenter(const wire::ipv4_header& whole, wire::bytes_view payload, std::size_t mtu) noexcept;

    /// The next fragment, in order; an unfragmented packet if all fits.
    [[nodiscard]] std::optional<fragment> next() noexcept;
    /// How many next() will still give.
    [[nodiscard]] std::size_t remaining() const noexcept;

private:
    wire::ipv4_header header_;
    wire::bytes_view payload_;
    std::size_t step_bytes_;  ///< payload of every fragment but the last
    std::size_t offset_ = 0;
    bool finished_ = false;
};

}  // namespace weft::net::ip
