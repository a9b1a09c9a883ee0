// Sockets: connect, multishot accept and receive, send with and without a copy, messages.

#include <weft/io/ring.hpp>
#include <weft/io/ring_state.hpp>

#include <liburing.h>
#include <sys/socket.h>

namespace weft {
namespace {

/// Linux takes at most this much in one call.
unsigned length_of(std::size_t bytes) noexcept {
    constexpr std::size_t largest = 0x7fff'f000;
    return static_cast<unsigned>(bytes < largest ? bytes : largest);
}

// Younger than the headers.
constexpr unsigned report_zero_copy_usage = 1U << 3;  // IORING_SEND_ZC_REPORT_USAGE, Linux 6.2
constexpr unsigned zero_copy_notification = 1U << 3;  // IORING_CQE_F_NOTIF
constexpr unsigned zero_copy_copied = 1U << 31;       // IORING_NOTIF_USAGE_ZC_COPIED

}  // namespace

void ring::connect(ring_completion& done, int fd, const struct sockaddr& to, unsigned length) {
    io_uring_sqe& entry = request(done);
    io_uring_prep_connect(&entry, fd, &to, length);
    io_uring_sqe_set_data(&entry, &done);
}

void ring::accept_all(ring_completion& done, int fd, int flags) {
    io_uring_sqe& entry = request(done);
    io_uring_prep_multishot_accept(&entry, fd, nullptr, nullptr, flags);
    io_uring_sqe_set_data(&entry, &done);
}

void ring::receive_all(ring_completion& done, int fd, std::uint16_t buffers, std::uint32_t most) {
    io_uring_sqe& entry = request(done);
    io_uring_prep_recv_multishot(&entry, fd, nullptr, 0, 0);
    if (abilities_.receive_limit) state::limit_receive(entry, most);
    entry.flags |= IOSQE_BUFFER_SELECT;
    entry.buf_group = buffers;
    io_uring_sqe_set_data(&entry, &done);
}

void ring::send(ring_completion& done, int fd, std::span<const std::byte> from, sending how) {
    io_uring_sqe& entry = request(done);
    // MSG_WAITALL: the kernel goes on after each part that the socket took.
    const int flags = how == sending::some ? MSG_NOSIGNAL : MSG_NOSIGNAL | MSG_WAITALL;
    if (how == sending::all_in_place) {
        io_uring_prep_send_zc(&entry, fd, from.data(), length_of(from.size()), flags,
                              abilities_.zero_copy_report ? report_zero_copy_usage : 0U);
    } else {
        io_uring_prep_send(&entry, fd, from.data(), length_of(from.size()), flags);
    }
    io_uring_sqe_set_data(&entry, &done);
}

void ring::send_message(ring_completion& done, int fd, const msghdr& message) {
    io_uring_sqe& entry = request(done);
    io_uring_prep_sendmsg(&entry, fd, &message, MSG_NOSIGNAL);
    io_uring_sqe_set_data(&entry, &done);
}

void ring::receive_message(ring_completion& done, int fd, msghdr& into) {
    io_uring_sqe& entry = request(done);
    io_uring_prep_recvmsg(&entry, fd, &into, 0);
    io_uring_sqe_set_data(&entry, &done);
}

void ring::poll_all(ring_completion& done, int fd, unsigned events) {
    io_uring_sqe& entry = request(done);
    io_uring_prep_poll_multishot(&entry, fd, events);
    io_uring_sqe_set_data(&entry, &done);
}

bool ring::goes_on(unsigned flags) noexcept { return (flags & IORING_CQE_F_MORE) != 0; }

bool ring::is_release(unsigned flags) noexcept { return (flags & zero_copy_notification) != 0; }

bool ring::was_copied(int answer) noexcept {
    return (static_cast<unsigned>(answer) & zero_copy_copied) != 0;
}

std::optional<std::uint16_t> ring::buffer_of(unsigned flags) noexcept {
    if ((flags & IORING_CQE_F_BUFFER) == 0) return std::nullopt;
    return static_cast<std::uint16_t>(flags >> IORING_CQE_BUFFER_SHIFT);
}

}  // namespace weft
