// The TCP options this stack knows, as one small value: MSS, window scale, SACK, timestamps, Fast
// Open.
//
// Which are present is a bit mask, so the value stays trivially copyable and cheap to clear. Where
// an option may stand, and what it means there, is tcp/'s business (RFC 9293 §3.2, RFC 7323, RFC
// 2018, RFC 7413).
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace weft::net::wire {

inline constexpr std::size_t tcp_max_options_bytes = 40;
inline constexpr std::size_t tcp_max_sack_blocks = 4;

/// Values of the kind byte.
namespace tcp_option_kind {
inline constexpr std::uint8_t end_of_list = 0;
inline constexpr std::uint8_t no_operation = 1;
inline constexpr std::uint8_t mss = 2;
inline constexpr std::uint8_t window_scale = 3;
inline constexpr std::uint8_t sack_permitted = 4;
inline constexpr std::uint8_t sack = 5;
inline constexpr std::uint8_t timestamps = 8;
inline constexpr std::uint8_t fast_open = 34;
}  // namespace tcp_option_kind

/// Bytes [left, right) that the other side holds (RFC 2018 §3).
struct sack_block {
    std::uint32_t left = 0;
    std::uint32_t right = 0;

    friend constexpr bool operator==(const sack_block&, const sack_block&) noexcept = default;
};

/// RFC 7323 §3.2.
struct tcp_timestamps {
    std::uint32_t value = 0;  ///< TSval
    std::uint32_t echo = 0;   ///< TSecr

    friend constexpr bool operator==(const tcp_timestamps&,
                                     const tcp_timestamps&) noexcept = default;
};

/// RFC 7413 §4.1.1. Without bytes it asks for a cookie.
class tcp_fast_open_cookie {
public:
    static constexpr std::size_t least_bytes = 4;
    static constexpr std::size_t most_bytes = 16;

    constexpr tcp_fast_open_cookie() noexcept = default;
    /// Precondition: is_length(value.size()).
    constexpr explicit tcp_fast_open_cookie(std::span<const std::byte> value) noexcept
        : size_{static_cast<std::uint8_t>(value.size())} {
        std::copy(value.begin(), value.end(), bytes_.begin());
    }

    [[nodiscard]] static constexpr bool is_length(std::size_t bytes) noexcept {
        return bytes == 0 || (bytes >= least_bytes && bytes <= most_bytes && bytes % 2 == 0);
    }
    [[nodiscard]] constexpr bool is_empty() const noexcept { return size_ == 0; }
    [[nodiscard]] constexpr std::span<const std::byte> bytes() const noexcept {
        return std::span{bytes_}.first(size_);
    }

    friend constexpr bool operator==(const tcp_fast_open_cookie&,
                                     const tcp_fast_open_cookie&) noexcept = default;

private:
    std::uint8_t size_ = 0;
    std::array<std::byte, most_bytes> bytes_{};  ///< zeros behind the cookie
};

class tcp_options {
public:
    [[nodiscard]] constexpr bool has_mss() const noexcept { return has(mss_bit); }
    [[nodiscard]] constexpr bool has_window_scale() const noexcept { return has(scale_bit); }
    [[nodiscard]] constexpr bool has_sack_permitted() const noexcept { return has(permitted_bit); }
    [[nodiscard]] constexpr bool has_timestamps() const noexcept { return has(timestamps_bit); }
    [[nodiscard]] constexpr bool has_fast_open() const noexcept { return has(fast_open_bit); }
    [[nodiscard]] constexpr bool has_sack() const noexcept { return sack_count_ != 0; }
    [[nodiscard]] constexpr bool is_empty() const noexcept {
        return present_ == 0 && sack_count_ == 0;
    }

    /// Zero when absent.
    [[nodiscard]] constexpr std::uint16_t mss() const noexcept { return mss_; }
    /// The shift as sent; a receiver uses at most 14 (RFC 7323 §2.3). Zero when absent.
    [[nodiscard]] constexpr std::uint8_t window_scale() const noexcept { return window_scale_; }
    /// Zeros when absent.
    [[nodiscard]] constexpr const tcp_timestamps& timestamps() const noexcept {
        return timestamps_;
    }
    /// Empty when absent, and in a request.
    [[nodiscard]] constexpr const tcp_fast_open_cookie& fast_open() const noexcept {
        return fast_open_;
    }
    [[nodiscard]] constexpr std::span<const sack_block> sack_blocks() const noexcept {
        return std::span{sack_blocks_}.first(sack_count_);
    }

    constexpr tcp_options& set_mss(std::uint16_t mss) noexcept {
        mss_ = mss;
        return set(mss_bit);
    }
    constexpr tcp_options& set_window_scale(std::uint8_t shift) noexcept {
        window_scale_ = shift;
        return set(scale_bit);
    }
    constexpr tcp_options& set_sack_permitted() noexcept { return set(permitted_bit); }
    constexpr tcp_options& set_timestamps(tcp_timestamps timestamps) noexcept {
        timestamps_ = timestamps;
        return set(timestamps_bit);
    }
    /// The largest cookie has room beside all that a SYN of ours carries, and no more.
    constexpr tcp_options& set_fast_open(const tcp_fast_open_cookie& cookie) noexcept {
        fast_open_ = cookie;
        return set(fast_open_bit);
    }
    constexpr void clear_fast_open() noexcept {
        fast_open_ = {};
        present_ = static_cast<std::uint8_t>(present_ & ~fast_open_bit);
    }
    /// A fifth block is ignored: no header has room for it.
    constexpr tcp_options& add_sack_block(sack_block block) noexcept {
        if (sack_count_ < tcp_max_sack_blocks) {
            sack_blocks_[sack_count_++] = block;
        }
        return *this;
    }
    constexpr void clear_sack_blocks() noexcept { sack_count_ = 0; }

    /// How many SACK blocks there is room for beside the other options.
    [[nodiscard]] constexpr std::size_t fitting_sack_blocks() const noexcept {
        const std::size_t room = tcp_max_options_bytes - bytes_without_sack();
        const std::size_t fitting = room < 12 ? 0 : (room - 4) / 8;
        return fitting < sack_count_ ? fitting : sack_count_;
    }
    /// What emit_tcp will write, padded to a multiple of 4; at most 40.
    [[nodiscard]] constexpr std::size_t encoded_bytes() const noexcept {
        const std::size_t blocks = fitting_sack_blocks();
        return bytes_without_sack() + (blocks == 0 ? 0 : 4 + 8 * blocks);
    }

    friend constexpr bool operator==(const tcp_options& a, const tcp_options& b) noexcept {
        if (a.present_ != b.present_ || a.sack_count_ != b.sack_count_ || a.mss_ != b.mss_ ||
            a.window_scale_ != b.window_scale_ || !(a.timestamps_ == b.timestamps_) ||
            !(a.fast_open_ == b.fast_open_)) {
            return false;
        }
        for (std::size_t i = 0; i < a.sack_count_; ++i) {
            if (!(a.sack_blocks_[i] == b.sack_blocks_[i])) {
                return false;
            }
        }
        return true;
    }

private:
    static constexpr std::uint8_t mss_bit = 1;
    static constexpr std::uint8_t scale_bit = 2;
    static constexpr std::uint8_t permitted_bit = 4;
    static constexpr std::uint8_t timestamps_bit = 8;
    static constexpr std::uint8_t fast_open_bit = 16;

    [[nodiscard]] constexpr bool has(std::uint8_t bit) const noexcept {
        return (present_ & bit) != 0;
    }
    constexpr tcp_options& set(std::uint8_t bit) noexcept {
        present_ = static_cast<std::uint8_t>(present_ | bit);
        return *this;
    }
    [[nodiscard]] constexpr std::size_t bytes_without_sack() const noexcept {
        return (has_mss() ? 4U : 0U) +
               (has_timestamps()       ? 12U
                : has_sack_permitted() ? 4U
                                       : 0U) +
               (has_window_scale() ? 4U : 0U) +
               (has_fast_open() ? (2U + fast_open_.bytes().size() + 3U) / 4U * 4U : 0U);
    }

    std::uint8_t present_ = 0;
    std::uint8_t window_scale_ = 0;
    std::uint16_t mss_ = 0;
    std::uint8_t sack_count_ = 0;
    tcp_fast_open_cookie fast_open_;
    tcp_timestamps timestamps_;
    std::array<sack_block, tcp_max_sack_blocks> sack_blocks_{};
};

static_assert(sizeof(tcp_options) <= 64);

}  // namespace weft::net::wire
