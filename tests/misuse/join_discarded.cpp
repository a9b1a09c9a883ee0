// The failure of a child reaches whoever joins, who has to look; g++ 12 does not see it.
// clang++: ignoring return value
#include <weft/task_group.hpp>

weft::task<weft::result<void>> parent(weft::task_group& group) {
#ifdef MISUSE
    co_await group.join();
    co_return weft::result<void>{};
#else
    co_return co_await group.join();
#endif
}
