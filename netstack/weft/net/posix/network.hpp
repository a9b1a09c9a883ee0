#pragma once
// A protocol stack with a lock, a clock and a thread of its own: what blocking calls stand on.
//
// One address on a raw IP link; packets go in by deliver() and come out of next_packet(), each with
// the time at which it left. No device, no io_uring, no coroutine. Sockets are in sockets.hpp; each
// of their calls holds the lock while it works, calls settle() when it has changed something, and
// sleeps in wait(). The thread serves the timers only: what a call gives rise to leaves in the
// call.

#include <weft/base/instant.hpp>
#include <weft/net/posix/plain_thread.hpp>
#include <weft/net/stack.hpp>

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

namespace weft::net::posix {

/// What sockets may do of TCP Fast Open (RFC 7413) when they ask for it, as the bits of Linux's
/// net.ipv4.tcp_fastopen say.
struct fast_open_policy {
    bool client = true;                            ///< 1: MSG_FASTOPEN, TCP_FASTOPEN_CONNECT
    bool server = true;                            ///< 2: TCP_FASTOPEN
    bool client_cookieless = false;                ///< 4: text leaves without a cookie
    bool server_cookieless = false;                ///< 0x200: text is taken without one
    bool every_listener = false;                   ///< 0x400: as if each had asked for it
    std::optional<tcp::fast_open_keys> keys = {};  ///< default: keys of the stack's own
};

struct network_options {
    ipv4_address address{192, 168, 0, 1};
    std::uint32_t mtu = 1500;                        ///< bytes of the largest IP packet
    tcp::config tcp{.short_waits_for_short = true};  ///< Nagle's rule as in Linux
    tcp::connection_options connection = {};         ///< what a socket begins with
    std::optional<tcp::hash_secret> secret = {};     ///< default: from the system's randomness
    fast_open_policy fast_open = {};
    std::size_t pool_limit_bytes = std::size_t{1} << 28;
};

class network {
public:
    /// A call's hold on everything that follows "the lock is held" below.
    using lock = std::unique_lock<std::mutex>;

    /// An IP packet that has left.
    struct packet {
        std::vector<std::byte> bytes;
        instant left_at;
    };

    /// Throws std::invalid_argument when the address cannot be a host's, std::system_error when no
    /// thread can be had.
    explicit network(const network_options& options);
    network(const network&) = delete;
    network& operator=(const network&) = delete;
    ~network();
    /// Calls that sleep return as if their time were up, and nobody sleeps any more. The timers
    /// stop. Once; the destructor does it otherwise.
    void stop();

    // ---- the wire; any thread

    /// One IP packet arrives. Larger ones than 65535 bytes are dropped.
    void deliver(std::span<const std::byte> bytes);
    /// The oldest packet that has left; sleeps until there is one, at most `limit`.
    std::optional<packet> next_packet(duration limit);

    // ---- time

    /// Counts from the steady clock's origin.
    [[nodiscard]] static instant now() noexcept;
    /// The wall-clock time of an instant since the Unix epoch. Fixed against `now()` when the
    /// network was made: setting the clock does not bend it.
    [[nodiscard]] duration since_epoch(instant at) const noexcept {
        return at.time_since_epoch() + epoch_offset_;
    }

    // ---- for sockets

    [[nodiscard]] lock enter() { return lock{mutex_}; }

    // The lock is held in all of these.
    [[nodiscard]] net::stack& stack() noexcept { return stack_; }
    [[nodiscard]] const network_options& options() const noexcept { return options_; }
    /// After a call or an arrival: frames leave, sleepers are woken, the timer is set.
    void settle();
    /// Sleeps until `is_ready()`, which is asked under the lock whenever something has changed.
    /// False: `deadline` has passed, or the network is going, and it is not ready.
    bool wait(lock& held, instant deadline, const std::function<bool()>& is_ready);
    /// Something changed that the stack knows nothing of: sleepers look again.
    void wake_sleepers();
    [[nodiscard]] bool is_stopping() const noexcept { return stopping_; }

    /// Descriptors that wake_sleepers() writes to, for sleepers that wait in the kernel's poll.
    void add_alarm(int event_descriptor) { alarms_.push_back(event_descriptor); }
    void remove_alarm(int event_descriptor) { std::erase(alarms_, event_descriptor); }
    /// Called for each connection that has raised something, before sleepers are woken.
    void on_signal(std::function<void(tcp::connection&)> watcher) { watcher_ = std::move(watcher); }

private:
    /// Packets that nobody has taken, at most; then the stack is not asked for more.
    static constexpr std::size_t most_queued = 16384;

    void run();
    void emit_packets(instant now);

    network_options options_;
    duration epoch_offset_;
    std::mutex mutex_;
    std::condition_variable changed_;   ///< for calls
    std::condition_variable has_left_;  ///< for next_packet()
    std::condition_variable timer_;     ///< for the thread
    block_pool pool_;
    net::stack stack_;
    tx_slot slot_;
    std::deque<packet> outbox_;
    std::vector<int> alarms_;
    std::function<void(tcp::connection&)> watcher_;
    instant armed_ = never;
    std::uint32_t sleepers_ = 0;
    bool stopping_ = false;
    plain_thread thread_;
};

}  // namespace weft::net::posix
