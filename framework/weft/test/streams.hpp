#pragma once
// Small tasks over weft::stream that tests of servers are put together from, on any network. They
// hold all that they read in memory and wait as long as it takes: for tests.

#include <weft/base/random_source.hpp>
#include <weft/base/result.hpp>
#include <weft/stream.hpp>
#include <weft/task.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace weft::test {

[[nodiscard]] inline std::span<const std::byte> bytes_of(std::string_view text) noexcept {
    return std::as_bytes(std::span{text});
}
/// The characters of `text`, as a place to read into.
[[nodiscard]] inline std::span<std::byte> room_in(std::string& text) noexcept {
    return std::as_writable_bytes(std::span{text});
}

/// Bytes that differ from place to place, so that a shift or a swap is seen.
[[nodiscard]] inline std::string pattern(std::size_t size, std::uint64_t seed = 7) {
    random_source random{seed};
    std::string text(size, '\0');
    for (char& c : text) c = static_cast<char>(random.next() >> 56);
    return text;
}

/// Everything the peer sends until it closes its direction, or an error.
template <stream Stream>
task<result<std::string>> read_to_end(Stream& from) {
    std::string all;
    std::string some(4096, '\0');
    for (;;) {
        const result<std::size_t> count = co_await from.read_some(room_in(some));
        if (!count) co_return count.error();
        if (*count == 0) co_return all;
        all.append(some, 0, *count);
    }
}

/// Sends all of `text` and then our end.
template <stream Stream>
task<result<void>> write_and_shut_down(Stream& to, std::string text) {
    const result<void> written = co_await to.write_all(bytes_of(text));
    if (!written) co_return written.error();
    co_return co_await to.shutdown();
}

}  // namespace weft::test
