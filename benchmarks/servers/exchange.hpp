#pragma once
// What every server here answers, so that only the library around it differs: `echo` says back what
// it hears, `http` counts the heads of requests (none has a body) and answers each with the same 13
// bytes.

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace bench {

enum class protocol : std::uint8_t { echo, http };

constexpr std::size_t buffer_bytes = 16 * 1024;
constexpr std::size_t largest_answer_bytes = 64 * 1024;

inline constexpr std::string_view http_answer =
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, World!";

/// One connection's protocol: what is to be said after some bytes were heard.
class exchange {
public:
    explicit exchange(protocol speaks) noexcept : speaks_{speaks} {}

    /// Valid until the next call; echo says back the very bytes it was given.
    std::string_view answer(std::string_view heard) {
        if (speaks_ == protocol::echo) return heard;
        const std::size_t most = largest_answer_bytes / http_answer.size();
        const std::size_t requests = std::min(ends_of_heads(heard), most);
        if (requests == 1) return http_answer;
        many_.clear();
        for (std::size_t i = 0; i < requests; ++i) many_ += http_answer;
        return many_;
    }

private:
    std::size_t ends_of_heads(std::string_view heard) noexcept {
        constexpr std::string_view end = "\r\n\r\n";
        std::size_t found = 0;
        for (const char each : heard) {
            matched_ = each == end[matched_] ? matched_ + 1 : (each == end[0] ? 1 : 0);
            if (matched_ == end.size()) {
                ++found;
                matched_ = 0;
            }
        }
        return found;
    }

    protocol speaks_;
    std::size_t matched_ = 0;
    std::string many_;
};

struct server_options {
    std::string_view style;
    protocol speaks = protocol::echo;
    std::uint16_t port = 0;
};

/// `NAME STYLE echo|http PORT`; nullopt, with the usage printed, for anything else.
inline std::optional<server_options> parse_server_options(
    std::span<char*> arguments, std::initializer_list<std::string_view> styles) {
    if (arguments.size() == 4) {
        server_options options;
        options.style = arguments[1];
        const std::string_view speaks = arguments[2];
        const std::string_view port = arguments[3];
        options.speaks = speaks == "http" ? protocol::http : protocol::echo;
        const auto [end, error] =
            std::from_chars(port.data(), port.data() + port.size(), options.port);
        const bool is_port = error == std::errc{} && end == port.data() + port.size();
        const bool is_style =
            std::find(styles.begin(), styles.end(), options.style) != styles.end();
        if (is_style && (speaks == "echo" || speaks == "http") && is_port && options.port != 0) {
            return options;
        }
    }
    std::fprintf(stderr, "usage: %s STYLE echo|http PORT\nSTYLE is one of:", arguments[0]);
    for (const std::string_view each : styles) {
        std::fprintf(stderr, " %.*s", static_cast<int>(each.size()), each.data());
    }
    std::fputc('\n', stderr);
    return std::nullopt;
}

}  // namespace bench
