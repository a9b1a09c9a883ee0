// A group runs tasks: what is awaited needs one around it.
// both: spawn takes a task
#include <weft/sleep.hpp>
#include <weft/task_group.hpp>

weft::task<weft::result<void>> pauses() {
    co_return co_await weft::sleep_for(std::chrono::seconds{1});
}

void starts(weft::task_group& group) {
#ifdef MISUSE
    group.spawn(weft::sleep_for(std::chrono::seconds{1}));
#else
    group.spawn(pauses());
#endif
}
