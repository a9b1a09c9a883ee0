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

void* frame_allocator::allocate_fresh(std::size_t bytes, trace_layout<async_trace>) {
    thread_local const reaper at_thread_end;
    static_cast<void>(at_thread_end);
    void* const frame = ::operator new(bytes, std::nothrow);
    if (frame == nullptr) {
        --of_this_thread.of_class[class_of(bytes)].allocated;
        throw std::bad_alloc{};
    }
    ++of_this_thread.fresh;
    return frame;
}

void* frame_allocator::allocate_large(std::size_t bytes) {
    void* const frame = ::operator new(bytes);
    ++of_this_thread.large.allocated;
    ++of_this_thread.fresh;
    return frame;
}

void frame_allocator::free_large(void* frame) noexcept {
    ++of_this_thread.large.freed;
    ::operator delete(frame);
}

frame_counters frame_allocator::counters() noexcept {
    const lists& mine = of_this_thread;
    frame_counters sum{mine.large.allocated, mine.large.freed, mine.fresh};
    for (const list& each : mine.of_class) {
        sum.allocated += each.allocated;
        sum.freed += each.freed;
    }
    return sum;
}

std::vector<live_frames> frame_allocator::alive() {
    std::vector<live_frames> found;
    const auto add = [&found](std::size_t up_to_bytes, const list& of) {
        if (of.allocated > of.freed) found.push_back({up_to_bytes, of.allocated - of.freed});
    };
    for (std::size_t i = 0; i < classes; ++i) {
        add((i + 1) * granularity, of_this_thread.of_class[i]);
    }
    add(0, of_this_thread.large);
    return found;
}

void frame_allocator::trim() noexcept {
    for (list& each : of_this_thread.of_class) {
        while (each.free != nullptr) {
            free_frame* frame = each.free;
            each.free = frame->next;
            ::operator delete(frame);
        }
    }
}

}  // namespace weft
