#include <doctest/doctest.h>
#include <weft/base/intrusive_list.hpp>

#include <vector>

using weft::intrusive_list;
using weft::list_hook;

namespace {

struct by_age;
struct item : list_hook<>, list_hook<by_age> {
    explicit item(int n) : number{n} {}
    int number;
};

std::vector<int> numbers(intrusive_list<item>& list) {
    std::vector<int> seen;
    for (const item& each : list) seen.push_back(each.number);
    return seen;
}

TEST_SUITE("base.intrusive_list") {
TEST_CASE("an element leaves the list when it is destroyed") {
    intrusive_list<item> list;
    item one{1};
    item three{3};
    {
        item two{2};
        list.push_back(one);
        list.push_back(two);
        list.push_back(three);
        CHECK(numbers(list) == std::vector{1, 2, 3});
    }
    CHECK(numbers(list) == std::vector{1, 3});
}

TEST_CASE("an element is on one list for each tag") {
    intrusive_list<item> list;
    intrusive_list<item, by_age> other;
    item one{1};
    list.push_back(one);
    other.push_back(one);
    list.erase(one);
    CHECK(list.empty());
    CHECK(&other.front() == &one);
}

TEST_CASE("splice_back appends everything and leaves the other list empty") {
    intrusive_list<item> list;
    intrusive_list<item> tail;
    item one{1}, two{2}, three{3};
    list.push_back(one);
    tail.push_back(two);
    tail.push_back(three);
    list.splice_back(tail);
    list.splice_back(tail);
    CHECK(tail.empty());
    CHECK(numbers(list) == std::vector{1, 2, 3});
    CHECK(list.back().number == 3);
}

TEST_CASE("a list that dies lets its elements go") {
    item one{1};
    {
        intrusive_list<item> list;
        list.push_back(one);
    }
    CHECK_FALSE(static_cast<list_hook<>&>(one).is_linked());
}

TEST_CASE("for_each may unlink the element it visits") {
    intrusive_list<item> list;
    item one{1}, two{2}, three{3};
    list.push_front(three);
    list.push_front(two);
    list.push_front(one);
    list.for_each([&](item& each) {
        if (each.number == 2) list.erase(each);
    });
    CHECK(numbers(list) == std::vector{1, 3});
}
}

}  // namespace
