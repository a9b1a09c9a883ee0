#include <doctest/doctest.h>
#include <weft/base/slab.hpp>

#include <cstdint>
#include <random>
#include <set>
#include <stdexcept>
#include <vector>

using weft::slab;

namespace {

struct counted {
    explicit counted(int n) : number{n} {
        if (n < 0) throw std::invalid_argument{"negative"};
        ++alive;
    }
    counted(const counted&) = delete;
    counted& operator=(const counted&) = delete;
    ~counted() { --alive; }
    int number;
    static inline int alive = 0;
};

TEST_SUITE("base.slab") {
TEST_CASE("objects keep their address and value while others come and go") {
    slab<counted> pool;
    std::mt19937 random{7};
    std::vector<counted*> live;
    std::vector<int> numbers;
    for (int step = 0; step < 20'000; ++step) {
        if (live.empty() || random() % 3 != 0) {
            live.push_back(&pool.create(step));
            numbers.push_back(step);
        } else {
            const std::size_t at = random() % live.size();
            pool.destroy(*live[at]);
            live[at] = live.back();
            numbers[at] = numbers.back();
            live.pop_back();
            numbers.pop_back();
        }
    }
    CHECK(pool.size() == live.size());
    CHECK(static_cast<std::size_t>(counted::alive) == live.size());
    for (std::size_t i = 0; i < live.size(); ++i) REQUIRE(live[i]->number == numbers[i]);
    CHECK(std::set<counted*>(live.begin(), live.end()).size() == live.size());
}

TEST_CASE("memory is used again, the last freed first") {
    slab<counted> pool;
    counted* first = &pool.create(1);
    const std::size_t reserved = pool.reserved_bytes();
    pool.destroy(*first);
    CHECK(&pool.create(2) == first);
    for (int i = 0; i < 100'000; ++i) pool.destroy(pool.create(i));
    CHECK(pool.reserved_bytes() == reserved);
}

TEST_CASE("what still lives dies with the slab") {
    const int before = counted::alive;
    {
        slab<counted> pool;
        for (int i = 0; i < 1000; ++i) pool.create(i);
        CHECK(counted::alive == before + 1000);
    }
    CHECK(counted::alive == before);
}

TEST_CASE("a constructor that throws leaves the slab as it was") {
    slab<counted> pool;
    pool.create(1);
    CHECK_THROWS_AS(pool.create(-1), std::invalid_argument);
    CHECK(pool.size() == 1);
    CHECK(pool.create(2).number == 2);
    CHECK(pool.size() == 2);
}

TEST_CASE("for_each visits the living and may destroy the one it visits") {
    slab<counted> pool;
    for (int i = 0; i < 500; ++i) pool.create(i);
    pool.for_each([&](counted& each) {
        if (each.number % 2 == 0) pool.destroy(each);
    });
    int sum = 0;
    pool.for_each([&](counted& each) { sum += each.number; });
    CHECK(pool.size() == 250);
    CHECK(sum == 250 * 250);
}

TEST_CASE("a small and an over-aligned type are stored as they need") {
    slab<char> small;
    std::set<char*> places;
    for (int i = 0; i < 1000; ++i) places.insert(&small.create('x'));
    CHECK(places.size() == 1000);

    struct alignas(128) wide {
        char bytes[200];
    };
    slab<wide> aligned;
    for (int i = 0; i < 300; ++i) {
        REQUIRE(reinterpret_cast<std::uintptr_t>(&aligned.create()) % 128 == 0);
    }
}
}

}  // namespace
