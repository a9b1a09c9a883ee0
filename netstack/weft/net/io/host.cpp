#include <weft/net/io/host.hpp>

#include <sys/random.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <system_error>
#include <vector>

namespace weft::net {

tcp::hash_secret random_secret() {
    tcp::hash_secret secret;
    if (::getrandom(&secret, sizeof secret, 0) != static_cast<ssize_t>(sizeof secret)) {
        throw std::system_error{errno, std::generic_category(), "getrandom"};
    }
    return secret;
}

namespace {

/// Locally administered, not a group, and as hard to guess as the secret it is derived from.
mac_address made_up_address(const tcp::hash_secret& secret) {
    const std::uint64_t bits = tcp::keyed_hash(secret, {0x6d6163});  // "mac"
    return mac_address{
        {0x02, static_cast<std::uint8_t>(bits >> 8), static_cast<std::uint8_t>(bits >> 16),
         static_cast<std::uint8_t>(bits >> 24), static_cast<std::uint8_t>(bits >> 32),
         static_cast<std::uint8_t>(bits >> 40)}};
}

stack_options stack_options_of(const host_options& options, const device& underneath) {
    const tcp::hash_secret secret = options.secret ? *options.secret : random_secret();
    return {.address = options.address,
            .gateway = options.gateway,
            .mac = options.mac.is_unspecified() ? made_up_address(secret) : options.mac,
            .device = underneath.capabilities(),
            .tcp = options.tcp,
            .secret = secret,
            .shard = options.shard};
}

}  // namespace

host::stack_timer::stack_timer(host& self) noexcept
    : timer_node{[](timer_node& node, instant now) noexcept {
          static_cast<stack_timer&>(node).self_.on_timeout(now);
      }},
      self_{self} {}

host::host(weft::scheduler& on, device& underneath, const host_options& options)
    : scheduler_{on},
      device_{underneath},
      pool_{options.pool_limit_bytes},
      stack_{stack_options_of(options, underneath), pool_},
      timer_{*this} {
    device_.start(*this, pool_);
    settle_later();  // the stack announces its address
}

host::~host() {
    assert(handles_ == 0 && "streams and listeners do not outlive their host");
    assert(draining_ == nullptr && "a host is not destroyed while it stops");
    device_.stop();
}

result<tcp_listener> host::listen(const endpoint& local, const tcp::listen_options& options) {
    if (stopped_) return errc::stack_stopped;
    const result<tcp::listener*> opened = stack_.listen(local, options, now());
    if (!opened) return opened.error();
    auto held = std::make_unique<listening>(*this, **opened);
    listeners_.push_back(*held);
    return tcp_listener{std::move(held)};
}

result<udp_socket> host::bind(const endpoint& local, const udp::socket_options& options) {
    if (stopped_) return errc::stack_stopped;
    const result<udp::socket*> opened = stack_.bind_udp(local, options);
    if (!opened) return opened.error();
    auto held = std::make_unique<bound_socket>(*this, **opened);
    sockets_.push_back(*held);
    return udp_socket{std::move(held)};
}

// ---- the turn

void host::on_frame(slice frame, const rx_offload& offload, instant now) noexcept {
    stack_.on_frame(std::move(frame), offload, now);
    settle_later();
}

void host::on_forwarded(shard_cargo what, std::span<const std::byte> bytes,
                        const rx_offload& offload) noexcept {
    slice copy = pool_.allocate_for(bytes.size());
    if (!copy) return stack_.on_copy_refused();
    std::ranges::copy(bytes, copy.data());
    copy.extend(static_cast<std::uint32_t>(bytes.size()));
    stack_.on_forwarded(what, std::move(copy), offload, now());
    settle_later();
}

void host::on_timeout(instant now) noexcept {
    stack_.on_timeout(now);
    settle_later();
}

void host::deliver(instant) noexcept {
    while (tcp::connection* signaled = stack_.tcp().pop_signaled()) {
        const std::uint8_t signals = signaled->take_signals();
        for (std::size_t w = 0; w < tcp::wait_count; ++w) {
            operation* waiting = signaled->waiter(static_cast<tcp::wait>(w));
            if (waiting != nullptr && (signals >> w & 1U) != 0) waiting->post();
        }
    }
    while (udp::socket* signaled = stack_.udp().pop_signaled()) signaled->call_waiters();
}

void host::settle(instant now) noexcept {
    emit_frames(now);
    deliver(now);  // a connection whose next hop does not answer ends when it wants to send
    scheduler_.timers().arm(timer_, stack_.next_timeout());
    if (draining_ != nullptr) {
        static_cast<drain_operation&>(*draining_).on_settled(is_drained(), now);
    }
}

void host::emit_frames(instant now) noexcept {
    while (stack_.is_transmit_pending()) {
        tx_slot* slot = device_.acquire_slot();
        if (slot == nullptr) return;  // on_slot_available() comes
        if (!stack_.poll_frame(*slot, now)) {
            device_.release(*slot);
            return;
        }
        device_.submit(*slot);
    }
}

// ---- stopping

task<> host::stop(instant deadline) {
    stopped_ = true;
    while (!listeners_.empty()) listeners_.pop_front().close();
    while (!sockets_.empty()) sockets_.pop_front().close();
    end_connections([](tcp::connection& c, instant at) { (void)c.close(at); });
    co_await awaiter<drain_operation>{*this, deadline};
    end_connections([](tcp::connection& c, instant at) { c.abort(at); });
    // What was aborted says so, if the device takes it.
    co_await awaiter<drain_operation>{*this, now() + std::chrono::milliseconds{100}};
}

void host::end_connections(void (*end)(tcp::connection&, instant)) {
    std::vector<tcp::connection*> open;  // the table may change while they end
    stack_.tcp().for_each_connection([&open](tcp::connection& c) {
        if (!c.is_finished()) open.push_back(&c);
    });
    for (tcp::connection* c : open) end(*c, now());
}

bool host::is_drained() noexcept {
    if (stack_.is_transmit_pending() || stack_.udp().aside_count() != 0) return false;
    bool drained = true;
    stack_.tcp().for_each_connection(
        [&drained](tcp::connection& c) { drained = drained && c.is_finished(); });
    return drained;
}

}  // namespace weft::net
