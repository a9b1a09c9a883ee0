#include <weft/frame_allocator.hpp>

namespace weft {

/// Lives until its thread ends, and takes the free lists with it.
struct frame_allocator::reaper {
    reaper() noexcept { of_this_thread.keeps = true; }
    reaper(const reaper&) = delete;
    reaper& operator=(const reaper&) = delete;
    ~reaper() {
        of_this_thread.keeps = false;
        trim();
    }
};

void* frame_allocator::allocate_fresh(std::size_t bytes) {
    thread_local const reaper at_thread_end;
    static_cast<void>(at_thread_end);
    ++of_this_thread.counters.fresh;
    const std::size_t size_class = class_of(bytes);
    return ::operator new(size_class < classes ? (size_class + 1) * granularity : bytes);
}

void frame_allocator::trim() noexcept {
    for (free_frame*& list : of_this_thread.free) {
        while (list != nullptr) {
            free_frame* frame = list;
            list = frame->next;
            ::operator delete(frame);
        }
    }
}

}  // namespace weft
