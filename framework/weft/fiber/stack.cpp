#include <weft/fiber/stack.hpp>

#include <sys/mman.h>
#include <unistd.h>

#include <cassert>
#include <limits>
#include <system_error>

namespace weft::fiber {
namespace {

std::size_t page_bytes() noexcept {
    static const auto size = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    return size;
}

}  // namespace

result<stack> stack::map(std::size_t bytes) noexcept {
    const std::size_t page = page_bytes();
    if (bytes == 0 || bytes > std::numeric_limits<std::size_t>::max() - 2 * page) {
        return std::errc::not_enough_memory;
    }
    const std::size_t usable = (bytes + page - 1) / page * page;
    void* const mapped = ::mmap(nullptr, page + usable, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (mapped == MAP_FAILED) return std::errc::not_enough_memory;
    if (::mprotect(mapped, page, PROT_NONE) != 0) {  // no mappings left
        ::munmap(mapped, page + usable);
        return std::errc::not_enough_memory;
    }
    return stack{std::span{static_cast<std::byte*>(mapped) + page, usable}};
}

stack::~stack() {
    if (memory_.empty()) return;
    unpoison(memory_.data(), memory_.size());
    ::munmap(memory_.data() - page_bytes(), page_bytes() + memory_.size());
}

stack_pool::stack_pool(const stack_options& options) : options_{options} {
    free_.reserve(options.max_free);
}

stack_pool::~stack_pool() { assert(used_ == 0 && "a pool of stacks outlives its fibers"); }

result<stack> stack_pool::take() noexcept {
    if (!free_.empty()) {
        stack again = std::move(free_.back());
        free_.pop_back();
        unpoison(again.memory().data(), again.memory().size());
        ++used_;
        return again;
    }
    if (used_ >= options_.max_stacks) return std::errc::not_enough_memory;
    result<stack> mapped = stack::map(options_.stack_bytes);
    if (mapped) ++used_;
    return mapped;
}

void stack_pool::give_back(stack&& used) noexcept {
    --used_;
    if (free_.size() >= options_.max_free) {
        const stack unmapped = std::move(used);
        return;
    }
    poison(used.memory().data(), used.memory().size());
    free_.push_back(std::move(used));  // reserved: does not allocate
}

stack_pool& stack_pool::of_this_thread() {
    thread_local stack_pool pool;
    return pool;
}

}  // namespace weft::fiber
