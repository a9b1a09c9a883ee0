#include <weft/net/posix/network.hpp>

#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <system_error>

namespace weft::net::posix {
namespace {

using steady = std::chrono::steady_clock;

tcp::hash_secret random_secret() {
    tcp::hash_secret secret;
    if (::getrandom(&secret, sizeof secret, 0) != static_cast<ssize_t>(sizeof secret)) {
        throw std::system_error{errno, std::generic_category(), "getrandom"};
    }
    return secret;
}

/// A link without neighbours: two addresses make up the network, and everything beyond is reached
/// through the other one, which need not exist.
stack_options stack_options_of(const network_options& options) {
    return {.address = ip_prefix{options.address, 31},
            .gateway = ip_address{ipv4_address{options.address.value() ^ 1U}},
            .mac = {},
            .device = {.link = device_capabilities::link_type::raw_ip, .mtu = options.mtu},
            .tcp = options.tcp,
            .secret = options.secret ? *options.secret : random_secret()};
}

duration wall_clock_offset() {
    const auto wall = std::chrono::system_clock::now().time_since_epoch();
    const auto steadily = steady::now().time_since_epoch();
    return std::chrono::duration_cast<duration>(wall) -
           std::chrono::duration_cast<duration>(steadily);
}

steady::time_point to_steady(instant at) {
    return steady::time_point{std::chrono::duration_cast<steady::duration>(at.time_since_epoch())};
}

}  // namespace

network::network(const network_options& options)
    : options_{options},
      epoch_offset_{wall_clock_offset()},
      pool_{options.pool_limit_bytes},
      stack_{stack_options_of(options), pool_} {
    thread_.start([this] { run(); });
}

network::~network() { stop(); }

void network::stop() {
    {
        lock held = enter();
        stopping_ = true;
        timer_.notify_all();
        has_left_.notify_all();
        wake_sleepers();
        changed_.wait(held, [this] { return sleepers_ == 0; });
    }
    thread_.join();
}

instant network::now() noexcept {
    return instant{std::chrono::duration_cast<duration>(steady::now().time_since_epoch())};
}

// ---- the wire

void network::deliver(std::span<const std::byte> bytes) {
    const lock held = enter();
    if (bytes.size() > 65535) return;
    slice arrived = pool_.allocate_for(bytes.size());
    if (!arrived) return;  // as a device without a free buffer
    std::ranges::copy(bytes, arrived.data());
    arrived.extend(static_cast<std::uint32_t>(bytes.size()));
    stack_.on_frame(std::move(arrived), rx_offload{}, now());
    settle();
}

std::optional<network::packet> network::next_packet(duration limit) {
    lock held = enter();
    ++sleepers_;
    has_left_.wait_until(held, to_steady(now() + limit),
                         [this] { return stopping_ || !outbox_.empty(); });
    --sleepers_;
    if (stopping_) changed_.notify_all();
    if (outbox_.empty()) return std::nullopt;
    packet oldest = std::move(outbox_.front());
    outbox_.pop_front();
    if (outbox_.size() + 1 == most_queued) settle();  // the stack may go on
    return oldest;
}

void network::emit_packets(instant at) {
    const bool was_empty = outbox_.empty();
    while (outbox_.size() < most_queued && stack_.is_transmit_pending()) {
        slot_.clear();
        if (!stack_.poll_frame(slot_, at)) break;
        std::vector<std::byte> bytes(slot_.frame_bytes());
        slot_.copy_to(bytes.data());
        outbox_.push_back({std::move(bytes), at});
    }
    slot_.clear();
    if (was_empty && !outbox_.empty()) has_left_.notify_all();
}

// ---- calls

void network::settle() {
    emit_packets(now());
    while (tcp::connection* signaled = stack_.tcp().pop_signaled()) {
        (void)signaled->take_signals();
        if (watcher_) watcher_(*signaled);
    }
    wake_sleepers();
    if (stack_.next_timeout() < armed_) timer_.notify_one();
}

void network::wake_sleepers() {
    changed_.notify_all();
    for (const int alarm : alarms_) {
        const std::uint64_t once = 1;
        (void)!::write(alarm, &once, sizeof once);  // a full counter wakes as well
    }
}

bool network::wait(lock& held, instant deadline, const std::function<bool()>& is_ready) {
    const auto woken = [&] { return stopping_ || is_ready(); };
    ++sleepers_;
    if (deadline == never) {
        changed_.wait(held, woken);
    } else {
        changed_.wait_until(held, to_steady(deadline), woken);
    }
    --sleepers_;
    if (stopping_) changed_.notify_all();
    return is_ready();
}

// ---- the thread

void network::run() {
    lock held = enter();
    while (!stopping_) {
        armed_ = stack_.next_timeout();
        if (armed_ == never) {
            timer_.wait(held);
        } else if (const instant at = now(); at < armed_) {
            timer_.wait_until(held, to_steady(armed_));
        } else {
            stack_.on_timeout(at);
            settle();
        }
    }
}

}  // namespace weft::net::posix
