#include <weft/io/ring.hpp>
#include <weft/io/ring_buffers.hpp>

#include <liburing.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <stdexcept>
#include <system_error>

namespace weft {
namespace {

std::byte* map(std::size_t bytes) {
    void* const at =
        ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return at == MAP_FAILED ? nullptr : static_cast<std::byte*>(at);
}

}  // namespace

ring_buffers::ring_buffers(ring& owner, std::uint32_t count, std::size_t size_bytes)
    : ring_{owner}, count_{count}, size_bytes_{size_bytes}, group_{owner.next_buffer_group()} {
    if (!std::has_single_bit(count) || count > 32768 || size_bytes == 0) {
        throw std::invalid_argument{"a ring has a power of two of buffers, at most 32768"};
    }
    const std::size_t entries_bytes = count * sizeof(io_uring_buf);
    entries_ = map(entries_bytes);
    memory_ = map(count * size_bytes);
    io_uring_buf_reg wanted{};
    wanted.ring_addr = reinterpret_cast<std::uintptr_t>(entries_);
    wanted.ring_entries = count;
    wanted.bgid = group_;
    int error = 0;
    if (entries_ == nullptr || memory_ == nullptr) {
        error = ENOMEM;
    } else if (::syscall(__NR_io_uring_register, owner.descriptor(), IORING_REGISTER_PBUF_RING,
                         &wanted, 1) < 0) {
        error = errno;
    }
    if (error != 0) {
        if (entries_ != nullptr) ::munmap(entries_, entries_bytes);
        if (memory_ != nullptr) ::munmap(memory_, count * size_bytes);
        throw std::system_error{error, std::generic_category(), "io_uring: provided buffers"};
    }
    for (std::uint32_t i = 0; i < count; ++i) give_back(static_cast<std::uint16_t>(i));
}

ring_buffers::~ring_buffers() {
    io_uring_buf_reg gone{};
    gone.bgid = group_;
    (void)::syscall(__NR_io_uring_register, ring_.descriptor(), IORING_UNREGISTER_PBUF_RING, &gone,
                    1);
    ::munmap(entries_, count_ * sizeof(io_uring_buf));
    ::munmap(memory_, count_ * size_bytes_);
}

void ring_buffers::give_back(std::uint16_t number) noexcept {
    auto* const shared = reinterpret_cast<io_uring_buf_ring*>(entries_);
    io_uring_buf_ring_add(shared, at(number).data(), static_cast<unsigned>(size_bytes_), number,
                          io_uring_buf_ring_mask(count_), 0);
    io_uring_buf_ring_advance(shared, 1);
}

}  // namespace weft
