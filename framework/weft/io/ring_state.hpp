#pragma once
// What a ring is made of, for the sources that make up `ring`: ring.cpp and ring_*.cpp. Nobody else
// includes it.
//
// What the kernel hands back with a completion is nullptr (nobody asks), a ring_completion, or a
// ring_notice, whose address is marked by its lowest bit.

#include <weft/io/ring.hpp>
#include <weft/io/ring_injector.hpp>

#include <liburing.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <unordered_map>

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

    /// Ends a multishot receive after so many bytes: `optlen` in younger headers (Linux 6.17).
    static void limit_receive(io_uring_sqe& entry, std::uint32_t bytes) noexcept {
        entry.file_index = bytes;
    }

    /// What an injector has decided about a request that is under way.
    struct plan {
        int error;
        unsigned delay_turns;
    };
    struct kept {
        set_aside answer;
        unsigned turns;
    };
    struct injection {
        explicit injection(ring_injector& injector) noexcept : decides{injector} {}

        /// Shows the injector what is new in the submission queue.
        void look_at(io_uring_sq& queue);
        /// The same before an enter, which may be refused: false.
        [[nodiscard]] bool before_enter(io_uring& on);
        /// Applies what was planned to an answer. True: it is kept back. All answers of one request
        /// are kept back equally long, so their order stays.
        [[nodiscard]] bool keep_back(set_aside& answer);
        /// A turn has passed: hands over what was kept back long enough.
        void release(std::deque<set_aside>& into);
        /// Forgets a request, and hands over its answer if that was kept back.
        void hand_over(const ring_completion& target, std::deque<set_aside>& into);

        ring_injector& decides;
        unsigned seen = 0;  // entries of the submission queue before this one
        std::unordered_map<void*, plan> planned;
        std::deque<kept> kept_back;
    };

    io_uring kernel{};
    /// Completions that arrived while only one was wanted, in their order.
    std::deque<set_aside> set_aside_completions;
    /// Tests only (ring_faults.cpp).
    std::unique_ptr<injection> faults;
};

}  // namespace weft
