#pragma once
// How far a download is, on one line of a terminal; nothing where stderr is no terminal.

#include <weft/base/instant.hpp>

#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>

namespace examples {

class progress {
public:
    /// `total_bytes` 0: unknown.
    progress(std::uint64_t total_bytes, weft::instant begin) noexcept
        : total_{total_bytes}, begin_{begin}, is_shown_{::isatty(STDERR_FILENO) == 1} {}

    /// Prints at most ten times a second.
    void update(std::uint64_t bytes, weft::instant now) {
        if (!is_shown_ || now - printed_ < std::chrono::milliseconds{100}) return;
        printed_ = now;
        print(bytes, now);
    }
    void finish(std::uint64_t bytes, weft::instant now) {
        if (!is_shown_) return;
        print(bytes, now);
        std::fputc('\n', stderr);
    }

private:
    void print(std::uint64_t bytes, weft::instant now) const {
        const double megabytes = static_cast<double>(bytes) / 1e6;
        const double seconds = std::chrono::duration<double>{now - begin_}.count();
        const double rate = seconds > 0 ? megabytes / seconds : 0;
        if (total_ > 0) {
            const double percent = 100 * static_cast<double>(bytes) / static_cast<double>(total_);
            std::fprintf(stderr, "\r%9.1f MB of %.1f MB %4.0f %% %8.1f MB/s", megabytes,
                         static_cast<double>(total_) / 1e6, percent, rate);
        } else {
            std::fprintf(stderr, "\r%9.1f MB %8.1f MB/s", megabytes, rate);
        }
        std::fflush(stderr);
    }

    std::uint64_t total_;
    weft::instant begin_;
    weft::instant printed_ = begin_;
    bool is_shown_;
};

}  // namespace examples
