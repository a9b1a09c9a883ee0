#include <weft/errc.hpp>
#include <weft/join_scope.hpp>

#include <cassert>
#include <utility>

namespace weft {

join_scope::~join_scope() {
    assert(first_exception_ == nullptr && !first_error_ &&
           "a group was destroyed with a failure that no join has reported");
}

void join_scope::cancel() noexcept {
    was_canceled_ = true;
    stop_.request_stop();
}

void join_scope::child_ended(std::exception_ptr exception, std::error_code error) noexcept {
    const bool failed =
        exception != nullptr || (error && !(was_canceled_ && error == errc::canceled));
    if (failed && first_exception_ == nullptr && !first_error_) {
        first_exception_ = std::move(exception);
        first_error_ = error;
        stop_.request_stop();
    }
    child_ended();
}

result<void> join_scope::take_outcome() {
    const std::error_code error = std::exchange(first_error_, {});
    if (first_exception_ != nullptr) {
        std::rethrow_exception(std::exchange(first_exception_, nullptr));
    }
    if (error) return error;
    return {};
}

}  // namespace weft
