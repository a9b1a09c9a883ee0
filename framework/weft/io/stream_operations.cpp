#include <weft/errc.hpp>
#include <weft/io/ring.hpp>
#include <weft/io/stream_operations.hpp>

#include <poll.h>

#include <type_traits>

namespace weft {
template <class Byte>
void stream_transfer<Byte>::make(io_operation& self, class ring& ring, ring_completion& done) {
    auto& op = static_cast<stream_transfer&>(self);
    constexpr bool reads = !std::is_const_v<Byte>;
    if (op.polling_) {
        ring.poll(done, op.fd_, reads ? POLLIN : POLLOUT);
    } else if constexpr (reads) {
        ring.read(done, op.fd_, op.rest_, op.offset_);
    } else {
        ring.write(done, op.fd_, op.rest_, op.offset_);
    }
}

template <class Byte>
auto stream_transfer<Byte>::look(io_operation& self, int answer) noexcept -> next_step {
    auto& op = static_cast<stream_transfer&>(self);
    if (op.polling_ || answer < 0) {
        op.polling_ = answer < 0;  // not ready: poll; polled, or poll has no time: ask again
        return next_step::again;
    }
    if (op.wanted_ == extent::some || answer == 0) return next_step::finish;
    op.rest_ = op.rest_.subspan(static_cast<std::size_t>(answer));
    return op.rest_.empty() ? next_step::finish : next_step::again;
}

template class stream_transfer<std::byte>;
template class stream_transfer<const std::byte>;

result<void> stream_read_exactly_operation::finish() const noexcept {
    if (const std::error_code error = failure()) return error;
    if (!rest().empty()) return errc::end_of_stream;
    return {};
}

result<void> stream_write_all_operation::finish() const noexcept {
    if (const std::error_code error = failure()) return error;
    if (!rest().empty()) return std::errc::io_error;  // the kernel took nothing more, and no reason
    return {};
}

}  // namespace weft
