#pragma once
// Addresses as the stack uses them: those of <weft/base/address.hpp>, by their names in weft::net,
// and the Ethernet address, which only a stack of its own needs.

#include <weft/base/address.hpp>

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weft::net {

using weft::endpoint;
using weft::hash_of;
using weft::ip_address;
using weft::ip_prefix;
using weft::ipv4_address;
using weft::ipv6_address;

/// A 48-bit Ethernet address.
class mac_address {
public:
    constexpr mac_address() noexcept = default;
    constexpr explicit mac_address(std::array<std::uint8_t, 6> bytes) noexcept : bytes_{bytes} {}

    /// Six hexadecimal bytes of two digits, separated by `:` or by `-`.
    [[nodiscard]] static std::optional<mac_address> parse(std::string_view text);
    [[nodiscard]] static constexpr mac_address broadcast() noexcept {
        return mac_address{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
    }

    [[nodiscard]] constexpr const std::array<std::uint8_t, 6>& bytes() const noexcept {
        return bytes_;
    }
    [[nodiscard]] constexpr bool is_broadcast() const noexcept { return *this == broadcast(); }
    /// The group bit; the broadcast address has it too.
    [[nodiscard]] constexpr bool is_multicast() const noexcept { return (bytes_[0] & 1U) != 0; }
    [[nodiscard]] constexpr bool is_unspecified() const noexcept { return *this == mac_address{}; }
    [[nodiscard]] std::string to_string() const;

    friend constexpr auto operator<=>(const mac_address&, const mac_address&) noexcept = default;

private:
    std::array<std::uint8_t, 6> bytes_{};
};

}  // namespace weft::net
