#pragma once
// `result<T>`: a value or a `std::error_code`. Failures that come from outside are results;
// exceptions are for bugs and for user code.
//
// A thin [[nodiscard]] class over tl::expected, so that the type is the same in every language
// mode and `value()` throws std::system_error. The one header here that needs more than std (the
// header-only tl::expected).

#include <system_error>
#include <tl/expected.hpp>
#include <type_traits>
#include <utility>

namespace weft {

template <class T>
class [[nodiscard]] result {
    using storage = tl::expected<T, std::error_code>;

public:
    using value_type = T;
    using error_type = std::error_code;

    result() requires std::is_void_v<T> || std::is_default_constructible_v<T> = default;
    result(std::error_code error) noexcept : state_{tl::unexpect, error} {}
    template <class Errc>
    requires(std::is_error_code_enum_v<Errc> || std::is_error_condition_enum_v<Errc>)
    result(Errc error) noexcept : state_{tl::unexpect, make_error_code(error)} {}
    template <class U = T>
    requires(!std::is_void_v<T> && std::is_constructible_v<T, U> &&
             !std::is_same_v<std::remove_cvref_t<U>, result> &&
             !std::is_same_v<std::remove_cvref_t<U>, std::error_code> &&
             !std::is_error_code_enum_v<std::remove_cvref_t<U>> &&
             !std::is_error_condition_enum_v<std::remove_cvref_t<U>>)
    result(U&& value) : state_{tl::in_place, std::forward<U>(value)} {}

    [[nodiscard]] bool has_value() const noexcept { return state_.has_value(); }
    explicit operator bool() const noexcept { return state_.has_value(); }

    /// The error, or a code of value 0 when there is a value: one comparison serves both.
    [[nodiscard]] std::error_code error() const noexcept {
        return state_.has_value() ? std::error_code{} : state_.error();
    }

    /// The value. Throws std::system_error with the error when there is none.
    decltype(auto) value() & { return checked(*this); }
    decltype(auto) value() const& { return checked(*this); }
    decltype(auto) value() && { return checked(std::move(*this)); }

    /// The value. Precondition: has_value().
    auto& operator*() & noexcept requires(!std::is_void_v<T>) { return *state_; }
    const auto& operator*() const& noexcept requires(!std::is_void_v<T>) { return *state_; }
    auto&& operator*() && noexcept requires(!std::is_void_v<T>) { return *std::move(state_); }
    auto* operator->() noexcept requires(!std::is_void_v<T>) { return &*state_; }
    const auto* operator->() const noexcept requires(!std::is_void_v<T>) { return &*state_; }

    template <class U>
    requires(!std::is_void_v<T>) [[nodiscard]] auto value_or(U&& otherwise) const& {
        return state_.value_or(std::forward<U>(otherwise));
    }
    template <class U>
    requires(!std::is_void_v<T>) [[nodiscard]] auto value_or(U&& otherwise) && {
        return std::move(state_).value_or(std::forward<U>(otherwise));
    }

    /// `f(value)`, which returns a result, or this error.
    template <class F>
    auto and_then(F&& f) && {
        if constexpr (std::is_void_v<T>) {
            using next = std::invoke_result_t<F>;
            return has_value() ? std::forward<F>(f)() : next{error()};
        } else {
            using next = std::invoke_result_t<F, T&&>;
            return has_value() ? std::forward<F>(f)(*std::move(state_)) : next{error()};
        }
    }

    /// A result of `f(value)`, or this error.
    template <class F>
    auto transform(F&& f) && {
        if constexpr (std::is_void_v<T>) {
            using next = result<std::invoke_result_t<F>>;
            if (!has_value()) return next{error()};
            if constexpr (std::is_void_v<std::invoke_result_t<F>>) {
                std::forward<F>(f)();
                return next{};
            } else {
                return next{std::forward<F>(f)()};
            }
        } else {
            using next = result<std::invoke_result_t<F, T&&>>;
            if (!has_value()) return next{error()};
            if constexpr (std::is_void_v<std::invoke_result_t<F, T&&>>) {
                std::forward<F>(f)(*std::move(state_));
                return next{};
            } else {
                return next{std::forward<F>(f)(*std::move(state_))};
            }
        }
    }

    /// This value, or `f(error)`, which returns a result of the same type.
    template <class F>
    result or_else(F&& f) && {
        return has_value() ? std::move(*this) : result{std::forward<F>(f)(error())};
    }

private:
    template <class Self>
    static decltype(auto) checked(Self&& self) {
        if (!self.has_value()) throw std::system_error{self.error()};
        if constexpr (!std::is_void_v<T>) return *std::forward<Self>(self).state_;
    }

    storage state_;
};

}  // namespace weft
