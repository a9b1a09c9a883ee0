#pragma once
// Half-open passive connections: SYN-RECEIVED in about a hundred bytes instead of a TCB.
//
// A SYN to a listener leaves a record here (RFC 4987 §3.5). It answers segments as RFC 9293
// §3.10.7.4 says for that state, repeats its SYN,ACK with back-off, and dies after the fifth. When
// the third step arrives the demultiplexer makes the TCB of it. The records are bounded; what comes
// when they are used up is answered with cookies (syn_cookie.hpp). Transitions are those of the
// table in state.hpp, and the observer is told of them as of any other. Called by demux only.

#include <weft/base/intrusive_list.hpp>
#include <weft/base/timer_wheel.hpp>
#include <weft/net/charged_slab.hpp>
#include <weft/net/ip/neighbor_cache.hpp>
#include <weft/net/tcp/challenge_throttle.hpp>
#include <weft/net/tcp/handshake.hpp>
#include <weft/net/tcp/listener.hpp>
#include <weft/net/tcp/segment_checks.hpp>
#include <weft/net/tcp/state.hpp>
#include <weft/net/tcp/tuple_table.hpp>

#include <array>

namespace weft::net::tcp {

class demux;

/// One record. It is on one list at a time: of those whose SYN,ACK is due, of those that wait for
/// an answer to it, or of those whose next hop is being resolved.
class half_open : public ip::neighbor_waiter, public handshake {
public:
    static constexpr std::uint8_t waiter_kind = 1;

    explicit half_open(const handshake& h) noexcept
        : ip::neighbor_waiter{waiter_kind}, handshake{h} {}

    [[nodiscard]] const four_tuple& tuple() const noexcept { return handshake::tuple; }
    /// How often the timer has made us send the SYN,ACK again.
    [[nodiscard]] unsigned repeats() const noexcept { return repeats_; }

private:
    friend class syn_cache;
    challenge_throttle challenges_;
    std::uint8_t repeats_ = 0;
    bool is_due_ = false;
};

class syn_cache {
public:
    /// A stranger's SYN is not worth the three minutes that our own one is.
    static constexpr std::uint8_t most_repeats = 5;

    explicit syn_cache(demux& owner);
    syn_cache(const syn_cache&) = delete;
    syn_cache& operator=(const syn_cache&) = delete;

    /// LISTEN → SYN-RECEIVED; the SYN,ACK is due. Precondition: !is_full().
    void add(const handshake& h, instant now);
    /// The same of a handshake whose SYN,ACK was a cookie, and has been answered.
    void add_proven(const handshake& h, instant now);
    [[nodiscard]] half_open* find(const four_tuple& tuple) noexcept { return table_.find(tuple); }
    [[nodiscard]] half_open* find(const four_tuple& tuple, std::uint32_t hash) noexcept {
        return table_.find(tuple, hash);
    }

    enum class outcome : std::uint8_t { pending, complete };
    /// RFC 9293 §3.10.7.4 in SYN-RECEIVED. Complete: the third step arrived and is acceptable, and
    /// the listener has room. The record may be gone when it is not.
    outcome on_segment(half_open& h, segment& seg, instant now);
    /// A TCB has taken over.
    void remove(half_open& h) noexcept;
    /// SYN-RECEIVED → CLOSED.
    void end(half_open& h, event e, instant now) noexcept;
    /// The listener is gone: RST to everybody whose handshake was under way.
    void reset_all(const listener& l, instant now);

    /// Whose SYN,ACK is due; nullptr: nobody's.
    [[nodiscard]] half_open* answering() noexcept { return due_.empty() ? nullptr : &due_.front(); }
    /// Its SYN,ACK; it waits for the answer from now on.
    void poll_syn_ack(half_open& h, outgoing& out, instant now);
    /// To the end of those whose SYN,ACK is due. Precondition: on no list.
    void resume(half_open& h) noexcept { due_.push_back(h); }

    [[nodiscard]] std::size_t size() const noexcept { return table_.size(); }
    [[nodiscard]] bool is_full() const noexcept;
    /// Of the records and their table.
    [[nodiscard]] std::size_t reserved_bytes() const noexcept {
        return slab_.reserved_bytes() + table_.reserved_bytes();
    }

private:
    enum class verdict : std::uint8_t { pass, drop };
    struct repeat_timer : timer_node {
        explicit repeat_timer(syn_cache& owner) noexcept;
        syn_cache& cache;
    };

    half_open& insert(const handshake& h, instant now);
    verdict check_timestamps(half_open& h, const segment& seg, instant now);
    verdict check_sequence(half_open& h, const segment& seg, instant now);
    verdict check_reset(half_open& h, const segment& seg, instant now);
    verdict check_ack(const half_open& h, const segment& seg, instant now);
    void send_ack(const half_open& h, instant now);
    void answer_with(answer a, half_open& h, instant now);
    /// To a segment of a handshake that has timestamps (RFC 7323 §3.2; a RST SHOULD, too).
    void add_timestamps(const half_open& h, reply& r, instant now) const noexcept;
    void on_timeout(instant now) noexcept;
    void on_unanswered(half_open& h, instant now) noexcept;
    [[nodiscard]] bool is_too_old(const half_open& h, instant now) const noexcept;
    void make_due(half_open& h) noexcept;
    [[nodiscard]] duration timeout_after(unsigned repeats) const noexcept;
    void arm() noexcept;

    demux& owner_;
    charged_slab<half_open> slab_;
    tuple_table<half_open> table_;
    intrusive_list<half_open, ip::neighbor_waiter> due_;
    /// By how often the SYN,ACK was repeated: each list is in the order of deadlines by itself.
    std::array<intrusive_list<half_open, ip::neighbor_waiter>, most_repeats + 1> unanswered_;
    repeat_timer timer_;
};

}  // namespace weft::net::tcp
