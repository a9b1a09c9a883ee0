#pragma once
// `tcp::shard_of` and `shard_of_datagram` as an eBPF program: the kernel asks it for the queue of
// each frame that it puts into a TAP (TUNSETSTEERINGEBPF), so a segment arrives at its shard from
// the first one on.
//
// Assembled by hand and loaded with bpf(2): no compiler, no library. What is no whole segment
// or UDP datagram over IPv4 (ARP, fragments, VLAN tags, short frames) goes to queue 0. Needs
// CAP_BPF or CAP_SYS_ADMIN; without it sharded_host steers in software.

#include <weft/base/result.hpp>
#include <weft/net/tcp/shard.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace weft::net {

class steering_program {
public:
    /// Errors: those of bpf(2); `operation_not_permitted` is the common one.
    [[nodiscard]] static result<steering_program> load(const tcp::shard_map& map);

    steering_program(steering_program&& other) noexcept : fd_{std::exchange(other.fd_, -1)} {}
    steering_program& operator=(steering_program&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~steering_program();

    [[nodiscard]] int descriptor() const noexcept { return fd_; }

    /// What the kernel's own test run says to a frame. Errors: those of bpf(2).
    [[nodiscard]] result<std::uint32_t> queue_for(std::span<const std::byte> frame) const;

private:
    explicit steering_program(int fd) noexcept : fd_{fd} {}

    int fd_;
};

}  // namespace weft::net
