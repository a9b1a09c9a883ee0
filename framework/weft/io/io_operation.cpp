#include <weft/io/io_operation.hpp>
#include <weft/io/scheduler.hpp>

#include <cerrno>

namespace weft {
namespace {

/// EINTR, and what the kernel uses between itself for it (ERESTARTSYS, ERESTARTNOINTR,
/// ERESTARTNOHAND, ERESTART_RESTARTBLOCK): a splice that a cancellation interrupts in one of the
/// kernel's threads lets these out.
bool is_interruption(int answer) noexcept {
    return answer == -EINTR || answer == -512 || answer == -513 || answer == -514 || answer == -516;
}

}  // namespace

void io_operation::abandon(ring::answers that) noexcept {
    if (ring_ != nullptr) ring_->withdraw(*this, that);
}

void io_operation::start_request(const environment& env, stop_hook instead) {
    ring_ = env.scheduler->attached_ring();
    if (ring_ == nullptr) {
        answer_ = -EOPNOTSUPP;
        post_now(*env.scheduler);
        return;
    }
    make_(*this, *ring_, *this);
    park(*env.scheduler, env.stop, instead != nullptr ? instead : &on_stop);
}

auto io_operation::judge(int answer) noexcept -> next_step {
    if (answer == -EINTR && tolerates_ != tolerates::nothing) return next_step::again;
    const bool is_for_look =
        answer >= 0 || (answer == -EAGAIN && tolerates_ == tolerates::not_ready);
    return is_for_look && look_ != nullptr ? look_(*this, answer) : next_step::finish;
}

void io_operation::answered(ring_completion& self, int answer, unsigned /*flags*/) noexcept {
    auto& op = static_cast<io_operation&>(self);
    if (is_interruption(answer)) answer = op.stopping_ ? -ECANCELED : -EINTR;
    op.answer_ = answer;
    if (op.judge(answer) == next_step::again) {
        if (!op.stopping_) {
            op.make_(op, *op.ring_, op);
            return;
        }
        op.answer_ = -ECANCELED;
    }
    if (op.answer_ == -ECANCELED) op.mark_canceled();
    op.post();
}

void io_operation::on_stop(operation& self) noexcept {
    auto& op = static_cast<io_operation&>(self);
    if (op.stopping_) return;
    op.stopping_ = true;
    op.ring_->cancel(op);
}

std::error_code io_operation::failure() const noexcept {
    if (is_canceled()) return std::make_error_code(std::errc::operation_canceled);
    if (answer_ < 0) return {-answer_, std::generic_category()};
    return {};
}

result<std::size_t> io_operation::count() const noexcept {
    if (const std::error_code error = failure()) return error;
    return static_cast<std::size_t>(answer_);
}

result<void> io_operation::nothing() const noexcept {
    if (const std::error_code error = failure()) return error;
    return {};
}

}  // namespace weft
