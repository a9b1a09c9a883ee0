#pragma once
// A passive OPEN (RFC 9293 §3.10.1): stays in LISTEN; each SYN begins a handshake (syn_cache.hpp).
//
// Holds the children whose handshake is complete until they are accepted (or not yet complete, with
// Fast Open), and counts those under way. Both are bounded by the backlog. "Return to LISTEN" in
// the RFC is the end of a child here. One that ends in the queue stays there, as in Linux: what it
// brought is for whoever accepts it, and so is the error.

#include <weft/base/intrusive_list.hpp>
#include <weft/base/operation.hpp>
#include <weft/net/tcp/connection.hpp>
#include <weft/net/tcp/fast_open_queue.hpp>

namespace weft::net::tcp {

class listener {
public:
    listener(const endpoint& local, const listen_options& options) noexcept
        : local_{local}, options_{options}, fast_open_{options.fast_open_queue} {}
    listener(const listener&) = delete;
    listener& operator=(const listener&) = delete;

    [[nodiscard]] const endpoint& local() const noexcept { return local_; }
    [[nodiscard]] const listen_options& options() const noexcept { return options_; }
    [[nodiscard]] bool can_accept() const noexcept { return !completed_.empty(); }
    /// Handshakes under way.
    [[nodiscard]] std::uint32_t pending() const noexcept { return pending_; }
    /// Connections that wait to be accepted.
    [[nodiscard]] std::uint32_t queued() const noexcept { return queued_; }

    /// The oldest completed connection; the caller holds its handle now. Precondition:
    /// can_accept().
    connection& accept() noexcept;

    /// For the connections that are yet to come.
    void set_backlog(std::uint32_t backlog) noexcept { options_.backlog = backlog; }
    void set_connection_options(const connection_options& options) noexcept {
        options_.connection = options;
    }

    /// `listen_options::fast_open_queue` and its companions, for SYNs that are yet to come.
    void set_fast_open_queue(std::uint32_t limit) noexcept { fast_open_.set_limit(limit); }
    void set_fast_open_cookieless(bool on) noexcept { options_.fast_open_cookieless = on; }
    void set_fast_open_secret(const fast_open_keys& keys) noexcept {
        options_.fast_open_secret = keys;
    }

    /// For somebody who has not waited: whether a connection is there that nobody is to have who
    /// did, not even one that has been told and did not come yet.
    [[nodiscard]] bool can_accept_at_once() const noexcept {
        return queued_ > promised_ && waiters_.empty();
    }
    /// Tells the first that waits that a connection is there for it.
    void call_next() noexcept {
        if (queued_ <= promised_ || waiters_.empty()) return;
        ++promised_;
        waiters_.front().post();
    }
    /// One that was told has come, or never will.
    void on_called() noexcept { --promised_; }

    /// Operations that wait for can_accept(), first come first served.
    intrusive_list<operation>& waiters() noexcept { return waiters_; }

private:
    friend class demux;
    friend class connection;
    friend class syn_cache;

    endpoint local_;
    listen_options options_;
    fast_open_queue fast_open_;
    intrusive_list<connection, signaled_tag> completed_;
    intrusive_list<operation> waiters_;
    std::uint32_t pending_ = 0;
    std::uint32_t queued_ = 0;
    std::uint32_t promised_ = 0;  ///< that were told and did not come yet
};

}  // namespace weft::net::tcp
