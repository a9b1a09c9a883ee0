#pragma once
// `async_generator<T>`: a coroutine that awaits and `co_yield`s, read with `co_await next()`.
//
//     async_generator<std::string> lines(auto& stream);
//
//     auto incoming = lines(stream);
//     while (true) {
//         const std::optional<std::string> line = co_await incoming.next();
//         if (!line) break;  // the body has returned
//         …
//     }
//
// The body runs only within a `next()`, in the environment of whoever awaits that: its scheduler,
// its stop token. So the body keeps no copy of its environment beyond a `co_yield`. An exception
// comes out of the `next()` that met it, and the sequence has ended. Errors are values: yield
// result<T>.
//
// It may be destroyed unread, half read or at its end, but not within a `next()`: the body's locals
// are destroyed where it is suspended, at a `co_yield`, and cannot await then. A body that must
// await to clean up is read to its end (ask it to stop through an argument), and a task_group does
// not live across a `co_yield`. One reader at a time.
//
// g++ 12 destroys an aggregate with a non-trivial destructor twice when it is made in the
// `co_yield` itself: yield types with a declared constructor, or a name.

#include <weft/awaiter.hpp>
#include <weft/frame_allocator.hpp>
#include <weft/trace.hpp>

#include <cassert>
#include <coroutine>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>

namespace weft {

template <class T>
class [[nodiscard]] async_generator {
    static_assert(std::is_object_v<T> && !std::is_const_v<T>,
                  "an async_generator yields values; for references, yield pointers");

public:
    class promise_type;

private:
    using handle = std::coroutine_handle<promise_type>;

    class [[nodiscard]] next_awaiter {
    public:
        explicit next_awaiter(handle frame) noexcept : frame_{frame} {}
        next_awaiter(const next_awaiter&) = delete;
        next_awaiter& operator=(const next_awaiter&) = delete;
        ~next_awaiter() {
            if (is_reading_) frame_.promise().is_read_ = false;
        }

        [[nodiscard]] bool await_ready() const noexcept { return false; }
        template <environment_promise Promise>
        bool await_suspend(std::coroutine_handle<Promise> caller,
                           trace::location where = trace::location::current()) noexcept {
            note_wait(caller.promise(), note_, where);
            return suspend(caller, caller.promise().environment());
        }
        std::optional<T> await_resume() {
            note_.resumed();
            if (!is_reading_) throw std::logic_error{"next() while another one is under way"};
            is_reading_ = frame_.promise().is_read_ = false;
            return frame_.promise().take();
        }

        bool suspend(std::coroutine_handle<> caller, const environment& in) noexcept {
            promise_type& promise = frame_.promise();
            assert(!promise.is_read_ && "one next() at a time");
            if (promise.is_read_) return false;
            promise.is_read_ = is_reading_ = true;
            if (frame_.done()) return false;
            note_.set_owner(trace::owner{&promise});
            return promise.run_to_yield(caller, in);
        }

        [[nodiscard]] trace::wait_note& note() noexcept { return note_; }

    private:
        handle frame_;
        [[no_unique_address]] trace::wait_note note_{trace::generator_kind};
        bool is_reading_ = false;
    };

public:
    async_generator(async_generator&& other) noexcept
        : frame_{std::exchange(other.frame_, nullptr)} {}
    async_generator& operator=(async_generator&& other) noexcept {
        async_generator discarded{std::move(*this)};
        frame_ = std::exchange(other.frame_, nullptr);
        return *this;
    }
    ~async_generator() {
        if (!frame_) return;
        assert(!frame_.promise().is_read_ && "an async_generator outlives its next()");
        frame_.destroy();
    }

    /// Runs the body on to its next `co_yield` and completes with the value, moved out; with
    /// nothing when the body has returned, and ever after. Throws what the body throws. Resumes
    /// where the body yielded. A stop request reaches what the body awaits.
    [[nodiscard]] next_awaiter next() noexcept { return next_awaiter{frame_}; }

private:
    explicit async_generator(handle frame) noexcept : frame_{frame} {}

    handle frame_;
};

template <class T>
class async_generator<T>::promise_type : public frame_allocated, trace::record {
    /// Back to the reader: at once if it has not been suspended yet, as a task does it.
    class to_reader {
    public:
        to_reader() noexcept {}
        [[nodiscard]] bool await_ready() const noexcept { return false; }
        std::coroutine_handle<> await_suspend(handle self) const noexcept {
            promise_type& promise = self.promise();
            promise.end();
            promise.has_stopped_ = true;
            if (promise.is_starting_) return std::noop_coroutine();
            return promise.reader_;
        }
        void await_resume() const noexcept {}
    };
    /// Keeps a copy of what was yielded by an lvalue.
    class copy_to_reader : public to_reader {
    public:
        explicit copy_to_reader(const T& original) : copy_{original} {}
        std::coroutine_handle<> await_suspend(handle self) noexcept {
            self.promise().yielded_ = std::addressof(copy_);
            return to_reader::await_suspend(self);
        }

    private:
        T copy_;
    };

public:
    async_generator get_return_object() noexcept {
        return async_generator{handle::from_promise(*this)};
    }
    [[nodiscard]] std::suspend_always initial_suspend() const noexcept { return {}; }
    [[nodiscard]] to_reader final_suspend() const noexcept { return {}; }
    [[nodiscard]] const weft::environment& environment() const noexcept { return *environment_; }
    [[nodiscard]] trace::record& trace_record() noexcept { return *this; }

    to_reader yield_value(T&& value) noexcept {
        yielded_ = std::addressof(value);
        return {};
    }
    copy_to_reader yield_value(const T& original) requires(std::is_copy_constructible_v<T>) {
        return copy_to_reader{original};
    }

    void return_void() const noexcept {}
    void unhandled_exception() noexcept { thrown_ = std::current_exception(); }

private:
    friend class async_generator;
    friend class async_generator::next_awaiter;

    /// True: it waits for something, and the reader is resumed later.
    bool run_to_yield(std::coroutine_handle<> reader, const weft::environment& in) noexcept {
        environment_ = &in;
        reader_ = reader;
        yielded_ = nullptr;
        has_stopped_ = false;
        this->begin(in.scheduler, trace::owner{this}, trace::record_type::generator);
        is_starting_ = true;
        handle::from_promise(*this).resume();
        is_starting_ = false;
        return !has_stopped_;
    }

    std::optional<T> take() {
        if (thrown_ != nullptr) std::rethrow_exception(std::exchange(thrown_, nullptr));
        if (yielded_ == nullptr) return std::nullopt;
        return std::optional<T>{std::move(*std::exchange(yielded_, nullptr))};
    }

    const weft::environment* environment_ = nullptr;
    std::coroutine_handle<> reader_;
    T* yielded_ = nullptr;
    std::exception_ptr thrown_;
    bool is_starting_ = false;
    bool has_stopped_ = false;
    bool is_read_ = false;  // by a next() that has not ended
};

}  // namespace weft
