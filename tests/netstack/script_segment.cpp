#include "script_segment.hpp"

namespace weft::test {

script_segment segment_with(tcp_flags flags, std::uint32_t seq, std::uint32_t ack,
                            std::string text) {
    script_segment s;
    s.seq = seq;
    s.ack = ack;
    s.flags = flags;
    s.text = std::move(text);
    return s;
}

std::uint32_t script_segment::end() const {
    return seq + static_cast<std::uint32_t>(text.size()) + (has(tcp_flags::syn) ? 1U : 0U) +
           (has(tcp_flags::fin) ? 1U : 0U);
}

script_segment script_segment::with_window(std::uint16_t w) const {
    script_segment s{*this};
    s.window = w;
    return s;
}
script_segment script_segment::with_mss(std::uint16_t mss) const {
    script_segment s{*this};
    s.options.set_mss(mss);
    return s;
}
script_segment script_segment::with_scale(std::uint8_t shift) const {
    script_segment s{*this};
    s.options.set_window_scale(shift);
    return s;
}
script_segment script_segment::with_timestamps(std::uint32_t value, std::uint32_t echo) const {
    script_segment s{*this};
    s.options.set_timestamps({value, echo});
    return s;
}
script_segment script_segment::without_timestamps() const {
    script_segment s{*this};
    s.plain = true;
    return s;
}
script_segment script_segment::with_sack(
    std::initializer_list<std::pair<std::uint32_t, std::uint32_t>> blocks) const {
    script_segment s{*this};
    for (const auto& [left, right] : blocks) s.options.add_sack_block({left, right});
    return s;
}
script_segment script_segment::with_urgent(std::uint16_t pointer) const {
    script_segment s{*this};
    s.flags |= tcp_flags::urg;
    s.urgent = pointer;
    return s;
}
script_segment script_segment::with(tcp_flags more) const {
    script_segment s{*this};
    s.flags |= more;
    return s;
}
script_segment script_segment::marked(std::uint8_t codepoint) const {
    script_segment s{*this};
    s.traffic_class = codepoint;
    return s;
}
script_segment script_segment::made_of(std::uint32_t bytes) const {
    script_segment s{*this};
    s.segment_bytes = bytes;
    return s;
}

bool operator==(const script_segment& a, const script_segment& b) {
    const tcp_flags compared = ~tcp_flags::psh;
    return (a.flags & compared) == (b.flags & compared) && a.seq == b.seq &&
           (!a.has(tcp_flags::ack) || a.ack == b.ack) && a.text == b.text;
}

std::ostream& operator<<(std::ostream& out, const script_segment& s) {
    if (!s.flags && s.text.empty()) return out << "nothing";
    const std::pair<tcp_flags, const char*> names[] = {
        {tcp_flags::syn, "SYN "}, {tcp_flags::fin, "FIN "}, {tcp_flags::rst, "RST "},
        {tcp_flags::psh, "PSH "}, {tcp_flags::urg, "URG "}, {tcp_flags::ack, "ACK "},
        {tcp_flags::ece, "ECE "}, {tcp_flags::cwr, "CWR "}};
    for (const auto& [flag, name] : names) {
        if (s.has(flag)) out << name;
    }
    out << s.seq << ':' << s.end() << '(' << s.text.size() << ')';
    if (s.has(tcp_flags::ack)) out << " ack " << s.ack;
    if (s.window) out << " win " << *s.window;
    for (const auto& block : s.options.sack_blocks()) {
        out << " sack " << block.left << '-' << block.right;
    }
    if (!s.text.empty() && s.text.size() <= 24) out << " \"" << s.text << '"';
    return out;
}

script_segment syn(std::uint32_t seq) { return segment_with(tcp_flags::syn, seq, 0); }
script_segment syn_ack(std::uint32_t seq, std::uint32_t ack) {
    return segment_with(tcp_flags::syn | tcp_flags::ack, seq, ack);
}
script_segment ack(std::uint32_t seq, std::uint32_t ack) {
    return segment_with(tcp_flags::ack, seq, ack);
}
script_segment data(std::uint32_t seq, std::uint32_t ack, std::string text) {
    return segment_with(tcp_flags::ack, seq, ack, std::move(text));
}
script_segment fin_ack(std::uint32_t seq, std::uint32_t ack, std::string text) {
    return segment_with(tcp_flags::fin | tcp_flags::ack, seq, ack, std::move(text));
}
script_segment rst(std::uint32_t seq) { return segment_with(tcp_flags::rst, seq, 0); }
script_segment rst_ack(std::uint32_t seq, std::uint32_t ack) {
    return segment_with(tcp_flags::rst | tcp_flags::ack, seq, ack);
}

std::string stream_text(std::size_t count, std::uint64_t from) {
    std::string text(count, '\0');
    for (std::size_t i = 0; i < count; ++i) {
        const std::uint64_t at = from + i;
        text[i] = static_cast<char>('a' + (at + at / 26 + at / 1009) % 26);
    }
    return text;
}

}  // namespace weft::test
