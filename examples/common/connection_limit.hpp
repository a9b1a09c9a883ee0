#pragma once
// How many connections a server has open, and whether it may accept another: who comes above the
// limit waits in the listener's backlog. One thread.

#include <weft/sync/event.hpp>

#include <cstdint>

namespace examples {

class connection_limit {
public:
    explicit connection_limit(std::uint32_t max) noexcept : max_{max} {}

    /// Completes when another may be accepted; with an error when asked to stop before.
    [[nodiscard]] auto has_room() noexcept { return has_room_.wait(); }

    void opened() noexcept {
        if (++open_ >= max_) has_room_.reset();
    }
    void closed() noexcept {
        --open_;
        has_room_.set();
    }

private:
    const std::uint32_t max_;
    std::uint32_t open_ = 0;
    weft::event has_room_{true};
};

}  // namespace examples
