// The answer of a parser that can name what is wrong: a value or an error, both small.
//
// `Error` is an enum whose zero is `none`. Not weft::result: nothing here becomes an error_code,
// the stack turns each name into a counter and drops the frame. Value must be trivially copyable,
// so an answer needs no destructor and no branch to copy.
#pragma once

#include <cassert>
#include <type_traits>

namespace weft::net::wire {

template <class Value, class Error>
class [[nodiscard]] parsed {
    static_assert(std::is_trivially_copyable_v<Value> && std::is_enum_v<Error>);

public:
    constexpr parsed(const Value& value) noexcept  // NOLINT(google-explicit-constructor)
        : value_{value} {}
    constexpr parsed(Error error) noexcept  // NOLINT(google-explicit-constructor)
        : error_{error} {
        assert(error != Error::none);  // our bug: no input chooses this
    }

    [[nodiscard]] constexpr bool has_value() const noexcept { return error_ == Error::none; }
    [[nodiscard]] constexpr explicit operator bool() const noexcept { return has_value(); }
    /// `none` when there is a value.
    [[nodiscard]] constexpr Error error() const noexcept { return error_; }

    /// Precondition: has_value().
    [[nodiscard]] constexpr const Value& operator*() const noexcept {
        assert(has_value());
        return value_;
    }
    [[nodiscard]] constexpr const Value* operator->() const noexcept { return &**this; }

private:
    Value value_{};
    Error error_ = Error::none;
};

}  // namespace weft::net::wire
