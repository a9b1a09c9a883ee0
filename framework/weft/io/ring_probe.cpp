// What this kernel's io_uring can do, asked of the kernel; and NAPI busy polling, which liburing
// 2.3 has no calls for.

#include <weft/io/ring.hpp>

#include <liburing.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <memory>
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

ring_abilities ring::probe(int descriptor) {
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
    found.busy_poll = change_napi(descriptor, unregister_napi, none) == 0;
    return found;
}

std::error_code ring::poll_busily(duration limit, bool prefer) noexcept {
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
