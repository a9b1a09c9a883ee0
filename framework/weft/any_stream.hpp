#pragma once
// `any_stream`: a stream of whatever network, behind one type: for plug-ins, and for programs that
// choose at run time what they put into one container.
//
// Slower than the stream in it: each operation is a virtual call and a coroutine frame of its own.
// Programs that know their network at compile time are templates over `weft::stream` instead, which
// costs nothing. Its rules are those of the stream that it holds (stream.hpp); everything fails
// with not_connected when it holds none.

#include <weft/base/address.hpp>
#include <weft/base/result.hpp>
#include <weft/stream.hpp>
#include <weft/task.hpp>

#include <concepts>
#include <cstddef>
#include <memory>
#include <span>
#include <system_error>
#include <type_traits>
#include <utility>

namespace weft {

class any_stream {
    struct interface {
        interface() = default;
        interface(const interface&) = delete;
        interface& operator=(const interface&) = delete;
        virtual ~interface() = default;

        virtual task<result<std::size_t>> read_some(std::span<std::byte> into) = 0;
        virtual task<result<void>> read_exactly(std::span<std::byte> into) = 0;
        virtual task<result<void>> readable() = 0;
        virtual task<result<std::size_t>> write_some(std::span<const std::byte> from) = 0;
        virtual task<result<void>> write_all(std::span<const std::byte> from) = 0;
        virtual task<result<void>> shutdown() = 0;
        virtual void abort() = 0;
        virtual void set_no_delay(bool on) = 0;
        [[nodiscard]] virtual bool is_held() const = 0;
        [[nodiscard]] virtual endpoint local_endpoint() const = 0;
        [[nodiscard]] virtual endpoint remote_endpoint() const = 0;
    };

    template <stream Stream>
    struct model final : interface {
        explicit model(Stream&& taken) : held{std::move(taken)} {}

        task<result<std::size_t>> read_some(std::span<std::byte> into) override {
            co_return co_await held.read_some(into);
        }
        task<result<void>> read_exactly(std::span<std::byte> into) override {
            co_return co_await held.read_exactly(into);
        }
        task<result<void>> readable() override { co_return co_await held.readable(); }
        task<result<std::size_t>> write_some(std::span<const std::byte> from) override {
            co_return co_await held.write_some(from);
        }
        task<result<void>> write_all(std::span<const std::byte> from) override {
            co_return co_await held.write_all(from);
        }
        task<result<void>> shutdown() override { co_return co_await held.shutdown(); }
        void abort() override { held.abort(); }
        void set_no_delay(bool on) override { held.set_no_delay(on); }
        [[nodiscard]] bool is_held() const override { return static_cast<bool>(held); }
        [[nodiscard]] endpoint local_endpoint() const override { return held.local_endpoint(); }
        [[nodiscard]] endpoint remote_endpoint() const override { return held.remote_endpoint(); }

        Stream held;
    };

    template <class T>
    static task<result<T>> nothing() {
        const std::error_code why = std::make_error_code(std::errc::not_connected);
        co_return why;
    }

public:
    /// Holds nothing.
    any_stream() noexcept = default;
    /// Takes the stream in. (No constructor: its constraint would ask about any_stream itself.)
    template <stream Stream>
    [[nodiscard]] static any_stream of(Stream held) {
        any_stream made;
        made.held_ = std::make_unique<model<Stream>>(std::move(held));
        return made;
    }

    [[nodiscard]] task<result<std::size_t>> read_some(std::span<std::byte> into) {
        return held_ ? held_->read_some(into) : nothing<std::size_t>();
    }
    [[nodiscard]] task<result<void>> read_exactly(std::span<std::byte> into) {
        return held_ ? held_->read_exactly(into) : nothing<void>();
    }
    [[nodiscard]] task<result<void>> readable() {
        return held_ ? held_->readable() : nothing<void>();
    }
    [[nodiscard]] task<result<std::size_t>> write_some(std::span<const std::byte> from) {
        return held_ ? held_->write_some(from) : nothing<std::size_t>();
    }
    [[nodiscard]] task<result<void>> write_all(std::span<const std::byte> from) {
        return held_ ? held_->write_all(from) : nothing<void>();
    }
    [[nodiscard]] task<result<void>> shutdown() {
        return held_ ? held_->shutdown() : nothing<void>();
    }
    void abort() {
        if (held_) held_->abort();
    }
    void set_no_delay(bool on) {
        if (held_) held_->set_no_delay(on);
    }

    [[nodiscard]] explicit operator bool() const { return held_ && held_->is_held(); }
    [[nodiscard]] endpoint local_endpoint() const {
        return held_ ? held_->local_endpoint() : endpoint{};
    }
    [[nodiscard]] endpoint remote_endpoint() const {
        return held_ ? held_->remote_endpoint() : endpoint{};
    }

private:
    std::unique_ptr<interface> held_;
};

static_assert(stream<any_stream>);

}  // namespace weft
