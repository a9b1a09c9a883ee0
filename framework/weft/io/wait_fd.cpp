#include <weft/io/wait_fd.hpp>

#include <poll.h>

namespace weft {

void wait_fd_operation::make(io_operation& self, class ring& ring, ring_completion& done) {
    const auto& op = static_cast<const wait_fd_operation&>(self);
    ring.poll(done, op.fd_, op.awaited_ == fd_event::readable ? POLLIN : POLLOUT);
}

}  // namespace weft
