#pragma once
// One TCP connection: the transmission control block and the state machine around it.
//
// Sans-IO and total: segments, calls and the time come in as values, every one of them has an
// answer in every state, and what there is to say is polled for. It knows no coroutines: it raises
// signals and keeps waiter slots for whoever hosts it. Kinds of method by name: `on_*` is input
// from the world, a bare verb a user's call, `poll_*` output, nouns and `is_*`/`can_*` are queries.
//
// The transitions are one table, in state.hpp; connection_input.cpp is RFC 9293 §3.10.7, segment
// arrives, in its order of checks (of which connection_ack.cpp is the fifth, connection_text.cpp
// the sixth and seventh), connection_calls.cpp §3.10.1–6, connection_timers.cpp §3.10.8. What to
// send now (§3.8) is connection_output.cpp. By concern: connection_buffers, _errors, _fast_open,
// _info, _path. Variables keep RFC names.

#include <weft/base/instant.hpp>
#include <weft/base/intrusive_list.hpp>
#include <weft/base/operation.hpp>
#include <weft/base/result.hpp>
#include <weft/base/timer_wheel.hpp>
#include <weft/net/errc.hpp>
#include <weft/net/ip/neighbor_cache.hpp>
#include <weft/net/observer.hpp>
#include <weft/net/tcp/control_block.hpp>
#include <weft/net/tcp/fast_open_queue.hpp>
#include <weft/net/tcp/handshake.hpp>
#include <weft/net/tcp/segment_checks.hpp>
#include <weft/net/tcp/state.hpp>
#include <weft/net/tcp/time_wait.hpp>

#include <array>
#include <memory>
#include <string_view>

namespace weft::net::tcp {

struct connection_info;

/// What a waiter can wait for; one slot each.
enum class wait : std::uint8_t {
    connected,
    readable,
    writable,
    fin_acked,
    finished,
    visited,
    urgent
};
inline constexpr std::size_t wait_count = 7;

/// How a SEND is meant (RFC 9293 §3.9.1.2): in order with the rest, or to be looked at soon.
enum class urgency : std::uint8_t { normal, urgent };

struct signaled_tag;

/// Its place among those that want to send is also its place on a neighbour's list while the next
/// hop is being resolved: it is on one of the two at most.
using transmit_tag = ip::neighbor_waiter;

class connection : public list_hook<signaled_tag>,
                   public ip::neighbor_waiter,
                   private timer_node,
                   private control_block {
public:
    connection(demux& owner, connection_id id, const four_tuple& tuple,
               const connection_options& options, bool is_passive) noexcept;
    ~connection();

    // ---- user calls, RFC 9293 §3.10.1–6 (connection_calls.cpp)

    /// OPEN, active: our SYN is due. Precondition: CLOSED, just made.
    void open(instant now);
    /// Keeps our SYN back until there is text that it can carry, or send_held_syn(). Precondition:
    /// it has not left.
    void hold_syn() noexcept { syn_due_ = false; }
    void send_held_syn() noexcept;
    /// SEND: takes as many bytes as the send buffer has room for. Errors: `closing` after close(),
    /// `not_connected`, or what ended the connection.
    /// Urgent bytes go in line with the others; every segment tells where they end, until they are
    /// acknowledged (§3.8.5).
    result<std::uint32_t> write(std::span<const std::byte> bytes, instant now,
                                urgency how = urgency::normal);
    /// RECEIVE: copies out what is readable. 0: nothing now, or the end (is_read_finished()).
    std::uint32_t read(std::span<std::byte> into, instant now);
    /// Copies out what is readable behind the first `skip` bytes of it, and leaves it there.
    std::uint32_t peek(std::span<std::byte> into, std::uint32_t skip) const noexcept {
        return received_.peek(into, skip);
    }
    /// Drops readable bytes that were looked at through view().
    void consume(std::uint32_t count, instant now);
    /// CLOSE: our FIN follows the queued data. Errors: `closing` when called before,
    /// `not_connected`, or what ended the connection.
    result<void> close(instant now);
    /// ABORT: to CLOSED at once, with a RST in the states of §3.10.5.
    void abort(instant now);
    /// The last handle is gone: close without waiting (§3.6.1), or abort with unread data (SHLD-3).
    void release(instant now);
    /// On: no text waits for the acknowledgment of other text (Nagle's rule is off, MUST-17).
    void set_no_delay(bool on, instant now);
    /// While on, text that fills no segment waits for more of it, at most a retransmission timeout.
    void set_cork(bool on, instant now);
    /// Limits of what is queued in each direction; 0: as the path needs, from what it is at
    /// present. A window that was offered stays.
    void set_buffers(std::uint32_t send_bytes, std::uint32_t receive_bytes, instant now);
    /// From now on, as if the connection had just been heard (§3.8.4, MUST-24).
    void set_keepalive(const keepalive_options& options, instant now);
    /// connection_options::user_timeout, from the next retransmission on.
    void set_user_timeout(duration timeout) noexcept;
    /// The Diffserv field from the next segment on (SHLD-21).
    void set_traffic_class(std::uint8_t value) noexcept;
    /// The TTL from the next segment on (MUST-49); 0: the stack's.
    void set_hop_limit(std::uint8_t value) noexcept;
    /// Off: errors that do not end the connection are not kept (SHLD-20), nor is one that was.
    void set_soft_errors(bool on) noexcept;

    // ---- input (connection_input.cpp, connection_timers.cpp)

    /// SEGMENT ARRIVES, in any state but CLOSED and LISTEN, which the demultiplexer answers for.
    void on_segment(segment& seg, instant now);
    /// A child of a listener goes on from where its handshake stands, in SYN-RECEIVED; the observer
    /// has heard of the states before. Precondition: just made.
    void on_handshake(const handshake& h, instant now);
    /// The same on the strength of a Fast Open cookie, with the text of the SYN (RFC 7413 §4.2.2).
    /// `cookie`: to send with our SYN,ACK; empty: none.
    void on_fast_open(const handshake& h, const wire::tcp_fast_open_cookie& cookie, segment& syn,
                      instant now);
    /// An ICMP error that quotes `quoted`, a sequence number of ours (§3.9.2.2). A hard one ends a
    /// connection that is not yet synchronized; others are kept for take_soft_error().
    void on_icmp_error(errc kind, bool is_hard, sequence_number quoted, instant now);
    /// A router could not forward `quoted` for its size; it takes packets of `mtu_bytes`, 0 when it
    /// does not say (RFC 1191). Segments become smaller, and what was in flight is sent again.
    void on_packet_too_big(std::uint32_t mtu_bytes, std::uint32_t quoted_bytes,
                           sequence_number quoted, instant now);
    /// The next hop does not answer.
    void on_unreachable(errc kind, instant now);

    // ---- output (connection_output.cpp)

    /// The next segment that may leave now: fills `out` and the slot's payload. False: none.
    bool poll_segment(outgoing& out, tx_slot& slot, instant now);

    // ---- queries

    /// The window scale that a connection with these options offers (RFC 7323 §2.3).
    [[nodiscard]] static std::uint8_t receive_scale(const connection_options& options,
                                                    const config& c) noexcept;
    /// Bytes of its receive buffer to begin with.
    [[nodiscard]] static std::uint32_t initial_receive_limit(const connection_options& options,
                                                             const config& c) noexcept;
    [[nodiscard]] connection_id id() const noexcept { return id_; }
    [[nodiscard]] const four_tuple& tuple() const noexcept { return tuple_; }
    /// The numbers of the two SYNs; the peer's is meaningless before its SYN arrived.
    [[nodiscard]] sequence_number iss() const noexcept { return snd_.iss; }
    [[nodiscard]] sequence_number irs() const noexcept { return rcv_.irs; }
    [[nodiscard]] endpoint local() const noexcept { return tuple_.local(); }
    [[nodiscard]] endpoint remote() const noexcept { return tuple_.remote(); }
    [[nodiscard]] tcp::state state() const noexcept { return state_; }
    /// Every state the connection has been in.
    [[nodiscard]] state_mask visited() const noexcept { return visited_; }
    /// Readable bytes, the end of the stream or an error: a read would not wait.
    [[nodiscard]] bool can_read() const noexcept;
    [[nodiscard]] std::uint32_t readable_bytes() const noexcept { return received_.size(); }
    [[nodiscard]] std::span<const std::byte> view() const noexcept { return received_.view(); }
    /// The peer's FIN was reached and every byte before it was read.
    [[nodiscard]] bool is_read_finished() const noexcept {
        return fin_received_ && received_.empty();
    }
    /// Room for a third of the buffer or 64 KiB, whichever is more, or an error: a write would not
    /// wait, or would fail.
    [[nodiscard]] bool can_write() const noexcept;
    [[nodiscard]] std::uint32_t write_room() const noexcept;
    /// What the buffers may hold at present, in bytes.
    [[nodiscard]] std::uint32_t send_limit() const noexcept;
    [[nodiscard]] std::uint32_t receive_limit() const noexcept { return receive_limit_; }
    /// Unread bytes up to the end of the peer's urgent data (MUST-33); 0: none is urgent.
    [[nodiscard]] std::uint32_t urgent_bytes() const noexcept;
    /// The peer's urgent pointer has moved since the last take_urgent_news() (MUST-32), and what it
    /// announces is not read yet.
    [[nodiscard]] bool has_urgent_news() const noexcept { return urgent_news_; }
    void take_urgent_news() noexcept { urgent_news_ = false; }
    [[nodiscard]] bool is_fin_received() const noexcept { return fin_received_; }
    [[nodiscard]] bool is_fin_acked() const noexcept { return fin_acked_; }
    [[nodiscard]] bool is_close_called() const noexcept { return close_called_; }
    [[nodiscard]] bool is_synchronized() const noexcept {
        return visited_ & mask_of(state::established);
    }
    /// An active OPEN that waits for hold_syn() to end.
    [[nodiscard]] bool is_syn_held() const noexcept {
        return state_ == state::syn_sent && !syn_due_ && snd_.nxt == snd_.iss;
    }
    /// Text that our SYN may carry, once it leaves; 0: none.
    [[nodiscard]] std::uint32_t syn_text_room() const noexcept {
        return fast_open_ != nullptr && state_ == state::syn_sent ? fast_open_->most_text : 0U;
    }
    [[nodiscard]] fast_open_outcome fast_open() const noexcept { return fast_open_outcome_; }
    /// Both directions are finished: TIME-WAIT or CLOSED.
    [[nodiscard]] bool is_finished() const noexcept {
        return is_one_of(state_, state::time_wait, state::closed);
    }
    /// Why the connection ended; a code of value 0 while it lives and after an orderly end.
    [[nodiscard]] std::error_code error() const noexcept {
        return error_ == 0 ? std::error_code{} : make_error_code(static_cast<errc>(error_));
    }
    /// The last error that did not end the connection (MUST-47); cleared by reading it.
    [[nodiscard]] std::error_code take_soft_error() noexcept;
    /// The Diffserv field that we send with, and the one that the peer last sent with (MAY-9).
    [[nodiscard]] std::uint8_t traffic_class() const noexcept { return traffic_class_; }
    [[nodiscard]] std::uint8_t received_traffic_class() const noexcept { return received_class_; }
    [[nodiscard]] std::uint8_t hop_limit() const noexcept;
    [[nodiscard]] bool is_orphan() const noexcept { return orphan_; }
    /// In TIME-WAIT, held by nobody, and its last word is said: a record will do (time_wait.hpp).
    [[nodiscard]] bool is_retirable() const noexcept {
        return state_ == state::time_wait && orphan_ && !ack_now_;
    }
    /// What that record has to know. Precondition: is_retirable().
    [[nodiscard]] time_wait_facts facts() const noexcept;
    [[nodiscard]] bool is_passive() const noexcept { return passive_; }
    [[nodiscard]] std::uint32_t mss() const noexcept { return mss_; }
    [[nodiscard]] duration smoothed_rtt() const noexcept { return rto_.smoothed(); }
    [[nodiscard]] duration rto() const noexcept;
    /// cwnd, and ssthresh, in bytes; before the first text has left, what it will begin with.
    [[nodiscard]] std::uint32_t congestion_window() const noexcept;
    [[nodiscard]] std::uint32_t slow_start_threshold() const noexcept;
    /// Congestion control, loss recovery and pacing; nullptr before the first text has left.
    [[nodiscard]] const transmission* sending() const noexcept { return tx_; }
    [[nodiscard]] bool has_sack() const noexcept { return sack_permitted_; }
    [[nodiscard]] std::uint32_t bytes_in_flight() const noexcept { return in_flight_.pipe(); }
    [[nodiscard]] std::uint32_t unacked_bytes() const noexcept { return snd_.nxt - snd_.una; }
    /// Of queued_bytes(), what was sent.
    [[nodiscard]] std::uint32_t sent_bytes() const noexcept {
        return queued_bytes() - unsent_bytes();
    }
    /// Text that was written and is not acknowledged yet, sent or not.
    [[nodiscard]] std::uint32_t queued_bytes() const noexcept { return sending_.size(); }
    [[nodiscard]] std::uint32_t peer_window() const noexcept { return snd_.wnd; }

    /// Whether the peer has shown since the last call, and within the last seconds, that it hears
    /// us: an acknowledgment of something new, or text that is new (RFC 4861 §7.3.1).
    [[nodiscard]] bool take_progress(instant now) noexcept {
        const bool has_progressed = progressed_ && now - heard_at_ <= std::chrono::seconds{5};
        progressed_ = false;
        return has_progressed;
    }
    /// The relation of RFC 9293 §3.3.1, or of our own, that does not hold between the variables; an
    /// empty text when all is well, which it is after every call, whatever the peer and the user
    /// do. For tests: a walk through all that is in flight (invariants.cpp).
    [[nodiscard]] std::string_view violated_invariant() const noexcept;
    /// R1 was reached since the last call (RFC 9293 §3.8.3, MUST-20): IP should look whether the
    /// next hop is still there.
    [[nodiscard]] bool take_doubt() noexcept {
        const bool is_doubtful = doubtful_;
        doubtful_ = false;
        return is_doubtful;
    }

    /// All of it in numbers (connection_info.hpp); totals and times are kept until the end.
    [[nodiscard]] connection_info info(instant now) const;

    // ---- the host's side

    /// The operation that waits for this, if any.
    [[nodiscard]] operation*& waiter(wait w) noexcept {
        return waiters_[static_cast<std::size_t>(w)];
    }
    /// What was raised since the last call, one bit for each `wait`.
    [[nodiscard]] std::uint8_t take_signals() noexcept { return std::exchange(signals_, {}); }

private:
    friend class demux;
    friend class listener;

    enum class verdict : std::uint8_t { pass, drop };

    // ---- what every source uses (connection.cpp)

    /// The only writer of state_.
    void apply(event e, instant now);
    void raise(wait w) noexcept;
    void raise_all() noexcept;
    /// Ends the connection: error to the user, buffers and timers gone, state CLOSED by `e`.
    void end(event e, errc why, instant now);
    void end_orderly(event e, instant now);
    void drop_everything() noexcept;
    void mark_transmit() noexcept;
    const config& settings() const noexcept;
    [[nodiscard]] std::uint32_t initial_window() const noexcept;

    // ---- a segment, RFC 9293 §3.10.7.3 and §3.10.7.4 (connection_input.cpp)

    void on_syn_sent_segment(segment& seg, instant now);
    void on_synchronized_segment(segment& seg, instant now);
    verdict check_timestamps(const segment& seg, instant now);
    verdict check_sequence(segment& seg, instant now);  // first
    verdict check_repeated_syn(segment& seg, instant now);
    verdict check_reset(const segment& seg, instant now);  // second
    verdict check_syn(const segment& seg, instant now);    // fourth
    void check_fin(instant now);                           // eighth
    void take_syn_options(const segment& syn, instant now);
    void update_mss(instant now) noexcept;
    void enter_established(event e, instant now);
    void note_timestamp(const segment& seg, instant now) noexcept;
    /// RFC 7323 §5.5: one that is older says nothing.
    [[nodiscard]] bool is_ts_recent_valid(instant now) const noexcept {
        return now - ts_recent_at_ < std::chrono::hours{24 * 24};
    }
    void note_traffic_class(const segment& seg) noexcept;
    void answer_with(answer a, instant now) noexcept;
    void acknowledge_at_once() noexcept;

    // ---- its ACK field (connection_ack.cpp)

    /// What one acknowledgment delivered, while its ranges are looked at.
    struct delivery_tally {
        std::optional<instant> newest_original;  ///< when the newest range sent only once had left
        bool originals_arrived = false;
    };
    /// Which reduction of the window it is in: another one has another mark.
    struct recovery_mark {
        recovery_phase phase;
        sequence_number recover;
        friend bool operator==(const recovery_mark&, const recovery_mark&) noexcept = default;
    };
    static recovery_mark mark_of(const loss_recovery& r) noexcept {
        return {r.phase(), r.recover()};
    }
    verdict check_ack(const segment& seg, instant now);  // fifth
    verdict check_fin_acked(instant now);
    void take_acknowledgment(const segment& seg, instant now);
    sent_ranges::acknowledged advance_una(const segment& seg, delivery_tally& tally, instant now);
    void note_delivered(const sent_range& r, const segment& seg, delivery_tally& tally,
                        instant now) noexcept;
    void recover_and_grow(loss_recovery::acknowledgment& a, const segment& seg,
                          std::uint32_t prior_in_flight, duration rtt, instant now);
    void note_reduction(const recovery_mark& before) noexcept;
    [[nodiscard]] loss_recovery::context recovery_context(instant now) noexcept;
    /// The round-trip time that the acknowledgment tells; zero: none.
    duration take_round_trip_sample(const sent_ranges::acknowledged& done, const segment& seg,
                                    instant now) noexcept;
    void take_window(const segment& seg, instant now) noexcept;

    // ---- its text (connection_text.cpp)

    void refuse_text(segment& seg) noexcept;
    void trim(segment& seg);
    void check_urgent(const segment& seg) noexcept;  // sixth
    void take_marks(const segment& seg);
    verdict take_text(segment& seg, instant now);  // seventh
    void hold_text(const segment& seg);
    void append_text(slice text);
    void note_duplicate_text(sequence_number begin, sequence_number end);
    void note_held_twice(const segment& seg);
    sack_reporter& reporter();
    void schedule_ack(instant now) noexcept;

    // ---- what to send now (connection_output.cpp)

    bool poll_syn(outgoing& out, tx_slot& slot, instant now);
    bool poll_text(outgoing& out, tx_slot& slot, instant now);
    bool poll_lost(outgoing& out, tx_slot& slot, instant now);
    bool poll_new(outgoing& out, tx_slot& slot, instant now);
    bool poll_tail_probe(outgoing& out, tx_slot& slot, instant now);
    bool poll_rescue(outgoing& out, tx_slot& slot, instant now);
    void attach_transmission(instant now);
    bool emit_text(outgoing& out, tx_slot& slot, sequence_number from, std::uint32_t count,
                   instant now);
    void emit(outgoing& out, tcp_flags flags, sequence_number seq, instant now);
    void emit_urgent_pointer(outgoing& out, sequence_number seq) noexcept;
    /// SACK blocks of the next acknowledgment, at most as many as fit.
    void add_sack_blocks(wire::tcp_options& options) noexcept;
    /// Text may leave: our SYN is acknowledged, or the client's cookie stands for that.
    [[nodiscard]] bool may_send_text() const noexcept {
        if (state_ != state::syn_received) return state_ != state::syn_sent;
        return passive_ && fast_open_ != nullptr && rto_.backoffs() == 0;
    }
    [[nodiscard]] bool may_send_now(std::uint32_t count, std::uint32_t unsent,
                                    std::uint32_t full) const noexcept;
    /// The sequence number of the send buffer's first byte.
    [[nodiscard]] sequence_number text_begin() const noexcept {
        return snd_.una + (syn_acked_ ? 0U : 1U);
    }
    [[nodiscard]] std::uint32_t unsent_bytes() const noexcept;
    [[nodiscard]] bool is_fin_due() const noexcept;
    /// Urgent data of ours is not acknowledged yet.
    [[nodiscard]] bool is_sending_urgent() const noexcept {
        return sending_urgent_ && snd_.up > snd_.una;
    }
    [[nodiscard]] std::uint32_t congestion_room() const noexcept;
    [[nodiscard]] std::uint32_t offered_room() const noexcept;
    [[nodiscard]] std::uint32_t max_text_bytes() noexcept;
    /// Text of a full segment, less the options that only this one carries.
    [[nodiscard]] std::uint32_t full_text_bytes() noexcept;
    /// Of the receive buffer.
    [[nodiscard]] std::uint32_t free_bytes() const noexcept;
    /// What the window field can say of them.
    [[nodiscard]] std::uint32_t offerable_bytes() const noexcept;
    [[nodiscard]] std::uint32_t receive_window() const noexcept;
    [[nodiscard]] std::uint16_t take_offered_window() noexcept;
    [[nodiscard]] bool is_window_update_due() const noexcept;
    [[nodiscard]] std::uint32_t timestamp_now(instant now) const noexcept;

    // ---- timers (connection_timers.cpp)

    void on_timer(instant now);
    void on_transmission_timer(instant now);
    void on_retransmission_timeout(instant now);
    void on_idle_timeout(instant now);
    void lose_everything(instant now);
    void arm() noexcept;
    void restart_retransmission_timer(instant now) noexcept;
    void restart_tail_probe(instant now) noexcept;
    void restart_keepalive(instant now) noexcept;
    void enter_time_wait(instant now) noexcept;
    void start_orphan_limit(instant now) noexcept;
    [[nodiscard]] instant give_up_at() const noexcept;
    [[nodiscard]] bool is_given_up(instant now) const noexcept;

    // ---- resets (connection_calls.cpp), errors (connection_errors.cpp)

    void send_reset(sequence_number seq, instant now);
    /// A RST without an ACK, in the form that answers a segment for no connection (§3.10.7.1).
    void refuse(const segment& seg, instant now);
    /// The same for one whose ACK is not acceptable.
    void refuse_ack(const segment& seg, instant now);
    [[nodiscard]] reply reset_at(sequence_number seq, tcp_flags flags, instant now) const noexcept;
    void note_soft_error(errc what) noexcept;

    // ---- what the user has read (connection_buffers.cpp, connection_calls.cpp)

    void on_read(std::uint32_t count, instant now);
    void note_text_for_tuning(const segment& seg, instant now) noexcept;
    void note_urgent_read() noexcept;

    // ---- TCP Fast Open (connection_fast_open.cpp)

    /// For an active OPEN that is to follow: with what is known of the server.
    void prepare_fast_open(bool without_cookie, instant now);
    void add_fast_open(outgoing& out, tx_slot& slot, instant now);
    void conclude_fast_open(const segment& seg, instant now);
    void conclude_active_fast_open(const segment& seg, instant now);
    void abandon_fast_open(event e, instant now);
    void drop_fast_open(fast_open_queue::ending how, instant now);
    bool repeat_syn_without_text(std::uint32_t mtu_bytes, std::uint32_t quoted_bytes) noexcept;
    /// Among those that wait to be accepted.
    [[nodiscard]] bool is_in_accept_queue() const noexcept {
        return parent_ != nullptr && list_hook<signaled_tag>::is_linked();
    }

    // ---- the size of packets (connection_path.cpp)

    enum class mtu_probe : std::uint8_t { none, sent, awaits_room };
    void begin_path(instant now) noexcept;
    void adopt_path(instant now) noexcept;
    mtu_probe poll_mtu_probe(outgoing& out, tx_slot& slot, instant now);
    void take_path_news(bool has_advanced, instant now) noexcept;
    void take_mtu_probe_loss(instant now) noexcept;
    void on_path_timeout(instant now) noexcept;
    [[nodiscard]] std::uint32_t header_bytes() const noexcept;
    [[nodiscard]] duration mtu_probe_pause() const noexcept;

    // ---- statistics (connection_info.cpp)

    connection_statistics& statistics();
    void count_received(const segment& seg);
    void count_text_sent(const outgoing& out, std::uint32_t bytes);
    void note_activity(instant now);
    void note_rate(const rate_sample& sample) noexcept;
    [[nodiscard]] sender_activity activity() const noexcept;
    void tell_sending(connection_info& i) const noexcept;
    void tell_totals(connection_info& i, instant now) const noexcept;

    std::array<operation*, wait_count> waiters_{};
};

}  // namespace weft::net::tcp
