#include <weft/kernel/kernel_socket.hpp>
#include <weft/kernel/network.hpp>

#include <unistd.h>

namespace weft::kernel {

kernel_socket::kernel_socket(network& owner, int fd) noexcept : owner_{owner}, fd_{fd} {
    owner.add(*this);
}

kernel_socket::~kernel_socket() { ::close(fd_); }

void kernel_socket::end_if_unused() noexcept {
    if (!is_held() && !has_requests()) delete this;
}

}  // namespace weft::kernel
