#pragma once
// One logger a subsystem ("io", "tap", "tcp", "http", …), written to stderr through spdlog.
//
// Levels come from the environment: WEFT_LOG=info,tcp=debug sets the default and one subsystem.
// Without it warnings and errors are shown. A level that is off costs one load and a branch; the
// arguments are evaluated, not formatted. Keep a logger by reference: it lives as long as the
// program. Any thread may log. The protocol core does not log: it has counters and an observer.

#include <fmt/core.h>

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace spdlog {
class logger;
}

namespace weft::log {

enum class level : std::uint8_t { trace, debug, info, warning, error, off };

class logger {
public:
    logger(std::shared_ptr<spdlog::logger> sink, level threshold) noexcept;
    logger(const logger&) = delete;
    logger& operator=(const logger&) = delete;
    ~logger();

    [[nodiscard]] bool shows(level of) const noexcept {
        return of >= threshold_.load(std::memory_order_relaxed);
    }
    void set_threshold(level threshold) noexcept {
        threshold_.store(threshold, std::memory_order_relaxed);
    }

    template <class... Args>
    void trace(fmt::format_string<Args...> format, Args&&... args) {
        if (shows(level::trace)) write(level::trace, format, fmt::make_format_args(args...));
    }
    template <class... Args>
    void debug(fmt::format_string<Args...> format, Args&&... args) {
        if (shows(level::debug)) write(level::debug, format, fmt::make_format_args(args...));
    }
    template <class... Args>
    void info(fmt::format_string<Args...> format, Args&&... args) {
        if (shows(level::info)) write(level::info, format, fmt::make_format_args(args...));
    }
    template <class... Args>
    void warning(fmt::format_string<Args...> format, Args&&... args) {
        if (shows(level::warning)) write(level::warning, format, fmt::make_format_args(args...));
    }
    template <class... Args>
    void error(fmt::format_string<Args...> format, Args&&... args) {
        if (shows(level::error)) write(level::error, format, fmt::make_format_args(args...));
    }

private:
    void write(level of, fmt::string_view format, fmt::format_args args);

    std::atomic<level> threshold_;
    std::shared_ptr<spdlog::logger> sink_;
};

/// The logger of `subsystem`, made when first asked for.
[[nodiscard]] logger& get(std::string_view subsystem);

/// What WEFT_LOG says: a default and exceptions from it.
struct level_rules {
    level otherwise = level::warning;
    std::map<std::string, level, std::less<>> by_subsystem;
    std::string problem;  ///< what could not be understood; empty when all was

    [[nodiscard]] level of(std::string_view subsystem) const;
};

/// Reads "info,tcp=debug". A part that makes no sense is left out and named in `problem`.
[[nodiscard]] level_rules parse_levels(std::string_view text);

/// Applies rules to every logger, those made later too (a program's --log option).
void set_levels(level_rules rules);

}  // namespace weft::log
