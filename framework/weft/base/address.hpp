#pragma once
// Addresses as values: IPv4, IPv6, an IP address of either family, a prefix, an endpoint.
//
// All are trivially copyable, constexpr and totally ordered; none allocates but in to_string(). An
// ip_address is 16 bytes and compares as two words: an IPv4 address is held in its IPv4-mapped form
// (RFC 4291 §2.5.5.2), which never appears on a wire, so one comparison serves both families.
// Parsing is strict: RFC 4291 §2.2 text for IPv6 and four plain decimal bytes for IPv4 (no octal,
// no short forms); IPv6 is printed as RFC 5952 asks. Programs use them on every network, the
// protocol stack in every layer (as weft::net::ip_address and so on).

#include <algorithm>
#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weft {

/// An IPv4 address; `value()` is in host order.
class ipv4_address {
public:
    constexpr ipv4_address() noexcept = default;
    constexpr explicit ipv4_address(std::uint32_t value) noexcept : value_{value} {}
    constexpr ipv4_address(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d) noexcept
        : value_{std::uint32_t{a} << 24 | std::uint32_t{b} << 16 | std::uint32_t{c} << 8 | d} {}

    [[nodiscard]] static std::optional<ipv4_address> parse(std::string_view text);
    /// 255.255.255.255, the broadcast of the link (RFC 1122 §3.2.1.3 c).
    [[nodiscard]] static constexpr ipv4_address broadcast() noexcept {
        return ipv4_address{0xffff'ffffU};
    }

    [[nodiscard]] constexpr std::uint32_t value() const noexcept { return value_; }
    [[nodiscard]] constexpr std::array<std::uint8_t, 4> bytes() const noexcept {
        return {static_cast<std::uint8_t>(value_ >> 24), static_cast<std::uint8_t>(value_ >> 16),
                static_cast<std::uint8_t>(value_ >> 8), static_cast<std::uint8_t>(value_)};
    }
    [[nodiscard]] constexpr bool is_unspecified() const noexcept { return value_ == 0; }
    [[nodiscard]] constexpr bool is_loopback() const noexcept { return value_ >> 24 == 127; }
    [[nodiscard]] constexpr bool is_multicast() const noexcept { return value_ >> 28 == 0xe; }
    [[nodiscard]] constexpr bool is_broadcast() const noexcept { return *this == broadcast(); }
    [[nodiscard]] constexpr bool is_link_local() const noexcept { return value_ >> 16 == 0xa9fe; }
    /// True for what may name one host: not 0/8, 127/8, multicast, class E or broadcast.
    [[nodiscard]] constexpr bool is_unicast() const noexcept {
        return value_ >> 24 != 0 && !is_loopback() && value_ >> 28 < 0xe;
    }
    [[nodiscard]] std::string to_string() const;

    friend constexpr auto operator<=>(const ipv4_address&, const ipv4_address&) noexcept = default;

private:
    std::uint32_t value_ = 0;
};

/// An IPv6 address, as two words in host order.
class ipv6_address {
public:
    constexpr ipv6_address() noexcept = default;
    constexpr ipv6_address(std::uint64_t high, std::uint64_t low) noexcept
        : high_{high}, low_{low} {}
    constexpr explicit ipv6_address(const std::array<std::uint8_t, 16>& bytes) noexcept {
        for (std::size_t i = 0; i < 8; ++i) {
            high_ = high_ << 8 | bytes[i];
            low_ = low_ << 8 | bytes[i + 8];
        }
    }

    [[nodiscard]] static std::optional<ipv6_address> parse(std::string_view text);

    [[nodiscard]] constexpr std::uint64_t high() const noexcept { return high_; }
    [[nodiscard]] constexpr std::uint64_t low() const noexcept { return low_; }
    [[nodiscard]] constexpr std::array<std::uint8_t, 16> bytes() const noexcept {
        std::array<std::uint8_t, 16> out{};
        for (std::size_t i = 0; i < 8; ++i) {
            out[i] = static_cast<std::uint8_t>(high_ >> (56 - 8 * i));
            out[i + 8] = static_cast<std::uint8_t>(low_ >> (56 - 8 * i));
        }
        return out;
    }
    [[nodiscard]] constexpr bool is_unspecified() const noexcept { return (high_ | low_) == 0; }
    [[nodiscard]] constexpr bool is_loopback() const noexcept { return high_ == 0 && low_ == 1; }
    [[nodiscard]] constexpr bool is_multicast() const noexcept { return high_ >> 56 == 0xff; }
    /// fe80::/10.
    [[nodiscard]] constexpr bool is_link_local() const noexcept { return high_ >> 54 == 0x3fa; }
    /// ::ffff:0:0/96.
    [[nodiscard]] constexpr bool is_ipv4_mapped() const noexcept {
        return high_ == 0 && low_ >> 32 == 0xffff;
    }
    [[nodiscard]] std::string to_string() const;

    friend constexpr auto operator<=>(const ipv6_address&, const ipv6_address&) noexcept = default;

private:
    std::uint64_t high_ = 0;
    std::uint64_t low_ = 0;
};

/// An address of either family. Default: `::`. An IPv4-mapped IPv6 address *is* the IPv4 address.
class ip_address {
public:
    constexpr ip_address() noexcept = default;
    constexpr ip_address(ipv4_address address) noexcept  // NOLINT(google-explicit-constructor)
        : bits_{0, std::uint64_t{0xffff} << 32 | address.value()} {}
    constexpr ip_address(
        const ipv6_address& address) noexcept  // NOLINT(google-explicit-constructor)
        : bits_{address} {}

    [[nodiscard]] static std::optional<ip_address> parse(std::string_view text);

    [[nodiscard]] constexpr bool is_v4() const noexcept { return bits_.is_ipv4_mapped(); }
    [[nodiscard]] constexpr bool is_v6() const noexcept { return !is_v4(); }
    /// Precondition: is_v4().
    [[nodiscard]] constexpr ipv4_address v4() const noexcept {
        return ipv4_address{static_cast<std::uint32_t>(bits_.low())};
    }
    /// The 128 bits of either family.
    [[nodiscard]] constexpr const ipv6_address& v6() const noexcept { return bits_; }

    [[nodiscard]] constexpr bool is_unspecified() const noexcept {
        return is_v4() ? v4().is_unspecified() : bits_.is_unspecified();
    }
    [[nodiscard]] constexpr bool is_loopback() const noexcept {
        return is_v4() ? v4().is_loopback() : bits_.is_loopback();
    }
    [[nodiscard]] constexpr bool is_multicast() const noexcept {
        return is_v4() ? v4().is_multicast() : bits_.is_multicast();
    }
    /// 255.255.255.255 only; a directed broadcast needs a prefix: see ip_prefix::broadcast().
    [[nodiscard]] constexpr bool is_broadcast() const noexcept {
        return is_v4() && v4().is_broadcast();
    }
    [[nodiscard]] std::string to_string() const;

    friend constexpr auto operator<=>(const ip_address&, const ip_address&) noexcept = default;

private:
    ipv6_address bits_;
};

/// A mixing hash of an address, unkeyed: for tables whose size a peer does not control.
[[nodiscard]] constexpr std::uint64_t hash_of(const ip_address& address) noexcept {
    std::uint64_t h = (address.v6().high() ^ (address.v6().low() * 0x9e37'79b9'7f4a'7c15ULL));
    h = (h ^ (h >> 32)) * 0xd6e8'feb8'6659'fd93ULL;
    return h ^ (h >> 32);
}

/// An address with the length of its network's prefix, as `10.0.0.2/24`. The host bits are kept: a
/// prefix serves both as an interface's address and as a route's destination.
class ip_prefix {
public:
    constexpr ip_prefix() noexcept = default;
    /// A length beyond the family's (32 or 128) is cut to it.
    constexpr ip_prefix(ip_address address, unsigned length) noexcept
        : address_{address},
          length_{static_cast<std::uint8_t>(std::min(length, address.is_v4() ? 32U : 128U))} {}

    /// An address, `/`, a length; without the length it is one host.
    [[nodiscard]] static std::optional<ip_prefix> parse(std::string_view text);

    [[nodiscard]] constexpr const ip_address& address() const noexcept { return address_; }
    [[nodiscard]] constexpr unsigned length() const noexcept { return length_; }
    /// The address with its host bits cleared.
    [[nodiscard]] constexpr ip_address network() const noexcept {
        return ipv6_address{address_.v6().high() & high_mask(), address_.v6().low() & low_mask()};
    }
    [[nodiscard]] constexpr bool contains(const ip_address& other) const noexcept {
        const ipv6_address& a = address_.v6();
        const ipv6_address& b = other.v6();
        return address_.is_v4() == other.is_v4() && ((a.high() ^ b.high()) & high_mask()) == 0 &&
               ((a.low() ^ b.low()) & low_mask()) == 0;
    }
    /// The directed broadcast. IPv6, /31 (RFC 3021) and /32 have none.
    [[nodiscard]] constexpr std::optional<ipv4_address> broadcast() const noexcept {
        if (!address_.is_v4() || length_ > 30) {
            return std::nullopt;
        }
        return ipv4_address{address_.v4().value() | (0xffff'ffffU >> length_)};
    }
    [[nodiscard]] std::string to_string() const;

    friend constexpr auto operator<=>(const ip_prefix&, const ip_prefix&) noexcept = default;

private:
    [[nodiscard]] constexpr unsigned bits() const noexcept {
        return address_.is_v4() ? length_ + 96U : length_;
    }
    [[nodiscard]] constexpr std::uint64_t high_mask() const noexcept {
        return bits() == 0 ? 0 : ~std::uint64_t{0} << (64 - std::min(bits(), 64U));
    }
    [[nodiscard]] constexpr std::uint64_t low_mask() const noexcept {
        return bits() <= 64 ? 0 : ~std::uint64_t{0} << (128 - bits());
    }

    ip_address address_;
    std::uint8_t length_ = 0;
};

/// A transport address: where a segment or a datagram comes from or goes to.
struct endpoint {
    ip_address address;
    std::uint16_t port = 0;

    /// `10.0.0.2:80` or `[fd00::2]:80`.
    [[nodiscard]] static std::optional<endpoint> parse(std::string_view text);
    [[nodiscard]] std::string to_string() const;

    friend constexpr auto operator<=>(const endpoint&, const endpoint&) noexcept = default;
};

}  // namespace weft
