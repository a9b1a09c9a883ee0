#pragma once
// What our acknowledgments say of text behind a gap, and of text that came twice (RFC 2018 §4,
// RFC 2883 §4).
//
// The text itself is the receive buffer's; here is only the order in which the peer hears of it:
// the block that the last segment belongs to comes first, then those reported before. Attached to a
// connection while there is something to report.

#include <weft/net/tcp/receive_buffer.hpp>
#include <weft/net/tcp/sequence_number.hpp>
#include <weft/net/wire/tcp_options.hpp>

#include <array>
#include <cstddef>
#include <cstdint>

namespace weft::net::tcp {

class sack_reporter {
public:
    /// Text from `at` on was kept behind a gap.
    void on_held(sequence_number at) noexcept;
    /// [begin, end) had been received before; reported once. Of several the first is (RFC 2883 §4).
    void on_duplicate(sequence_number begin, sequence_number end) noexcept {
        if (!has_duplicate()) duplicate_ = {begin.value(), end.value()};
    }
    /// Adds at most `most` blocks. What is not held any more is forgotten.
    void report(wire::tcp_options& into, const receive_buffer& held, std::size_t most) noexcept;
    /// The report has left.
    void on_sent() noexcept { duplicate_ = {}; }

    /// Nothing to report while `held` has no gap.
    [[nodiscard]] bool has_duplicate() const noexcept {
        return duplicate_.left != duplicate_.right;
    }

private:
    /// A number within each block, the newest first.
    std::array<sequence_number, wire::tcp_max_sack_blocks> recent_{};
    std::size_t count_ = 0;
    wire::sack_block duplicate_;
};

}  // namespace weft::net::tcp
