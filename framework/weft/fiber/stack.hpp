#pragma once
// Stacks for fibers: mapped memory with a page below it that nobody may touch, so that a stack that
// runs over ends the program at once instead of writing into another one.
//
// A `stack_pool` keeps a bounded number of free stacks for the next fibers; in its steady state a
// program maps nothing. Pages that a stack never touched cost no memory, so the size may be
// generous; each stack costs two of the process's mappings (vm.max_map_count, 65,530 unless
// raised), and running out of them is an error from `take`. One thread a pool.

#include <weft/base/poison.hpp>
#include <weft/base/result.hpp>

#include <cstddef>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace weft::fiber {

class stack {
public:
    stack() noexcept = default;  ///< none
    /// Maps at least `bytes`, in whole pages, and the guard below. Errors: `not_enough_memory`.
    static result<stack> map(std::size_t bytes) noexcept;
    stack(stack&& other) noexcept : memory_{std::exchange(other.memory_, {})} {}
    stack& operator=(stack&& other) noexcept {
        stack gone{std::move(*this)};
        memory_ = std::exchange(other.memory_, {});
        return *this;
    }
    ~stack();

    /// What a fiber may use, the guard not among it; empty when there is none.
    [[nodiscard]] std::span<std::byte> memory() const noexcept { return memory_; }

private:
    explicit stack(std::span<std::byte> memory) noexcept : memory_{memory} {}

    std::span<std::byte> memory_;
};

struct stack_options {
    /// Of each stack, in whole pages; instrumented frames are larger.
    std::size_t stack_bytes = address_sanitizer ? 512 * 1024 : 128 * 1024;
    std::size_t max_stacks = 1 << 20;  ///< used or free; above: `not_enough_memory`
    std::size_t max_free = 64;         ///< kept for later; more are unmapped
};
static_assert(std::is_trivially_destructible_v<stack_options>);

class stack_pool {
public:
    explicit stack_pool(const stack_options& options = {});
    stack_pool(const stack_pool&) = delete;
    stack_pool& operator=(const stack_pool&) = delete;
    /// Precondition: all stacks were given back.
    ~stack_pool();

    /// A stack that was used before if there is one. Errors: `not_enough_memory`.
    [[nodiscard]] result<stack> take() noexcept;
    void give_back(stack&& used) noexcept;

    [[nodiscard]] std::size_t used_stacks() const noexcept { return used_; }
    [[nodiscard]] std::size_t free_stacks() const noexcept { return free_.size(); }

    /// With the default options; what fibers use unless told otherwise.
    [[nodiscard]] static stack_pool& of_this_thread();

private:
    const stack_options options_;
    std::vector<stack> free_;
    std::size_t used_ = 0;
};

}  // namespace weft::fiber
