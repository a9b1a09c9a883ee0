#pragma once
// What a ring is made of, for the sources that make up `ring`: ring.cpp and ring_*.cpp. Nobody else
// includes it.
//
// What the kernel hands back with a completion is nullptr (nobody asks), a ring_completion, or a
// ring_notice, whose address is marked by its lowest bit.

#include <weft/io/ring.hpp>

#include <liburing.h>

#include <cstdint>
#include <deque>

namespace weft {

struct ring::state {
    struct set_aside {
        void* told;
        int result;
        unsigned flags;
    };

    static std::uint64_t name_of(ring_notice& notice) noexcept {
        return reinterpret_cast<std::uintptr_t>(&notice) | 1U;
    }
    static ring_notice* notice_of(void* told) noexcept {
        const auto name = reinterpret_cast<std::uintptr_t>(told);
        return (name & 1U) == 0 ? nullptr
                                : reinterpret_cast<ring_notice*>(name & ~std::uintptr_t{1});
    }

    io_uring kernel{};
    /// Completions that arrived while only one was wanted, in their order.
    std::deque<set_aside> set_aside_completions;
};

}  // namespace weft
