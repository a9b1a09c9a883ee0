// Which link address a neighbour has: resolution, aging, and who waits for it.
//
// The states are RFC 4861's (§7.3.2) with ARP's needs: an entry begins `incomplete`, is `reachable`
// for a while after it was confirmed, then `stale`; a stale entry that is used stays usable while
// it is probed by unicast (RFC 1122 §2.3.2.1). A neighbour that does not answer has `failed` and is
// not asked again during a hold-down, so that a peer cannot make us flood the link (§2.3.2.1 MUST).
// The cache speaks of claims and solicitations and knows neither ARP nor ND: ip/arp.hpp translates.
// Entries are bounded; the least recently used gives way. Nothing is allocated after construction.
// Called by the stack only.
#pragma once

#include <weft/base/instant.hpp>
#include <weft/base/intrusive_list.hpp>
#include <weft/net/address.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

namespace weft::net::ip {

enum class resolution : std::uint8_t {
    resolved,  ///< the link address is known: send
    waiting,   ///< being asked for: park, or queue
    failed,    ///< no answer: tell the sender (host unreachable)
};

enum class neighbor_state : std::uint8_t { incomplete, reachable, stale, probe, failed };

/// What a packet from the link may do to the cache.
enum class claim : std::uint8_t {
    refresh,  ///< change an entry that exists (RFC 826's merge)
    create,   ///< it was for us: add the entry if there is none
    confirm,  ///< it answers us: the neighbour hears us, so the entry is reachable
};

/// Something that cannot send until a neighbour is resolved, such as a connection. It is on one
/// entry's list or on the woken list at a time and leaves by itself when it is destroyed.
class neighbor_waiter : public list_hook<neighbor_waiter> {
public:
    neighbor_waiter() noexcept = default;
    explicit neighbor_waiter(std::uint8_t kind) noexcept : waiter_kind_{kind} {}
    /// What it is, to whoever parked it; the cache does not care.
    [[nodiscard]] std::uint8_t kind() const noexcept { return waiter_kind_; }

private:
    std::uint8_t waiter_kind_ = 0;
};

struct neighbor_answer {
    resolution status = resolution::failed;
    mac_address mac;        ///< when resolved
    bool is_fresh = false;  ///< confirmed of late: news of its reach would change nothing
};

/// A question to put on the link: broadcast, or to `unicast_to` when it only confirms.
struct solicitation {
    ip_address target;
    std::optional<mac_address> unicast_to;
};

struct neighbor_options {
    std::size_t max_entries = 512;
    std::uint8_t tries = 3;                              ///< questions before giving up
    duration retry_interval = std::chrono::seconds{1};   ///< RFC 1122 §2.3.2.1: 1 s an address
    duration reachable_time = std::chrono::seconds{30};  ///< RFC 4861 §10
    duration hold_down = std::chrono::seconds{3};        ///< before a failed one is asked again
};

class neighbor_cache {
public:
    explicit neighbor_cache(neighbor_options options = {});
    ~neighbor_cache();
    neighbor_cache(const neighbor_cache&) = delete;
    neighbor_cache& operator=(const neighbor_cache&) = delete;

    /// The link address of `address`; begins to resolve it when it is not known. Failed, too, while
    /// as many questions are open as there are entries.
    [[nodiscard]] neighbor_answer lookup(const ip_address& address, instant now);

    /// Moves `waiter` to the entry that lookup() said is waiting, from whatever list it is on. If
    /// the entry has gone or settled since, the waiter is woken at once.
    void park(const ip_address& address, neighbor_waiter& waiter);

    /// The next waiter whose neighbour was resolved, has failed or was evicted: it looks up again.
    [[nodiscard]] neighbor_waiter* poll_woken();

    /// Changes whenever a waiting entry settles; a queue of packets looks again when it does.
    [[nodiscard]] std::uint64_t generation() const noexcept { return generation_; }

    /// A packet said that `address` is at `mac`.
    void on_claim(const ip_address& address, const mac_address& mac, claim kind, instant now);

    /// A transport made progress with this neighbour (RFC 4861 §7.3.1): saves a probe.
    void on_reachability_confirmed(const ip_address& address, instant now);

    /// A transport makes none: what is known is no longer relied on, and asked for with the next
    /// use (RFC 1122 §3.3.1.4).
    void on_reachability_doubted(const ip_address& address) noexcept;

    /// The next question due; its retry timer starts now.
    [[nodiscard]] std::optional<solicitation> poll_request(instant now);
    [[nodiscard]] bool has_request() const noexcept { return !due_.empty(); }

    [[nodiscard]] instant next_timeout() const noexcept;
    void on_timeout(instant now);

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] std::optional<neighbor_state> state_of(const ip_address& address,
                                                         instant now) const noexcept;
    /// Entries given up after the last retry, and entries displaced, since construction.
    [[nodiscard]] std::uint64_t unresolved_count() const noexcept { return unresolved_; }
    [[nodiscard]] std::uint64_t evicted_count() const noexcept { return evicted_; }

private:
    struct use_order;
    struct question_order;
    struct entry;

    [[nodiscard]] entry* find(const ip_address& address) const noexcept;
    entry& add(const ip_address& address);
    [[nodiscard]] bool make_room() noexcept;
    void remove(entry& gone) noexcept;
    void ask(entry& about, neighbor_state state);
    void learn(entry& about, const mac_address& mac, neighbor_state state, instant now);
    void settle(entry& about);
    void on_no_answer(entry& about, instant now);
    [[nodiscard]] std::size_t bucket_of(const ip_address& address) const noexcept;

    neighbor_options options_;
    std::size_t bucket_mask_ = 0;
    std::unique_ptr<entry*[]> buckets_;
    std::unique_ptr<entry[]> entries_;
    intrusive_list<entry, use_order> used_;  ///< least recently used first
    intrusive_list<entry, use_order> free_;
    intrusive_list<entry, question_order> due_;    ///< to be asked now
    intrusive_list<entry, question_order> asked_;  ///< by deadline: the interval is constant
    intrusive_list<neighbor_waiter, neighbor_waiter> woken_;
    std::size_t size_ = 0;
    std::uint64_t generation_ = 0;
    std::uint64_t unresolved_ = 0;
    std::uint64_t evicted_ = 0;
};

}  // namespace weft::net::ip
