// Reassembly of IPv4 datagrams (RFC 791 §3.2, RFC 1122 §3.3.2), within bounds.
//
// Fragments are kept as they came, so what they are charged is what they brought. A fragment that
// overlaps another drops the whole datagram, and its later fragments too (RFC 5722 §3, which
// RFC 8200 §4.5 keeps; the danger is the same over IPv4); an exact duplicate is ignored. When room
// runs out the oldest datagram gives way, so a flood of fragments cannot lock reassembly for the
// whole timeout. Memory is held only while fragments are. Called by the stack; knows no frames.
#pragma once

#include <weft/base/instant.hpp>
#include <weft/net/counters.hpp>
#include <weft/net/wire/ipv4.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

namespace weft::net::ip {

struct fragment_limits {
    std::size_t max_datagrams = 16;
    std::size_t max_bytes = 256 * 1024;           ///< of payloads kept, all datagrams together
    std::size_t max_fragments = 160;              ///< of one datagram: 64 KiB at MTU 576 needs 119
    duration timeout = std::chrono::seconds{60};  ///< RFC 1122 §3.3.2 asks for 60 to 120 s
};

/// A completed datagram: the first fragment's header with the whole's length, and the payload.
struct reassembled_datagram {
    wire::ipv4_header header;
    std::vector<std::byte> payload;
};

/// A datagram given up whose first fragment we hold: what an ICMP time exceeded (code 1) quotes.
struct expired_datagram {
    wire::ipv4_header header;
    std::array<std::byte, 8> first_bytes{};
};

class fragment_store {
public:
    explicit fragment_store(stack_counters& counters, fragment_limits limits = {});
    ~fragment_store();
    fragment_store(const fragment_store&) = delete;
    fragment_store& operator=(const fragment_store&) = delete;

    /// Takes in a fragment (header.is_fragment()) with its payload, copied if kept; returns the
    /// datagram that it completes.
    [[nodiscard]] std::optional<reassembled_datagram> on_fragment(const wire::ipv4_header& header,
                                                                  wire::bytes_view payload,
                                                                  instant now);

    [[nodiscard]] instant next_timeout() const noexcept;
    /// Drops what is overdue. Call until it returns nothing; each result deserves an ICMP error.
    [[nodiscard]] std::optional<expired_datagram> poll_expired(instant now);

    [[nodiscard]] std::size_t datagrams() const noexcept { return pending_.size(); }
    [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }

private:
    struct datagram;
    enum class fit : std::uint8_t { fits, duplicate, overlaps };

    [[nodiscard]] std::size_t find(const wire::ipv4_header& header) const noexcept;
    [[nodiscard]] static fit fit_of(const datagram& into, std::size_t begin, std::size_t end);
    [[nodiscard]] bool add(datagram& into, const wire::ipv4_header& header,
                           wire::bytes_view payload);
    [[nodiscard]] bool make_room(std::size_t wanted_bytes, const datagram& keep);
    bool give_up_oldest(const datagram* keep);
    void discard(std::size_t index);
    void poison(datagram& bad, std::uint64_t& reason);
    [[nodiscard]] std::optional<reassembled_datagram> complete(std::size_t index);

    stack_counters& counters_;
    fragment_limits limits_;
    std::vector<std::unique_ptr<datagram>> pending_;  ///< oldest first
    std::size_t bytes_ = 0;
};

}  // namespace weft::net::ip
