#include <doctest/doctest.h>
#include <weft/base/result.hpp>

#include <memory>
#include <string>
#include <system_error>

using weft::result;

namespace {

result<int> half(int n) {
    if (n % 2 != 0) return std::errc::invalid_argument;
    return n / 2;
}

TEST_SUITE("base.result") {
TEST_CASE("a result holds a value or an error, and error() serves both") {
    const result<int> good = half(4);
    const result<int> bad = half(3);
    CHECK(good.has_value());
    CHECK(*good == 2);
    CHECK_FALSE(good.error());
    CHECK_FALSE(bad.has_value());
    CHECK(bad.error() == std::errc::invalid_argument);
}

TEST_CASE("value() of an error throws std::system_error with that error") {
    try {
        static_cast<void>(half(3).value());
        FAIL("nothing was thrown");
    } catch (const std::system_error& thrown) {
        CHECK(thrown.code() == std::errc::invalid_argument);
    }
    result<void> failed{std::errc::io_error};
    CHECK_THROWS_AS(failed.value(), std::system_error);
    result<void> fine;
    CHECK_NOTHROW(fine.value());
}

TEST_CASE("and_then, transform, or_else and value_or chain") {
    CHECK(*half(8).and_then(half) == 2);
    CHECK(half(6).and_then(half).error() == std::errc::invalid_argument);
    CHECK(*half(8).transform([](int n) { return std::to_string(n); }) == "4");
    CHECK(*half(3).or_else([](std::error_code) { return result<int>{7}; }) == 7);
    CHECK(half(3).value_or(9) == 9);
    CHECK(half(2).value_or(9) == 1);
    int called = 0;
    result<void> after = half(2).transform([&](int) { ++called; });
    CHECK(after.has_value());
    CHECK(called == 1);
}

TEST_CASE("a result carries what can only be moved") {
    result<std::unique_ptr<int>> made{std::make_unique<int>(5)};
    const std::unique_ptr<int> taken = std::move(made).value();
    CHECK(*taken == 5);
}
}

}  // namespace
