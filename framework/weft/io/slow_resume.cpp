// Who keeps a loop from turning: the part of the scheduler that looks at the clock for it.
#include <weft/debug.hpp>
#include <weft/io/scheduler.hpp>
#include <weft/log.hpp>

#include <chrono>
#include <string>
#include <type_traits>

namespace weft {
namespace {

[[maybe_unused]] std::string place_of(const traced::location& where) {
    return fmt::format("{} at {}:{}", debug::function_name(where.at().function_name()),
                       where.at().file_name(), where.at().line());
}

/// What is known of the coroutines that ran.
template <class Registry>
std::string describe_runs(Registry& traces) {
    if constexpr (std::is_same_v<Registry, traced::registry>) {
        std::string text;
        if (traces.first_run().is_known()) {
            text += fmt::format("it went on in {}", place_of(traces.first_run()));
        }
        const traced::record* const last = traces.last_run();
        if (last != nullptr && last->where().is_known()) {
            text += fmt::format("{}now waits in {}", text.empty() ? "" : " and ",
                                place_of(last->where()));
            if (!last->name().empty()) text += fmt::format(" (\"{}\")", last->name());
        }
        return text.empty() ? "it awaited nothing" : text;
    } else {
        return "a build with WEFT_ASYNC_TRACE tells which";
    }
}

template <class Registry>
void forget_runs(Registry& traces) noexcept {
    if constexpr (std::is_same_v<Registry, traced::registry>) traces.forget_runs();
}

}  // namespace

std::size_t scheduler::complete_watched(std::size_t budget) noexcept {
    std::size_t completed = 0;
    auto before = std::chrono::steady_clock::now();
    while (completed < budget && !empty()) {
        forget_runs(traces_);
        run_queue::run(1);
        ++completed;
        const auto after = std::chrono::steady_clock::now();
        if (after - before >= slow_limit_) {
            report_slow_resume(std::chrono::duration_cast<duration>(after - before));
            before = std::chrono::steady_clock::now();
        } else {
            before = after;
        }
    }
    return completed;
}

void scheduler::report_slow_resume(duration taken) noexcept {
    log::get("loop").warning("a coroutine kept the loop for {:.1f} ms: {}",
                             std::chrono::duration<double, std::milli>{taken}.count(),
                             describe_runs(traces_));
}

}  // namespace weft
