// weft::framework alone: tasks on a virtual clock. Needs no io_uring.

#include <weft/io/scheduler.hpp>
#include <weft/task.hpp>

namespace {

weft::task<int> one() { co_return 1; }

weft::task<int> sum(int terms) {
    int total = 0;
    for (int i = 0; i < terms; ++i) total += co_await one();
    co_return total;
}

}  // namespace

int main() {
    weft::scheduler loop{weft::scheduler::clock::virtual_time};
    return loop.run_until_done(sum(1000)) == 1000 ? 0 : 1;
}
