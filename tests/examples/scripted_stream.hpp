#pragma once
// A stream whose peer is a list: pieces that arrive one after the other, each after a pause, then
// the end. What is written is collected. For tests of code that works over any stream.

#include <weft/base/result.hpp>
#include <weft/errc.hpp>
#include <weft/sleep.hpp>
#include <weft/task.hpp>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace weft::test {

class scripted_stream {
public:
    struct piece {
        piece(std::string what, duration after) : bytes{std::move(what)}, pause{after} {}
        std::string bytes;
        duration pause;
    };

    /// The peer sends this, so long after the piece before it was read.
    void arrives(std::string_view bytes, duration pause = duration::zero()) {
        if (!bytes.empty()) pieces_.emplace_back(std::string{bytes}, pause);
    }
    /// The same, byte by byte.
    void arrives_slowly(std::string_view bytes, duration pause) {
        for (const char c : bytes) pieces_.emplace_back(std::string{c}, pause);
    }
    /// The peer neither sends more nor closes.
    void falls_silent() { is_silent_ = true; }
    /// The peer takes no bytes.
    void never_reads() { reads_ = false; }

    task<result<std::size_t>> read_some(std::span<std::byte> into) {
        if (pieces_.empty()) {
            if (is_silent_) {
                const result<void> slept = co_await sleep_until(never);
                co_return slept.error();
            }
            co_return std::size_t{0};
        }
        if (pieces_.front().pause > duration::zero()) {
            const result<void> slept = co_await sleep_for(pieces_.front().pause);
            if (!slept) co_return slept.error();
            pieces_.front().pause = duration::zero();
        }
        std::string& bytes = pieces_.front().bytes;
        const std::size_t count = std::min(into.size(), bytes.size());
        std::memcpy(into.data(), bytes.data(), count);
        bytes.erase(0, count);
        if (bytes.empty()) pieces_.pop_front();
        co_return count;
    }
    task<result<void>> write_all(std::span<const std::byte> bytes) {
        if (!reads_) {
            const result<void> slept = co_await sleep_until(never);
            co_return slept.error();
        }
        written_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
        co_return result<void>{};
    }
    task<result<void>> shutdown() {
        is_shut_ = true;
        co_return result<void>{};
    }

    [[nodiscard]] const std::string& written() const noexcept { return written_; }
    [[nodiscard]] bool is_shut() const noexcept { return is_shut_; }

private:
    std::deque<piece> pieces_;
    std::string written_;
    bool is_silent_ = false;
    bool reads_ = true;
    bool is_shut_ = false;
};

}  // namespace weft::test
