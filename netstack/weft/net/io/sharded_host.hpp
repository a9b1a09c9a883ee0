#pragma once
// One address on every core: a host on each loop of a runtime, each with its own queue of one TAP
// and its own stack, sharing nothing.
//
// A connection belongs to the shard that tcp::shard_of says, from its first segment to its last. A
// program in the kernel puts segments into their shard's queue; without the permission to load it,
// or asked to, the shard that finds a foreign packet passes a copy on by message. Shard 0 speaks
// ARP and ICMP, and puts fragments together. Datagrams are spread the same way, over the sockets
// that a program binds on each shard. Shard i runs on loop i, and everything of it
// is used there. See docs/cores.md.

#include <weft/net/io/host.hpp>
#include <weft/net/io/tap_device.hpp>
#include <weft/net/io/tcp_listener.hpp>
#include <weft/net/tcp/shard.hpp>
#include <weft/runtime.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <vector>

namespace weft::net {

struct sharded_options {
    enum class steering : std::uint8_t {
        automatic,  ///< by the kernel, and in software where it does not let us
        software,
    };
    tap_options tap = {};
    /// The pool's limit is divided among the shards; `shard` is not looked at.
    host_options host = {};
    steering steer = steering::automatic;
};
static_assert(std::is_trivially_destructible_v<sharded_options>);

class sharded_host;

/// One port on all shards: accept on each loop with that loop's `on(index)`. A name for what the
/// sharded_host owns, to copy at will.
class sharded_listener {
public:
    sharded_listener() noexcept = default;

    /// The listener of that shard. Call it, and use it, on loop `index`.
    [[nodiscard]] tcp_listener& on(std::size_t index) const noexcept;
    [[nodiscard]] endpoint local_endpoint() const noexcept { return local_; }
    /// No more connections, on any shard. Completes when all have closed; a stop does not keep it.
    [[nodiscard]] task<void> close() const;

private:
    friend class sharded_host;
    sharded_listener(sharded_host& of, std::size_t id, const endpoint& local) noexcept
        : host_{&of}, id_{id}, local_{local} {}

    sharded_host* host_ = nullptr;
    std::size_t id_ = 0;
    endpoint local_;
};

class sharded_host {
public:
    /// Opens a queue for each loop of `on`. Awaited on any of its loops; `options.tap.name` and
    /// `on` stay until it has completed, `on` for longer. Errors: tap_errc (an interface that
    /// exists has to be made with `multi_queue`). Throws as the constructor of host does.
    [[nodiscard]] static task<result<std::unique_ptr<sharded_host>>> open(runtime& on,
                                                                          sharded_options options);
    sharded_host(const sharded_host&) = delete;
    sharded_host& operator=(const sharded_host&) = delete;
    /// Precondition: close() has completed.
    ~sharded_host();

    /// The host of loop `index`, for tasks that run there. Its `connect` takes source ports whose
    /// connections belong to it.
    [[nodiscard]] host& shard(std::size_t index) noexcept;
    [[nodiscard]] std::size_t size() const noexcept { return shards_.size(); }

    /// Listens on every shard. Port 0: shard 0 chooses. Errors: as host::listen; then it listens on
    /// none.
    [[nodiscard]] task<result<sharded_listener>> listen(endpoint local,
                                                        tcp::listen_options options = {});

    /// Ends the connections of all shards as host::stop does, each until `limit` from now at the
    /// latest, and takes the shards down. No stream is held any more then. A stop does not keep it.
    [[nodiscard]] task<void> close(duration limit);

    /// The sums of all shards' counters. A packet that was passed on counts where it arrived and,
    /// as `shard_taken_over` and what follows, where it belongs.
    [[nodiscard]] task<stack_counters> counters();

    /// The kernel knows the shards' queues: nothing has to be passed on, but for what is shard 0's.
    [[nodiscard]] bool is_steered_by_kernel() const noexcept { return is_steered_; }
    [[nodiscard]] const tcp::shard_map& map() const noexcept { return map_; }

private:
    friend class sharded_listener;
    struct shard_side;
    struct parcel;

    sharded_host(runtime& on, const tcp::shard_map& map);

    [[nodiscard]] result<void> build(std::size_t index, tap_interface queue,
                                     const sharded_options& options);
    [[nodiscard]] std::error_code listen_on(std::size_t index, std::size_t id,
                                            const endpoint& local,
                                            const tcp::listen_options& options);
    /// Runs `make(index)` on each loop, one after the other, whatever stops.
    template <class Make>
    [[nodiscard]] task<void> on_each(Make& make);
    task<void> take_down();

    runtime& runtime_;
    const tcp::shard_map map_;
    std::vector<std::unique_ptr<shard_side>> shards_;  // each one used on its loop only
    std::size_t listeners_ = 0;
    bool is_steered_ = false;
};

}  // namespace weft::net
