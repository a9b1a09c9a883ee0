#include <weft/net/tcp/congestion/congestion_control.hpp>

#include <algorithm>

namespace weft::net::tcp {

void congestion_control::begin(congestion_algorithm algorithm, std::uint32_t mss,
                               std::uint32_t initial_window, instant now) noexcept {
    initial_bytes_ = initial_window;
    window_ = {.bytes = initial_window, .threshold = congestion_window::unlimited, .mss = mss};
    switch (algorithm) {
        case congestion_algorithm::cubic:
            model_.emplace<loss_based>(cubic{}, initial_window);
            break;
        case congestion_algorithm::new_reno:
            model_.emplace<loss_based>(reno{}, initial_window);
            break;
        case congestion_algorithm::bbr: model_.emplace<bbr>().begin(window_, now); break;
    }
}

congestion_algorithm congestion_control::algorithm() const noexcept {
    const loss_based* l = as_loss_based();
    if (l == nullptr) return congestion_algorithm::bbr;
    return l->is_cubic() ? congestion_algorithm::cubic : congestion_algorithm::new_reno;
}

bool congestion_control::is_slow_start() const noexcept {
    if (const bbr* b = as_bbr()) return b->current() == bbr::mode::startup;
    return window_.is_slow_start();
}

std::uint64_t congestion_control::pacing_rate() const noexcept {
    if (const bbr* b = as_bbr()) return b->pacing_rate();
    return as_loss_based()->pacing_rate(window_);
}

void congestion_control::on_ack(const ack_event& ack) noexcept {
    window_.mss = ack.mss;
    std::visit([&](auto& m) { m.on_ack(window_, ack); }, model_);
}

// A mark counts as a loss does (RFC 3168 §6.1.2, RFC 9438 §4.6); BBR's model knows neither.
void congestion_control::on_congestion(congestion_cause, std::uint32_t flight, std::uint32_t mss,
                                       instant) noexcept {
    window_.mss = mss;
    std::visit([&](auto& m) { m.on_congestion(window_, flight); }, model_);
}

void congestion_control::on_recovered(std::uint32_t in_flight, std::uint32_t mss,
                                      instant) noexcept {
    window_.mss = mss;
    std::visit([&](auto& m) { m.on_recovered(window_, in_flight); }, model_);
    // Segments may have become larger since the reduction (RFC 4821).
    window_.bytes = std::max(window_.bytes, mss);
}

void congestion_control::on_timeout(std::uint32_t flight, std::uint32_t mss, bool is_first,
                                    instant) noexcept {
    window_.mss = mss;
    std::visit([&](auto& m) { m.on_timeout(window_, flight, is_first); }, model_);
}

void congestion_control::undo() noexcept {
    std::visit([&](auto& m) { m.undo(window_); }, model_);
}

void congestion_control::on_idle(std::uint32_t mss, std::uint32_t initial_window, instant now,
                                 duration) noexcept {
    window_.mss = mss;
    initial_bytes_ = initial_window;
    std::visit([&](auto& m) { m.on_idle(window_, initial_window, now); }, model_);
}

void congestion_control::keep_window_when_idle(bool keeps) noexcept {
    if (auto* l = std::get_if<loss_based>(&model_)) l->keep_window_when_idle(keeps);
}

void congestion_control::on_mss(std::uint32_t mss) noexcept {
    if (mss < window_.mss && window_.bytes == initial_bytes_) {
        const std::uint64_t scaled = std::uint64_t{initial_bytes_} * mss / window_.mss;
        window_.bytes = initial_bytes_ = static_cast<std::uint32_t>(scaled);
    }
    window_.mss = mss;
    window_.bytes = std::max(window_.bytes, mss);
}

}  // namespace weft::net::tcp
