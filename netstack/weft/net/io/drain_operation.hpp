#pragma once
// The operation behind host::stop(): waits until no connection is open any more and what there was
// to say was given to the device, or until a deadline.

#include <weft/base/operation.hpp>
#include <weft/base/timer_wheel.hpp>

namespace weft::net {

class host;

class drain_operation : public operation {
public:
    using ignores_stop = void;  // it is what a program does after it was asked to stop

    drain_operation(completion on_completion, host& owner, instant deadline) noexcept
        : operation{on_completion}, host_{owner}, deadline_{deadline}, alarm_{*this} {}

    [[nodiscard]] bool ready() const noexcept { return false; }
    void start(const environment& in) noexcept;
    void finish() noexcept { alarm_.disarm(); }

    /// The host has emitted what it could, and this is how things stand.
    void on_settled(bool is_drained, instant now) noexcept {
        if (is_drained || now >= deadline_) post();
    }

private:
    struct alarm : timer_node {
        explicit alarm(drain_operation& self) noexcept;
        drain_operation& self_;
    };

    host& host_;
    instant deadline_;
    alarm alarm_;
};

}  // namespace weft::net
