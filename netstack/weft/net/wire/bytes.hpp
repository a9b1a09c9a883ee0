// Reading and writing big-endian integers and addresses in raw bytes.
//
// The lowest step of wire/: no bounds checks here, a parser checks a length once and then reads at
// offsets it has proved. Shifts and not casts, so alignment and the host's byte order do not
// matter; compilers turn each into one load and one byte swap.
#pragma once

#include <weft/net/address.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace weft::net::wire {

using bytes_view = std::span<const std::byte>;

[[nodiscard]] constexpr std::uint8_t load_u8(const std::byte* from) noexcept {
    return std::to_integer<std::uint8_t>(*from);
}
[[nodiscard]] constexpr std::uint16_t load_be16(const std::byte* from) noexcept {
    return static_cast<std::uint16_t>(std::to_integer<unsigned>(from[0]) << 8 |
                                      std::to_integer<unsigned>(from[1]));
}
[[nodiscard]] constexpr std::uint32_t load_be32(const std::byte* from) noexcept {
    return std::to_integer<std::uint32_t>(from[0]) << 24 |
           std::to_integer<std::uint32_t>(from[1]) << 16 |
           std::to_integer<std::uint32_t>(from[2]) << 8 | std::to_integer<std::uint32_t>(from[3]);
}

constexpr void store_u8(std::byte* to, unsigned value) noexcept {
    *to = static_cast<std::byte>(value & 0xffU);
}
constexpr void store_be16(std::byte* to, unsigned value) noexcept {
    to[0] = static_cast<std::byte>((value >> 8) & 0xffU);
    to[1] = static_cast<std::byte>(value & 0xffU);
}
constexpr void store_be32(std::byte* to, std::uint32_t value) noexcept {
    to[0] = static_cast<std::byte>(value >> 24);
    to[1] = static_cast<std::byte>((value >> 16) & 0xffU);
    to[2] = static_cast<std::byte>((value >> 8) & 0xffU);
    to[3] = static_cast<std::byte>(value & 0xffU);
}

[[nodiscard]] inline mac_address load_mac(const std::byte* from) noexcept {
    std::array<std::uint8_t, 6> bytes;
    std::memcpy(bytes.data(), from, bytes.size());
    return mac_address{bytes};
}
inline void store_mac(std::byte* to, const mac_address& mac) noexcept {
    std::memcpy(to, mac.bytes().data(), mac.bytes().size());
}
[[nodiscard]] constexpr ipv4_address load_ipv4(const std::byte* from) noexcept {
    return ipv4_address{load_be32(from)};
}
constexpr void store_ipv4(std::byte* to, ipv4_address address) noexcept {
    store_be32(to, address.value());
}

}  // namespace weft::net::wire
