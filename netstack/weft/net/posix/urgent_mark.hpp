#pragma once
// The one urgent byte of the sockets interface, taken out of the stream that TCP keeps it in.
//
// To TCP urgent data is a place in the stream (RFC 9293 §3.8.5); a socket without SO_OOBINLINE
// shows its last byte apart: a read stops in front of it and the next one passes over it, and
// MSG_OOB reads it, once. With SO_OOBINLINE a read stops there too, and the next one has it. Knows
// positions only; the bytes are the connection's.

#include <weft/net/tcp/connection.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>

namespace weft::net::posix {

class urgent_mark {
public:
    /// How far the urgent byte is from the first unread one; nothing when none is on its way.
    [[nodiscard]] std::optional<std::uint32_t> distance(const tcp::connection& c) const noexcept {
        const std::uint32_t urgent = c.urgent_bytes();
        return urgent == 0 ? std::nullopt : std::optional{urgent - 1};
    }
    [[nodiscard]] bool is_at_mark(const tcp::connection& c) const noexcept {
        return distance(c) == 0U;
    }
    /// Bytes were read, the urgent one not counted unless it is in line.
    void on_read(const tcp::connection& c, std::size_t count) noexcept {
        read_ += count;
        if (distance(c) == 0U) stopped_ = read_;
    }
    /// A read has ended at the mark, and since then another byte has become the urgent one.
    [[nodiscard]] bool is_left_behind(const tcp::connection& c) const noexcept {
        return stopped_ == read_ && distance(c).value_or(0) != 0;
    }
    /// A read stands in front of the urgent byte: it goes out of the stream, and is kept unless it
    /// was taken, or is no longer the urgent one.
    void pass(tcp::connection& c, instant now) noexcept {
        std::byte urgent{};
        if (c.peek({&urgent, 1}, 0) == 0) return;
        const bool is_kept = taken_ != read_ && !is_left_behind(c);
        c.consume(1, now);
        byte_ = is_kept ? std::optional{urgent} : std::nullopt;
        ++read_;
    }
    /// The urgent byte, not taken before.
    [[nodiscard]] std::optional<std::byte> look(const tcp::connection& c) const noexcept {
        if (const auto ahead = distance(c)) {
            std::byte urgent{};
            const bool is_here = taken_ != read_ + *ahead && c.peek({&urgent, 1}, *ahead) == 1;
            return is_here ? std::optional{urgent} : std::nullopt;
        }
        return byte_;
    }
    /// An urgent byte is announced or here, and was not taken.
    [[nodiscard]] bool is_expected(const tcp::connection& c) const noexcept {
        const auto ahead = distance(c);
        return ahead ? taken_ != read_ + *ahead : byte_.has_value();
    }
    /// What look() has shown is taken.
    void take(const tcp::connection& c) noexcept {
        if (const auto ahead = distance(c)) {
            taken_ = read_ + *ahead;
        } else {
            byte_.reset();
        }
    }

private:
    static constexpr std::uint64_t nowhere = ~std::uint64_t{0};

    std::optional<std::byte> byte_;    ///< passed over, not taken
    std::uint64_t read_ = 0;           ///< bytes of the stream that are gone
    std::uint64_t taken_ = nowhere;    ///< where the byte stood that was taken ahead of its turn
    std::uint64_t stopped_ = nowhere;  ///< where a read has ended at the mark
};

}  // namespace weft::net::posix
