#pragma once
// One sender and one bottleneck, without segments: congestion control against a path that is known.
//
// The path has a rate, a delay and a buffer that drops at its tail; each segment is acknowledged
// when it arrives. A segment that three later ones have overtaken is lost and sent again as if it
// were new. Shows what window() and pacing_rate() do in a closed loop; nothing of the connection.

#include <weft/net/tcp/congestion/congestion_control.hpp>
#include <weft/net/tcp/pacer.hpp>

#include <deque>
#include <utility>

namespace weft::test {

struct path {
    std::uint64_t bytes_per_second = 1'250'000;
    duration delay = std::chrono::milliseconds{20};  ///< each way
    std::uint64_t buffer_bytes = 50'000;
};

class path_model {
public:
    static constexpr std::uint32_t mss = 1000;

    path_model(net::tcp::congestion_algorithm algorithm, path p, instant start = instant{})
        : path_{p}, now_{start}, link_free_{start}, app_from_{start} {
        control_.begin(algorithm, mss, 10 * mss, start);
    }

    [[nodiscard]] net::tcp::congestion_control& control() { return control_; }
    [[nodiscard]] instant now() const { return now_; }
    [[nodiscard]] std::uint64_t delivered() const { return rate_.delivered(); }
    [[nodiscard]] std::uint64_t drops() const { return drops_; }
    [[nodiscard]] std::uint32_t in_flight() const { return in_flight_; }
    /// The longest that a segment waited in the buffer since the last call.
    [[nodiscard]] duration take_worst_wait() { return std::exchange(worst_wait_, duration{}); }

    /// From now on the path is another one; what is under way is not affected.
    void change(path p) { path_ = p; }
    /// The application offers so many bytes a second from now on; 0: more than enough.
    void offer(std::uint64_t bytes_per_second) {
        app_rate_ = bytes_per_second;
        app_from_ = now_;
        app_sent_ = 0;
    }

    void run(duration d) {
        const instant end = now_ + d;
        for (;;) {
            send();
            const instant next = std::min({next_ack(), next_send(), end});
            now_ = std::max(now_, next);
            if (now_ >= end) return;
            if (!flight_.empty() && next_ack() <= now_) acknowledge();
        }
    }

private:
    struct sent {
        std::uint32_t begin;
        instant sent_at;
        instant acked_at;  // never: dropped
        net::tcp::delivery_snapshot snapshot;
    };

    [[nodiscard]] instant next_ack() const {
        for (const sent& s : flight_) {
            if (s.acked_at != never) return s.acked_at;
        }
        return flight_.empty() ? never : flight_.back().sent_at + std::chrono::seconds{1};
    }
    [[nodiscard]] bool has_room() const { return in_flight_ + mss <= control_.window(); }
    [[nodiscard]] instant app_ready_at() const {
        if (app_rate_ == 0) return now_;
        const std::uint64_t ns = (app_sent_ + mss) * 1'000'000'000 / app_rate_;
        return app_from_ + duration{static_cast<duration::rep>(ns)};
    }
    [[nodiscard]] instant next_send() const {
        return has_room() ? std::max(app_ready_at(), pace_.next()) : never;
    }

    void send() {
        pace_.set_rate(control_.pacing_rate());
        while (has_room() && app_ready_at() <= now_ && pace_.may_send(now_)) {
            const duration takes{static_cast<duration::rep>(std::uint64_t{mss} * 1'000'000'000 /
                                                            path_.bytes_per_second)};
            const duration wait = std::max(link_free_ - now_, duration{});
            const auto queued = static_cast<std::uint64_t>(wait / takes) * mss;
            sent s{next_, now_, never, rate_.on_sent(now_, in_flight_)};
            if (queued + mss <= path_.buffer_bytes) {
                worst_wait_ = std::max(worst_wait_, wait);
                link_free_ = now_ + wait + takes;
                s.acked_at = link_free_ + 2 * path_.delay;
            } else {
                ++drops_;
            }
            flight_.push_back(s);
            next_ += mss;
            in_flight_ += mss;
            app_sent_ += mss;
            pace_.on_sent(mss, now_);
        }
        limited_ = !has_room();
        if (has_room() && app_ready_at() > now_) rate_.on_app_limited(in_flight_);
    }

    void acknowledge() {
        net::tcp::ack_event e;
        e.now = now_;
        e.mss = mss;
        e.prior_in_flight = in_flight_;
        e.was_window_limited = limited_;
        std::size_t arrived = 0;
        while (arrived < flight_.size() && flight_[arrived].acked_at == never) ++arrived;
        if (arrived == flight_.size()) {  // all of the tail is gone: a timeout
            e.lost = static_cast<std::uint32_t>(arrived) * mss;
            rate_.on_lost(e.lost);
            control_.on_timeout(in_flight_, mss, true, now_);
            flight_.clear();
            in_flight_ = 0;
            recover_ = next_;
            return;
        }
        const sent s = flight_[arrived];
        rate_.on_delivered(s.snapshot, s.sent_at, mss, now_);
        e.delivered = e.cumulative = mss;
        e.rtt = now_ - s.sent_at;
        smoothed_ = smoothed_ == duration{} ? e.rtt : smoothed_ + (e.rtt - smoothed_) / 8;
        min_rtt_ = std::min(min_rtt_, e.rtt);
        // Nothing is reordered here: what is older than this one was dropped.
        e.lost = static_cast<std::uint32_t>(arrived) * mss;
        rate_.on_lost(e.lost);
        const std::uint32_t flight = in_flight_;
        flight_.erase(flight_.begin(), flight_.begin() + static_cast<std::ptrdiff_t>(arrived) + 1);
        in_flight_ -= e.lost + mss;
        if (is_recovering_ && s.begin >= recover_) {
            is_recovering_ = false;
            control_.on_recovered(in_flight_, mss, now_);
        }
        if (e.lost != 0 && !is_recovering_) {
            is_recovering_ = true;
            recover_ = next_;
            control_.on_congestion(net::tcp::congestion_cause::loss, flight, mss, now_);
            if (control_.uses_recovery_window()) control_.set_window(control_.threshold());
        }
        e.is_recovering = is_recovering_;
        e.in_flight = in_flight_;
        e.smoothed_rtt = smoothed_;
        e.min_rtt = min_rtt_;
        e.una = net::tcp::sequence_number{s.begin + mss};
        e.nxt = net::tcp::sequence_number{next_};
        e.rate = rate_.take_sample(now_, min_rtt_);
        control_.on_ack(e);
    }

    path path_;
    net::tcp::congestion_control control_;
    net::tcp::delivery_rate rate_;
    net::tcp::pacer pace_;
    std::deque<sent> flight_;
    instant now_;
    instant link_free_;
    duration smoothed_{};
    duration min_rtt_ = duration::max();
    duration worst_wait_{};
    std::uint64_t app_rate_ = 0;
    std::uint64_t app_sent_ = 0;
    instant app_from_;
    std::uint64_t drops_ = 0;
    std::uint32_t next_ = 0;
    std::uint32_t recover_ = 0;
    std::uint32_t in_flight_ = 0;
    bool is_recovering_ = false;
    bool limited_ = true;
};

}  // namespace weft::test
