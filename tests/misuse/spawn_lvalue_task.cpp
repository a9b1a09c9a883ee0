// A task is moved into its group.
// both: deleted
#include <weft/task_group.hpp>

#include <utility>

weft::task<> child() { co_return; }

void starts(weft::task_group& group) {
    weft::task<> made_before = child();
#ifdef MISUSE
    group.spawn(made_before);
#else
    group.spawn(std::move(made_before));
#endif
}
