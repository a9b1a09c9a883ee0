#pragma once
// Where coroutine frames come from: a free list for each size class, one set a thread.
//
// A frame that was used goes to the list of its class and is handed out again, so a program in its
// steady state allocates nothing. Sizes above 4 KiB go to operator new. Under AddressSanitizer
// every frame does, so that a use after free is found. `counters` and `alive` are for benchmarks,
// tests and people debugging.

#include <weft/base/poison.hpp>
#include <weft/trace.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <new>
#include <vector>

namespace weft {

/// What this thread did. `fresh` asked operator new, the rest came from a free list.
struct frame_counters {
    std::uint64_t allocated = 0;
    std::uint64_t freed = 0;
    std::uint64_t fresh = 0;
};

/// Frames of one size class that are in use; `up_to_bytes` 0: those above all classes.
struct live_frames {
    std::size_t up_to_bytes = 0;
    std::uint64_t count = 0;
};

class frame_allocator {
public:
    [[nodiscard]] static void* allocate(std::size_t bytes) {
        const std::size_t size_class = class_of(bytes);
        if (size_class >= classes) return allocate_large(bytes);
        list& from = of_this_thread.of_class[size_class];
        ++from.allocated;
        if (from.free != nullptr) {
            free_frame* frame = from.free;
            from.free = frame->next;
            return frame;
        }
        return allocate_fresh((size_class + 1) * granularity, {});
    }

    static void deallocate(void* frame, std::size_t bytes) noexcept {
        const std::size_t size_class = class_of(bytes);
        if (size_class >= classes) {
            free_large(frame);
            return;
        }
        list& to = of_this_thread.of_class[size_class];
        ++to.freed;
        if (address_sanitizer || !of_this_thread.keeps) {
            ::operator delete(frame);
            return;
        }
        to.free = ::new (frame) free_frame{to.free};
    }

    [[nodiscard]] static frame_counters counters() noexcept;
    /// The classes of which this thread has frames in use. One that was freed on another thread
    /// than it came from counts on both.
    [[nodiscard]] static std::vector<live_frames> alive();

    /// Gives the free frames of this thread back to the heap.
    static void trim() noexcept;

private:
    static constexpr std::size_t granularity = 64;
    static constexpr std::size_t classes = 64;

    struct free_frame {
        free_frame* next;
    };
    struct list {
        free_frame* free = nullptr;
        std::uint64_t allocated = 0;
        std::uint64_t freed = 0;
    };
    struct lists {
        std::array<list, classes> of_class{};
        list large;
        std::uint64_t fresh = 0;
        bool keeps = false;  // from the first fresh frame until the thread ends
    };
    struct reaper;

    static constexpr std::size_t class_of(std::size_t bytes) noexcept {
        return (bytes - 1) / granularity;
    }
    static void* allocate_fresh(std::size_t bytes, trace_layout<async_trace>);
    static void* allocate_large(std::size_t bytes);
    static void free_large(void* frame) noexcept;

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
