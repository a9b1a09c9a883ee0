#pragma once
// TIME-WAIT in about a hundred bytes: what remains of a connection that nobody holds any more.
//
// When the last acknowledgment has left and the handle is gone, the TCB makes way for a record that
// answers segments as RFC 9293 §3.10.7.4 says for that state, acknowledges the peer's FIN again,
// and ends after 2 MSL. Records are bounded: the oldest gives way, and is counted. Transitions are
// those of the table in state.hpp, and the observer is told of them. Called by demux only.

#include <weft/base/instant.hpp>
#include <weft/base/intrusive_list.hpp>
#include <weft/base/timer_wheel.hpp>
#include <weft/net/charged_slab.hpp>
#include <weft/net/observer.hpp>
#include <weft/net/tcp/challenge_throttle.hpp>
#include <weft/net/tcp/segment.hpp>
#include <weft/net/tcp/segment_checks.hpp>
#include <weft/net/tcp/state.hpp>
#include <weft/net/tcp/tuple_table.hpp>

namespace weft::net::tcp {

class demux;

/// What the state needs of a TCB.
struct time_wait_facts {
    four_tuple tuple;
    connection_id id = 0;
    instant ends_at;
    sequence_number snd_nxt;
    sequence_number rcv_nxt;
    std::uint32_t rcv_wnd = 0;  ///< bytes that were still offered
    std::uint32_t snd_max_wnd = 0;
    std::uint32_t ts_recent = 0;
    std::uint16_t window = 0;  ///< the same as rcv_wnd, as on the wire
    std::uint8_t traffic_class = 0;
    std::uint8_t hop_limit = 0;
    bool has_timestamps = false;
};

class time_wait_record : public list_hook<time_wait_record>, public time_wait_facts {
public:
    explicit time_wait_record(const time_wait_facts& f) noexcept : time_wait_facts{f} {}
    [[nodiscard]] const four_tuple& tuple() const noexcept { return time_wait_facts::tuple; }

private:
    friend class time_wait_table;
    challenge_throttle challenges_;
};

class time_wait_table {
public:
    explicit time_wait_table(demux& owner);
    time_wait_table(const time_wait_table&) = delete;
    time_wait_table& operator=(const time_wait_table&) = delete;

    /// Precondition: the four-tuple is free. Records end in the order in which they are added: one
    /// that was held for long lasts as long as the one before it.
    void add(const time_wait_facts& f, instant now);
    [[nodiscard]] time_wait_record* find(const four_tuple& tuple) noexcept {
        return table_.find(tuple);
    }
    [[nodiscard]] time_wait_record* find(const four_tuple& tuple, std::uint32_t hash) noexcept {
        return table_.find(tuple, hash);
    }
    void on_segment(time_wait_record& r, const segment& seg, instant now);
    /// TIME-WAIT → CLOSED.
    void end(time_wait_record& r, event e, instant now) noexcept;

    [[nodiscard]] std::size_t size() const noexcept { return table_.size(); }
    template <class Visit>
    void for_each(Visit visit) {
        table_.for_each(visit);
    }
    /// Of the records and their table.
    [[nodiscard]] std::size_t reserved_bytes() const noexcept {
        return slab_.reserved_bytes() + table_.reserved_bytes();
    }

private:
    enum class verdict : std::uint8_t { pass, drop };
    struct end_timer : timer_node {
        explicit end_timer(time_wait_table& owner) noexcept;
        time_wait_table& table;
    };

    verdict check_timestamps(time_wait_record& r, const segment& seg, instant now);
    verdict check_sequence(time_wait_record& r, const segment& seg, instant now);
    void check_reset(time_wait_record& r, const segment& seg, instant now);
    void restart(time_wait_record& r, instant now) noexcept;
    void send_ack(const time_wait_record& r, instant now);
    void answer_with(answer a, time_wait_record& r, instant now);
    void on_timeout(instant now) noexcept;
    void arm() noexcept;

    demux& owner_;
    charged_slab<time_wait_record> slab_;
    tuple_table<time_wait_record> table_;
    intrusive_list<time_wait_record, time_wait_record> by_end_;  ///< the next to end first
    end_timer timer_;
};

}  // namespace weft::net::tcp
