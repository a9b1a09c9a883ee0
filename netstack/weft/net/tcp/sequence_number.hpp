#pragma once
// Sequence numbers with their modular order (RFC 9293 §3.4): `a < b` means that b lies within the
// 2^31 numbers behind a. The order is not transitive; compare only numbers of one window. The same
// of timestamps.

#include <cstdint>

namespace weft::net::tcp {

class sequence_number {
public:
    constexpr sequence_number() noexcept = default;
    constexpr explicit sequence_number(std::uint32_t value) noexcept : value_{value} {}

    [[nodiscard]] constexpr std::uint32_t value() const noexcept { return value_; }

    friend constexpr sequence_number operator+(sequence_number a, std::uint32_t n) noexcept {
        return sequence_number{a.value_ + n};
    }
    friend constexpr sequence_number operator-(sequence_number a, std::uint32_t n) noexcept {
        return sequence_number{a.value_ - n};
    }
    /// How far `a` lies behind `b`; meaningful when b <= a.
    friend constexpr std::uint32_t operator-(sequence_number a, sequence_number b) noexcept {
        return a.value_ - b.value_;
    }
    constexpr sequence_number& operator+=(std::uint32_t n) noexcept {
        value_ += n;
        return *this;
    }
    constexpr sequence_number& operator++() noexcept { return *this += 1; }

    friend constexpr bool operator==(sequence_number, sequence_number) noexcept = default;
    friend constexpr bool operator<(sequence_number a, sequence_number b) noexcept {
        return static_cast<std::int32_t>(a.value_ - b.value_) < 0;
    }
    friend constexpr bool operator>(sequence_number a, sequence_number b) noexcept { return b < a; }
    friend constexpr bool operator<=(sequence_number a, sequence_number b) noexcept {
        return !(b < a);
    }
    friend constexpr bool operator>=(sequence_number a, sequence_number b) noexcept {
        return !(a < b);
    }

private:
    std::uint32_t value_ = 0;
};

/// What lies from `begin` up to, and without, `end`.
struct sequence_span {
    sequence_number begin;
    sequence_number end;

    [[nodiscard]] constexpr std::uint32_t size() const noexcept { return end - begin; }
    [[nodiscard]] constexpr bool holds(sequence_number s) const noexcept {
        return s - begin < size();
    }
};

[[nodiscard]] constexpr sequence_number later_of(sequence_number a, sequence_number b) noexcept {
    return a < b ? b : a;
}
[[nodiscard]] constexpr sequence_number earlier_of(sequence_number a, sequence_number b) noexcept {
    return a < b ? a : b;
}

/// RFC 7323 §5.2: a TSval that was sent before `b`.
[[nodiscard]] constexpr bool is_older_timestamp(std::uint32_t a, std::uint32_t b) noexcept {
    return static_cast<std::int32_t>(a - b) < 0;
}

}  // namespace weft::net::tcp
