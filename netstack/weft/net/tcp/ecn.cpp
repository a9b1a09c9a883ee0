#include <weft/net/tcp/ecn.hpp>

namespace weft::net::tcp {

namespace {
constexpr tcp_flags both = tcp_flags::ece | tcp_flags::cwr;
}

tcp_flags ecn::flags_of_syn(ecn_mode mode, bool is_again) noexcept {
    if (mode == ecn_mode::request && !is_again) {
        sent_setup_ = true;
        return both;
    }
    sent_plain_ = true;
    return {};
}

tcp_flags ecn::flags_of_syn_ack(ecn_mode mode) noexcept {
    if (mode != ecn_mode::off && got_setup_ && !got_plain_ && !sent_plain_) {
        sent_setup_ = true;
        return tcp_flags::ece;
    }
    sent_plain_ = true;
    return {};
}

void ecn::on_syn(tcp_flags flags) noexcept {
    if (flags.has(both)) {
        got_setup_ = true;
    } else {
        got_plain_ = true;
    }
}

void ecn::on_syn_ack(tcp_flags flags) noexcept {
    if (flags.has(tcp_flags::ece) && !flags.has(tcp_flags::cwr)) {
        got_setup_ = true;
    } else {
        got_plain_ = true;
    }
}

ecn::answer ecn::on_text(std::uint8_t traffic_class, tcp_flags flags) noexcept {
    if (!is_receiver()) return answer::in_time;
    const bool was_echoing = echoing_;
    const bool has_reduced = flags.has(tcp_flags::cwr);
    if (has_reduced) echoing_ = false;
    // A packet may be marked that says the last mark was heard: that is a new one.
    if ((traffic_class & wire::ecn::mask) == wire::ecn::ce) echoing_ = true;
    return has_reduced || (echoing_ && !was_echoing) ? answer::at_once : answer::in_time;
}

bool ecn::on_ack(tcp_flags flags, sequence_number ack, sequence_number reduced_at) noexcept {
    if (has_reduced_ && ack > reduced_at) has_reduced_ = false;
    return may_mark() && flags.has(tcp_flags::ece) && !flags.has(tcp_flags::syn) && !has_reduced_;
}

void ecn::on_reduced() noexcept {
    if (may_mark()) cwr_due_ = has_reduced_ = true;
}

ecn::marks ecn::take_marks_of_new_text() noexcept {
    if (!may_mark()) return {};
    marks m{.codepoint = wire::ecn::ect0};
    if (cwr_due_) m.flags = tcp_flags::cwr;
    cwr_due_ = false;
    return m;
}

}  // namespace weft::net::tcp
