#pragma once
// A middlebox that rewrites sequence numbers, as firewalls do that "randomise" them: each direction
// of each connection is shifted by an amount of its own, drawn from a seed and the endpoints.
//
// It keeps no state. Acknowledgments and what ICMP errors quote are shifted back; SACK blocks too,
// unless it is one of the broken ones that know no SACK (RFC 2018 receivers of such blocks must not
// believe them).

#include <weft/net/io/middlebox.hpp>

#include <cstdint>

namespace weft::sim {

class sequence_shifter final : public net::middlebox {
public:
    enum class sack : std::uint8_t { rewritten, left_alone };

    explicit sequence_shifter(std::uint64_t seed, sack blocks = sack::rewritten) noexcept
        : seed_{seed}, blocks_{blocks} {}

    void on_frame(net::wire_frame frame, direction way, instant now,
                  net::wire_frames& out) override;

    /// SACK blocks that went by with the numbers of the other side of the box.
    [[nodiscard]] std::uint64_t broken_blocks() const noexcept { return broken_blocks_; }

private:
    struct flow {
        net::ipv4_address source;
        net::ipv4_address destination;
        std::uint16_t source_port;
        std::uint16_t destination_port;

        [[nodiscard]] flow reversed() const noexcept {
            return {destination, source, destination_port, source_port};
        }
    };

    [[nodiscard]] std::uint32_t shift_of(const flow& of) const noexcept;
    void edit_segment(const net::segment_editor& segment) noexcept;
    void edit_sack(const net::segment_editor& segment, std::uint32_t shift) noexcept;
    /// An ICMP error that quotes a segment goes to that segment's sender.
    void edit_quote(const net::packet_editor& packet) const noexcept;

    std::uint64_t seed_;
    sack blocks_;
    std::uint64_t broken_blocks_ = 0;
};

}  // namespace weft::sim
