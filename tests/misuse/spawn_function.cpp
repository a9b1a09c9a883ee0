// A group runs tasks, not functions that make one.
// both: spawn takes a task
#include <weft/task_group.hpp>

weft::task<> child() { co_return; }

void starts(weft::task_group& group) {
#ifdef MISUSE
    group.spawn([] { return child(); });
#else
    group.spawn(child());
#endif
}
