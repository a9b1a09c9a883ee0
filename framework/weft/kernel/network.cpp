#include <weft/kernel/network.hpp>
#include <weft/kernel/system_calls.hpp>

#include <unistd.h>

#include <cassert>
#include <new>
#include <system_error>

namespace weft::kernel {
namespace {

ring& ring_of(scheduler& on) {
    if (ring* const attached = on.attached_ring()) return *attached;
    throw std::system_error{std::make_error_code(std::errc::operation_not_supported),
                            "the kernel's network needs a loop with a ring"};
}

}  // namespace

network::network(weft::scheduler& on, const network_options& options)
    : scheduler_{on},
      ring_{ring_of(on)},
      options_{options},
      pool_{ring_, options.receive_buffers, options.receive_buffer_bytes} {}

network::~network() {
    while (!sockets_.empty()) {
        kernel_socket& last = sockets_.pop_front();
        assert(!last.is_held() && "a stream, a listener or a socket outlived its network");
        last.withdraw_requests();
        last.end_if_unused();
    }
}

result<tcp_listener> network::listen(const endpoint& local, const listen_options& options) {
    listen_options wanted = options;
    wanted.reuse_port = options.reuse_port || (options_.share_ports && local.port != 0);
    const result<int> opened = open_listener(local, wanted);
    if (!opened) return opened.error();
    if (auto* const made = new (std::nothrow) listening{*this, *opened, wanted}) {
        return tcp_listener{*made};
    }
    ::close(*opened);
    return std::make_error_code(std::errc::not_enough_memory);
}

result<udp_socket> network::bind(const endpoint& local) {
    const result<int> opened = open_datagram_socket(local, options_.share_ports && local.port != 0);
    if (!opened) return opened.error();
    if (auto* const made = new (std::nothrow) datagram_port{*this, *opened}) {
        return udp_socket{*made};
    }
    ::close(*opened);
    return std::make_error_code(std::errc::not_enough_memory);
}

network_counters network::counters() const noexcept {
    network_counters all = statistics_;
    all.starvations = pool_.starvations();
    all.copied = pool_.copied();
    return all;
}

}  // namespace weft::kernel
