#pragma once
// Waiting for any descriptor to become readable or writable, as poll(2) means it.
//
// For descriptors that other libraries own. Completes also when the descriptor has an error or was
// hung up: the call that follows reports it. One-shot; resumes on the awaiting loop.

#include <weft/awaiter.hpp>
#include <weft/io/io_operation.hpp>

#include <cstdint>

namespace weft {

enum class fd_event : std::uint8_t { readable, writable };

class wait_fd_operation : public io_operation {
public:
    wait_fd_operation(completion on_completion, int fd, fd_event awaited) noexcept
        : io_operation{on_completion, &make, nullptr, tolerates::interrupted},
          fd_{fd},
          awaited_{awaited} {}
    void start(const environment& env) { start_request(env); }
    [[nodiscard]] result<void> finish() noexcept { return nothing(); }

private:
    static void make(io_operation& self, class ring& ring, ring_completion& done);

    int fd_;
    fd_event awaited_;
};

[[nodiscard]] inline auto wait_fd(int fd, fd_event awaited) {
    return awaiter<wait_fd_operation>{fd, awaited};
}

}  // namespace weft
