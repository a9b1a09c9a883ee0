#include <weft/base/ring_queue.hpp>

#include <doctest/doctest.h>

#include <deque>
#include <memory>
#include <random>
#include <string>

using weft::ring_queue;

TEST_SUITE("base.ring_queue") {
TEST_CASE(
    "it does what a deque does: push, pop, insert and erase anywhere, across the array's end") {
    for (std::uint32_t seed = 1; seed <= 50; ++seed) {
        CAPTURE(seed);
        std::mt19937 random{seed};
        const auto below = [&random](std::size_t n) {
            return static_cast<std::uint32_t>(random() % n);
        };
        ring_queue<std::string> queue;
        std::deque<std::string> model;
        const std::uint32_t most = 4 + below(60);
        for (int step = 0; step < 2000; ++step) {
            const std::string value = "value number " + std::to_string(step);  // on the heap
            const std::uint32_t action = below(6);
            if (action == 0) {
                queue.push_back(value);
                model.push_back(value);
            } else if (action <= 2) {
                const std::uint32_t at = below(model.size() + 1);
                queue.insert(at, value);
                model.insert(model.begin() + at, value);
            } else if (action == 3 && !model.empty()) {
                queue.pop_front();
                model.pop_front();
            } else if (action == 4 || model.size() > most) {
                const std::uint32_t at = below(model.size() + 1);
                const std::uint32_t count = below(model.size() - at + 1);
                queue.erase(at, model.size() > most ? count : std::min(count, 3U));
                model.erase(
                    model.begin() + at,
                    model.begin() + at + (model.size() > most ? count : std::min(count, 3U)));
            } else if (!model.empty()) {
                queue.pop_back();
                model.pop_back();
            }
            REQUIRE(queue.size() == model.size());
            for (std::uint32_t i = 0; i < queue.size(); ++i) REQUIRE(queue[i] == model[i]);
        }
    }
}

TEST_CASE("an element that cannot be copied moves along; what is erased is destroyed at once") {
    ring_queue<std::shared_ptr<int>> queue;
    const auto watched = std::make_shared<int>(1);
    for (int i = 0; i < 5; ++i) queue.push_back(watched);
    queue.insert(2, std::make_shared<int>(2));
    CHECK(*queue[2] == 2);
    CHECK(watched.use_count() == 6);
    queue.erase(0, 2);
    CHECK(watched.use_count() == 4);
    CHECK(*queue.front() == 2);
    queue.release();
    CHECK(watched.use_count() == 1);

    ring_queue<std::unique_ptr<int>> owners;
    for (int i = 0; i < 9; ++i) owners.insert(owners.size() / 2, std::make_unique<int>(i));
    owners.erase(3, 4);
    CHECK(owners.size() == 5);
    CHECK(*owners.front() == 1);
}
}
