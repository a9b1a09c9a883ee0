#pragma once
// What every connection of the echo server needs to know, whichever front end it is written in.

#include "common/connection_limit.hpp"
#include "common/pattern.hpp"

#include <weft/base/instant.hpp>

#include <boost/crc.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <span>

namespace examples::echo_server {

enum class mode : std::uint8_t { echo, discard, chargen, hash };

struct service_options {
    mode what = mode::echo;
    std::uint64_t bytes = 0;  ///< chargen: for each connection; 0: no end
    double idle_seconds = 60;
    std::uint32_t max_connections = 4096;
};

/// Outlives the connections.
struct service {
    explicit service(const service_options& asked)
        : options{asked}, connections{asked.max_connections} {}

    [[nodiscard]] weft::duration patience() const {
        return std::chrono::duration_cast<weft::duration>(
            std::chrono::duration<double>{options.idle_seconds});
    }

    const service_options options;
    examples::pattern pattern;
    examples::connection_limit connections;
};

using buffer = std::array<std::byte, 64 * 1024>;

/// Count and CRC-32 of bytes, and the line that tells them.
class digest {
public:
    digest() = default;

    void add(std::span<const std::byte> bytes) {
        count_ += bytes.size();
        sum_.process_bytes(bytes.data(), bytes.size());
    }
    [[nodiscard]] std::span<const std::byte> line() {
        const int length = std::snprintf(text_.data(), text_.size(), "%llu %08x\n",
                                         static_cast<unsigned long long>(count_), sum_.checksum());
        return std::as_bytes(std::span{text_}.first(static_cast<std::size_t>(length)));
    }

private:
    std::uint64_t count_ = 0;
    boost::crc_32_type sum_;
    std::array<char, 64> text_{};
};

}  // namespace examples::echo_server
