#pragma once
// The loop of one thread: a scheduler on the steady clock, fed by one io_uring.
//
// A turn begins with the completions that have arrived (at most 64, the rest next turn) and ends
// with one system call that submits what the turn prepared and waits for the next completion or
// the next deadline. weft::run() makes one; a program that wants several loops makes one a thread.

#include <weft/io/ring.hpp>
#include <weft/io/scheduler.hpp>
#include <weft/task.hpp>

#include <utility>

namespace weft {

class io_context final : public scheduler {
public:
    using options = weft::ring::options;

    /// Throws std::system_error when there is no usable io_uring; its text says what to do.
    explicit io_context(options wanted = {256, 4096, duration::zero(), every_ability})
        : ring_{wanted} {}

    [[nodiscard]] weft::ring& ring() noexcept { return ring_; }
    [[nodiscard]] weft::ring* attached_ring() noexcept override { return &ring_; }

protected:
    void feed() noexcept override;
    void wait(instant until) noexcept override;
    [[nodiscard]] bool expects_input() const noexcept override {
        return ring_.in_flight() != 0 || ring_.expects_notices();
    }

private:
    weft::ring ring_;
};

}  // namespace weft
