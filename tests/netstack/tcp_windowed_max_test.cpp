#include <weft/net/tcp/congestion/windowed_max.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

using weft::net::tcp::windowed_max;

TEST_SUITE("netstack.tcp.windowed_max") {
TEST_CASE("the best of the window, forgotten when it has passed") {
    windowed_max<std::uint32_t> m;
    CHECK(m.empty());
    CHECK(m.best() == 0);
    m.update(5, 100, 10);
    m.update(3, 101, 10);
    CHECK(m.best() == 5);
    m.update(4, 105, 10);
    CHECK(m.best() == 5);
    m.update(1, 110, 10);
    CHECK(m.best() == 5);
    m.update(1, 111, 10);
    CHECK(m.best() == 4);
    m.update(9, 112, 10);
    CHECK(m.best() == 9);
    m.expire(123, 10);
    CHECK(m.empty());
}

TEST_CASE("never above the true maximum, at most a third of the window older than the true one") {
    std::mt19937 random{7};
    for (int run = 0; run < 200; ++run) {
        windowed_max<std::uint32_t> m;
        std::vector<std::uint32_t> all;
        const std::uint32_t start = static_cast<std::uint32_t>(random());  // time may wrap
        for (std::uint32_t i = 0; i < 200; ++i) {
            all.push_back(static_cast<std::uint32_t>(random() % 1000));
            m.update(all.back(), start + i, 30);
            const auto best_since = [&](std::uint32_t back) {
                const auto from = all.end() - std::min<std::ptrdiff_t>(back + 1, std::ssize(all));
                return *std::max_element(from, all.end());
            };
            CHECK(m.best() <= best_since(30));
            CHECK(m.best() >= best_since(9));
        }
    }
}
}
