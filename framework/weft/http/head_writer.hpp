#pragma once
// Writes the head of a response, or of a request, into a fixed buffer. No allocation.
//
// A head that does not fit is marked, not cut: is_complete() is false and the text is not to be
// sent. Names and values are the program's own: what a peer sent has to be encoded before it comes
// here, and a value with a line break is refused like one that does not fit.

#include <weft/http/status.hpp>

#include <array>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace weft::http {

class head_writer {
public:
    explicit head_writer(std::span<char> into) noexcept : into_{into} {}

    head_writer& status_line(status s) noexcept {
        return put("HTTP/1.1 ").put(std::uint64_t{code_of(s)}).put(" ").put(phrase_of(s)).line();
    }
    head_writer& request_line(std::string_view method, std::string_view target) noexcept {
        return put(method).put(" ").put(target).put(" HTTP/1.1").line();
    }
    head_writer& field(std::string_view name, std::string_view value) noexcept {
        if (value.find_first_of("\r\n") != std::string_view::npos) fits_ = false;
        return put(name).put(": ").put(value).line();
    }
    head_writer& field(std::string_view name, std::uint64_t value) noexcept {
        return put(name).put(": ").put(value).line();
    }
    /// `bytes first-last/size`.
    head_writer& content_range(std::uint64_t first, std::uint64_t last,
                               std::uint64_t size) noexcept {
        put("Content-Range: bytes ").put(first).put("-").put(last).put("/").put(size);
        return line();
    }
    /// `bytes */size`, of a 416.
    head_writer& content_range_unsatisfied(std::uint64_t size) noexcept {
        return put("Content-Range: bytes */").put(size).line();
    }
    /// The empty line.
    head_writer& end() noexcept { return line(); }

    /// A decimal number as it is.
    head_writer& put(std::uint64_t number) noexcept {
        std::array<char, 20> digits{};
        const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
        return put(std::string_view{digits.data(), static_cast<std::size_t>(end - digits.data())});
    }
    /// Text as it is, a body behind the head for instance.
    head_writer& put(std::string_view text) noexcept {
        if (text.size() > into_.size() - used_) {
            fits_ = false;
        } else if (!text.empty()) {
            std::memcpy(into_.data() + used_, text.data(), text.size());
            used_ += text.size();
        }
        return *this;
    }

    [[nodiscard]] bool is_complete() const noexcept { return fits_; }
    [[nodiscard]] std::string_view text() const noexcept { return {into_.data(), used_}; }
    /// What is left of the buffer behind the text.
    [[nodiscard]] std::span<char> rest() const noexcept { return into_.subspan(used_); }

private:
    head_writer& line() noexcept { return put("\r\n"); }
    std::span<char> into_;
    std::size_t used_ = 0;
    bool fits_ = true;
};

}  // namespace weft::http
