#pragma once
// Where coroutine frames come from: a free list for each size class, one set a thread.
//
// A frame that was used goes to the list of its class and is handed out again, so a program in its
// steady state allocates nothing. Sizes above 4 KiB go to operator new. Under AddressSanitizer
// every frame does, so that a use after free is found. `frame_counters` is for benchmarks and
// tests.

#include <weft/base/poison.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <new>

namespace weft {

/// What this thread did. `fresh` asked operator new, the rest came from a free list.
struct frame_counters {
    std::uint64_t allocated = 0;
    std::uint64_t freed = 0;
    std::uint64_t fresh = 0;
};

class frame_allocator {
public:
    [[nodiscard]] static void* allocate(std::size_t bytes) {
        lists& mine = of_this_thread;
        ++mine.counters.allocated;
        const std::size_t size_class = class_of(bytes);
        if (size_class < classes && mine.free[size_class] != nullptr) {
            free_frame* frame = mine.free[size_class];
            mine.free[size_class] = frame->next;
            return frame;
        }
        return allocate_fresh(bytes);
    }

    static void deallocate(void* frame, std::size_t bytes) noexcept {
        lists& mine = of_this_thread;
        ++mine.counters.freed;
        const std::size_t size_class = class_of(bytes);
        if (address_sanitizer || size_class >= classes || !mine.keeps) {
            ::operator delete(frame);
            return;
        }
        mine.free[size_class] = ::new (frame) free_frame{mine.free[size_class]};
    }

    [[nodiscard]] static frame_counters counters() noexcept { return of_this_thread.counters; }

    /// Gives the free frames of this thread back to the heap.
    static void trim() noexcept;

private:
    static constexpr std::size_t granularity = 64;
    static constexpr std::size_t classes = 64;

    struct free_frame {
        free_frame* next;
    };
    struct lists {
        std::array<free_frame*, classes> free{};
        frame_counters counters;
        bool keeps = false;  // from the first fresh frame until the thread ends
    };
    struct reaper;

    static constexpr std::size_t class_of(std::size_t bytes) noexcept {
        return (bytes - 1) / granularity;
    }
    static void* allocate_fresh(std::size_t bytes);

    static constinit thread_local lists of_this_thread;
};

inline constinit thread_local frame_allocator::lists frame_allocator::of_this_thread{};

/// Base of what comes from the frame allocator: promises, and other small things of the same life.
struct frame_allocated {
    static void* operator new(std::size_t bytes) { return frame_allocator::allocate(bytes); }
    static void operator delete(void* frame, std::size_t bytes) noexcept {
        frame_allocator::deallocate(frame, bytes);
    }
};

}  // namespace weft
