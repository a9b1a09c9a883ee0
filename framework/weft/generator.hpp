#pragma once
// `generator<T>`: a coroutine that `co_yield`s a sequence, read by a range-for or a view pipeline.
//
//     generator<int> squares(int n) { for (int i = 0; i < n; ++i) co_yield i * i; }
//     for (const int square : squares(10)) …
//
// Synchronous: its body cannot `co_await`; async_generator can. Lazy: the body runs while an
// iterator is taken or advanced, and an exception comes out there. Destroying the generator before
// its end destroys the body's locals where it is suspended. An input view, as std::generator is:
// iterating `generator<T>` gives `T&&` (a value may be moved out), `generator<const T&>` gives
// references to what was yielded. Read once, from one `begin()`; the end is a sentinel.
//
// g++ 12 destroys an aggregate with a non-trivial destructor twice when it is made in the
// `co_yield` itself: yield types with a declared constructor, or a name.

#include <weft/frame_allocator.hpp>

#include <cassert>
#include <concepts>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <iterator>
#include <memory>
#include <ranges>
#include <type_traits>
#include <utility>

namespace weft {

template <class T>
class [[nodiscard]] generator : public std::ranges::view_interface<generator<T>> {
    using value = std::remove_cvref_t<T>;
    using reference = std::conditional_t<std::is_reference_v<T>, T, T&&>;
    using pointer = std::add_pointer_t<reference>;

public:
    class promise_type;

    class iterator {
    public:
        using value_type = value;
        using difference_type = std::ptrdiff_t;

        iterator(iterator&& other) noexcept : frame_{std::exchange(other.frame_, nullptr)} {}
        iterator& operator=(iterator&& other) noexcept {
            frame_ = std::exchange(other.frame_, nullptr);
            return *this;
        }

        reference operator*() const noexcept {
            return static_cast<reference>(*frame_.promise().yielded_);
        }
        iterator& operator++() {
            advance(frame_);
            return *this;
        }
        void operator++(int) { ++*this; }

        friend bool operator==(const iterator& at, std::default_sentinel_t) noexcept {
            return at.frame_.done();
        }

    private:
        friend class generator;
        explicit iterator(std::coroutine_handle<promise_type> frame) noexcept : frame_{frame} {}

        std::coroutine_handle<promise_type> frame_;
    };

    generator(generator&& other) noexcept : frame_{std::exchange(other.frame_, nullptr)} {}
    generator& operator=(generator&& other) noexcept {
        generator discarded{std::move(*this)};
        frame_ = std::exchange(other.frame_, nullptr);
        return *this;
    }
    ~generator() {
        if (frame_) frame_.destroy();
    }

    /// Runs the body to its first `co_yield`. Precondition: called once.
    iterator begin() {
        assert(frame_ && !frame_.promise().has_begun_ && "a generator is read once");
        frame_.promise().has_begun_ = true;
        advance(frame_);
        return iterator{frame_};
    }
    [[nodiscard]] std::default_sentinel_t end() const noexcept { return {}; }

private:
    explicit generator(std::coroutine_handle<promise_type> frame) noexcept : frame_{frame} {}

    static void advance(std::coroutine_handle<promise_type> frame) {
        assert(!frame.done() && "a generator is not advanced beyond its end");
        frame.resume();
        if (frame.promise().thrown_ != nullptr) {
            std::rethrow_exception(std::exchange(frame.promise().thrown_, nullptr));
        }
    }

    std::coroutine_handle<promise_type> frame_;
};

template <class T>
class generator<T>::promise_type : public frame_allocated {
    /// Keeps a copy of what was yielded by an lvalue that the reader must not change.
    class copy_awaiter {
    public:
        explicit copy_awaiter(const value& original) : copy_{original} {}
        [[nodiscard]] bool await_ready() const noexcept { return false; }
        void await_suspend(std::coroutine_handle<promise_type> self) noexcept {
            self.promise().yielded_ = std::addressof(copy_);
        }
        void await_resume() const noexcept {}

    private:
        value copy_;
    };

public:
    generator get_return_object() noexcept {
        return generator{std::coroutine_handle<promise_type>::from_promise(*this)};
    }
    [[nodiscard]] std::suspend_always initial_suspend() const noexcept { return {}; }
    [[nodiscard]] std::suspend_always final_suspend() const noexcept { return {}; }

    std::suspend_always yield_value(reference yielded) noexcept {
        yielded_ = std::addressof(yielded);
        return {};
    }
    auto yield_value(const value& original)
        requires(std::is_rvalue_reference_v<reference> && std::copy_constructible<value>) {
        return copy_awaiter{original};
    }

    void return_void() const noexcept {}
    void unhandled_exception() noexcept { thrown_ = std::current_exception(); }

    /// A generator is synchronous: what waits is an async_generator.
    template <class Awaitable>
    void await_transform(Awaitable&&) = delete;

private:
    friend class generator;
    friend class generator::iterator;

    pointer yielded_ = nullptr;
    std::exception_ptr thrown_;
    bool has_begun_ = false;
};

}  // namespace weft

template <class T>
inline constexpr bool std::ranges::enable_view<weft::generator<T>> = true;
