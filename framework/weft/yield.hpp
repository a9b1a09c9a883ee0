#pragma once
// `co_await yield()`: lets everything run that is posted already.

#include <weft/awaiter.hpp>
#include <weft/io/scheduler.hpp>

#include <string_view>

namespace weft {

class yield_operation : public operation {
public:
    static constexpr std::string_view trace_name = "yield";
    using ignores_stop = void;
    explicit yield_operation(completion on_completion) noexcept : operation{on_completion} {}

    [[nodiscard]] bool ready() const noexcept { return false; }
    void start(const environment& in) noexcept { post_now(*in.scheduler); }
    void finish() const noexcept {}
};

/// Resumes from the end of the run queue, in the same turn if its budget lasts. A stop request does
/// not change that: a loop that only yields has to look at its stop token.
[[nodiscard]] inline awaiter<yield_operation> yield() noexcept {
    return awaiter<yield_operation>{};
}

}  // namespace weft
