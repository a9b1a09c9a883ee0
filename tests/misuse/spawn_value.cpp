// Nobody would look at the value of a child, nor at the error in it.
// both: a child of a group returns void or result<void>
#include <weft/task_group.hpp>

#include <cstddef>

weft::task<weft::result<std::size_t>> counts() { co_return std::size_t{1}; }

weft::task<weft::result<void>> counts_into(std::size_t& sum) {
    auto counted = co_await counts();
    if (counted) sum += *counted;
    co_return counted.error() ? weft::result<void>{counted.error()} : weft::result<void>{};
}

void starts(weft::task_group& group, std::size_t& sum) {
#ifdef MISUSE
    group.spawn(counts());
    (void)sum;
#else
    group.spawn(counts_into(sum));
#endif
}
