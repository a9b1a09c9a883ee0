// What this kernel's io_uring can do, asked of the kernel; and NAPI busy polling, which liburing
// 2.3 has no calls for.

#include <weft/io/ring.hpp>
#include <weft/io/ring_abilities.hpp>
#include <weft/io/ring_state.hpp>

#include <liburing.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>

namespace weft {
namespace {

// Younger than the headers (include/uapi/linux/io_uring.h of Linux 6.9).
constexpr unsigned opcode_read_multishot = 49;
constexpr unsigned opcode_ftruncate = 55;
constexpr unsigned register_napi = 27;
constexpr unsigned unregister_napi = 28;

struct napi_setting {
    std::uint32_t busy_poll_microseconds = 0;
    std::uint8_t prefer_busy_poll = 0;
    std::uint8_t pad[3] = {};
    std::uint64_t reserved = 0;
};

int change_napi(int ring, unsigned what, napi_setting& setting) noexcept {
    return ::syscall(__NR_io_uring_register, ring, what, &setting, 1) < 0 ? errno : 0;
}

}  // namespace

std::string why_no_ring(int error, std::string_view release) {
    const std::string kernel = "Linux " + std::string{release};
    switch (error) {
        case EINVAL: return "io_uring: " + kernel + " is too old, Linux 6.1 or newer is needed";
        case ENOSYS:
            return "io_uring: not available here (" + kernel +
                   "); Linux 6.1 or newer is needed, and a container has to allow it (its seccomp "
                   "profile)";
        case EPERM:
        case EACCES:
            return "io_uring: not permitted here; see sysctl kernel.io_uring_disabled (0 allows "
                   "it, 1 only members of kernel.io_uring_group) and the container's seccomp "
                   "profile";
        case ENOMEM: return "io_uring: no memory for its queues; see ulimit -l";
        case EMFILE:
        case ENFILE: return "io_uring: no descriptor for the ring; see ulimit -n";
        default: return "io_uring: cannot be set up";
    }
}

/// By a request that fails in either case: a kernel that has no such limit finds the entry invalid,
/// another one the descriptor.
bool ring::ends_receives() {
    io_uring& kernel = state_->kernel;
    io_uring_sqe* const entry = io_uring_get_sqe(&kernel);
    io_uring_prep_recv_multishot(entry, -1, nullptr, 0, 0);
    entry->flags |= IOSQE_BUFFER_SELECT;
    state::limit_receive(*entry, 1);
    io_uring_cqe* answer = nullptr;
    while (io_uring_submit_and_wait(&kernel, 1) == -EINTR) {
    }
    if (io_uring_peek_cqe(&kernel, &answer) != 0) return false;
    const bool is_known = answer->res == -EBADF;
    io_uring_cqe_seen(&kernel, answer);
    return is_known;
}

ring_abilities ring::probe() {
    const int descriptor = state_->kernel.ring_fd;
    ring_abilities found;
    constexpr unsigned opcodes = 256;
    const std::size_t bytes = sizeof(io_uring_probe) + opcodes * sizeof(io_uring_probe_op);
    const auto memory = std::make_unique<std::byte[]>(bytes);
    auto* const answer = reinterpret_cast<io_uring_probe*>(memory.get());
    if (::syscall(__NR_io_uring_register, descriptor, IORING_REGISTER_PROBE, answer, opcodes) < 0) {
        return found;
    }
    const auto* const known = reinterpret_cast<const io_uring_probe_op*>(answer + 1);
    const auto has = [&](unsigned opcode) {
        return opcode <= answer->last_op && (known[opcode].flags & IO_URING_OP_SUPPORTED) != 0;
    };
    found.zero_copy_send = has(IORING_OP_SEND_ZC);
    found.read_multishot = has(opcode_read_multishot);
    found.truncate = has(opcode_ftruncate);
    found.zero_copy_report = found.read_multishot;  // no opcode of its own: 6.2 for certain by 6.7
    napi_setting none;
    found.receive_limit = ends_receives();
    found.busy_poll = change_napi(descriptor, unregister_napi, none) == 0;
    return found;
}

std::error_code ring::poll_busily(duration limit, bool prefer) noexcept {
    if (!abilities_.busy_poll) return std::make_error_code(std::errc::invalid_argument);
    const auto microseconds = std::chrono::duration_cast<std::chrono::microseconds>(limit).count();
    napi_setting setting;
    setting.busy_poll_microseconds =
        static_cast<std::uint32_t>(std::min<std::int64_t>(microseconds, 1'000'000));
    setting.prefer_busy_poll = prefer ? 1 : 0;
    const unsigned what = microseconds > 0 ? register_napi : unregister_napi;
    if (const int error = change_napi(descriptor(), what, setting)) {
        return {error, std::generic_category()};
    }
    return {};
}

}  // namespace weft
