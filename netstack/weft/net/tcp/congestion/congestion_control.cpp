#include <weft/net/tcp/congestion/congestion_control.hpp>

#include <algorithm>

namespace weft::net::tcp {

namespace {

/// What may leave at once when recovery ends: as much as at the start of a connection (RFC 6928).
constexpr std::uint32_t max_burst_segments = 10;

/// A large frame is acknowledged as a whole, so the bound on what one acknowledgment may add
/// (RFC 9406 §4.2, L = 8 segments) is at least such a frame.
constexpr std::uint32_t slow_start_bound(std::uint32_t mss) { return std::max(8 * mss, 65536U); }

}  // namespace

void congestion_control::begin(congestion_algorithm algorithm, std::uint32_t mss,
                               std::uint32_t initial_window, instant) noexcept {
    *this = congestion_control{};
    algorithm_ = algorithm;
    window_.bytes = initial_window;
    window_.mss = mss;
}

void congestion_control::on_ack(const ack_event& ack) noexcept {
    window_.mss = ack.mss;
    if (!ack.is_recovering) after_timeout_ = false;
    if (!ack.was_window_limited) return;
    if (window_.is_slow_start()) {
        if (ack.is_recovering && !after_timeout_) return;
        // What an acknowledgment covers may have left the network long ago (RFC 3465 §2.3): never
        // more than was in it just before.
        const std::uint32_t left = std::min(ack.delivered, ack.prior_in_flight);
        const std::uint32_t to_threshold = window_.threshold - window_.bytes;
        window_.grow(std::min({left, slow_start_bound(ack.mss), to_threshold}));
        return;
    }
    if (!ack.is_recovering) reno_.on_ack(window_, ack.delivered);
}

void congestion_control::on_congestion(congestion_cause, std::uint32_t in_flight, std::uint32_t mss,
                                       instant) noexcept {
    save();
    after_timeout_ = false;
    window_.mss = mss;
    window_.threshold = reno_.on_congestion(std::min(in_flight, window_.bytes), mss);
}

void congestion_control::on_recovered(std::uint32_t in_flight, std::uint32_t mss,
                                      instant) noexcept {
    if (after_timeout_) {
        after_timeout_ = false;
        return;
    }
    const std::uint32_t without_burst = std::max(in_flight, mss) + max_burst_segments * mss;
    window_.bytes = std::min(window_.threshold, without_burst);
}

void congestion_control::on_timeout(std::uint32_t in_flight, std::uint32_t mss, bool is_first,
                                    instant) noexcept {
    if (is_first) {
        save();
        window_.threshold = reno_.on_congestion(std::min(in_flight, window_.bytes), mss);
    }
    window_.bytes = window_.mss = mss;
    after_timeout_ = true;
}

void congestion_control::save() noexcept {
    saved_ = window_;
    saved_reno_ = reno_;
}

void congestion_control::undo() noexcept {
    if (saved_.mss == 0) return;
    window_.bytes = std::max(window_.bytes, saved_.bytes);
    window_.threshold = saved_.threshold;
    reno_ = saved_reno_;
    saved_.mss = 0;
    after_timeout_ = false;
}

void congestion_control::on_idle(std::uint32_t mss, std::uint32_t initial_window, instant,
                                 duration) noexcept {
    window_.mss = mss;
    window_.threshold = std::max(window_.threshold, window_.bytes / 4 * 3);
    window_.bytes = std::min(window_.bytes, initial_window);
}

void congestion_control::on_application_limited(std::uint32_t, std::uint32_t) noexcept {}

void congestion_control::on_mss(std::uint32_t mss) noexcept {
    // RFC 1191 §6.3 and RFC 8899: the window in bytes stays, but it holds at least one segment.
    window_.mss = mss;
    window_.bytes = std::max(window_.bytes, mss);
}

}  // namespace weft::net::tcp
