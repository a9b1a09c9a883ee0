// A closure that owns something dies before the coroutine that it made.
// both: pass what the body owns as further arguments
#include <weft/task_group.hpp>

#include <memory>
#include <utility>

weft::task<weft::result<void>> starts(std::shared_ptr<int> shared) {
#ifdef MISUSE
    auto body = [shared](weft::task_group&) -> weft::task<> {
        ++*shared;
        co_return;
    };
    co_return co_await weft::with_task_group(body);
#else
    auto body = [](weft::task_group&, std::shared_ptr<int> counted) -> weft::task<> {
        ++*counted;
        co_return;
    };
    co_return co_await weft::with_task_group(body, std::move(shared));
#endif
}
