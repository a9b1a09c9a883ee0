#pragma once
// An operation whose event is an io_uring completion.
//
// A stop does not end the wait: it asks the kernel to cancel, and the operation completes when the
// kernel has answered, so buffers are valid as long as the kernel may touch them. A request that
// was faster than its cancellation reports its own result. Destroying an operation that is in
// flight (which joined tasks never do) cancels and waits on the spot. On a scheduler without a ring
// (a simulation) every operation ends with `std::errc::operation_not_supported`.

#include <weft/base/operation.hpp>
#include <weft/base/result.hpp>
#include <weft/io/ring.hpp>

#include <cstddef>

namespace weft {

class io_operation : public operation, protected ring_completion {
public:
    [[nodiscard]] bool ready() const noexcept { return false; }

protected:
    /// What the kernel's answer means for the operation.
    enum class next_step : unsigned char { finish, again };
    /// Puts the request into the ring; the completion is to go to `done`.
    using request = void (*)(io_operation&, class ring&, ring_completion& done);
    /// Looks at an answer that is no error; `again` makes the request once more.
    using review = next_step (*)(io_operation&, int answer) noexcept;
    /// Errors that say nothing about the request: with `interrupted`, EINTR makes it once more;
    /// with `not_ready`, EAGAIN is for `look` as well.
    enum class tolerates : unsigned char { nothing, interrupted, not_ready };

    io_operation(completion on_completion, request make, review look = nullptr,
                 tolerates errors = tolerates::nothing) noexcept
        : operation{on_completion},
          ring_completion{&answered},
          make_{make},
          look_{look},
          tolerates_{errors} {}
    ~io_operation() { abandon(); }

    /// With `instead`, a stop calls that, and the request goes on.
    void start_request(const environment& env, stop_hook instead = nullptr);

    /// Called by the destructor of whoever owns memory that the request points at.
    void abandon(ring::answers that = ring::answers::are_dropped) noexcept;

    /// The last answer: a count or a descriptor, or a negated errno.
    [[nodiscard]] int answer() const noexcept { return answer_; }
    [[nodiscard]] std::error_code failure() const noexcept;
    [[nodiscard]] result<std::size_t> count() const noexcept;
    [[nodiscard]] result<void> nothing() const noexcept;

private:
    static void answered(ring_completion& self, int answer, unsigned flags) noexcept;
    [[nodiscard]] next_step judge(int answer) noexcept;
    static void on_stop(operation& self) noexcept;

    request make_;
    review look_;
    class ring* ring_ = nullptr;
    int answer_ = -1;
    bool stopping_ = false;
    tolerates tolerates_;
};

}  // namespace weft
