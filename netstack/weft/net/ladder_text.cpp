// Rows to text: times outside, states beside them, arrows in the middle.

#include <weft/net/ladder_picture.hpp>

#include <algorithm>
#include <array>
#include <utility>

namespace weft::net {
namespace {

using wire::tcp_flags;

constexpr std::size_t time_width = 10;
constexpr std::size_t state_width = 14;  // "(SYN-RECEIVED)"
constexpr std::size_t least_middle_width = 44;

std::string repeated(std::string_view piece, std::size_t times) {
    std::string text;
    for (std::size_t i = 0; i < times; ++i) text += piece;
    return text;
}

std::string right_aligned(const std::string& text, std::size_t width) {
    return repeated(" ", width - std::min(width, text.size())) + text;
}

/// `columns` may be below text.size(): UTF-8.
std::string padded(std::string text, std::size_t columns, std::size_t width) {
    return std::move(text) + repeated(" ", width - std::min(width, columns));
}
std::string padded(std::string text, std::size_t width) {
    const std::size_t columns = text.size();
    return padded(std::move(text), columns, width);
}

std::string flags_text(tcp_flags flags) {
    constexpr std::array<std::pair<tcp_flags, std::string_view>, 8> names{{
        {tcp_flags::syn, "SYN"},
        {tcp_flags::fin, "FIN"},
        {tcp_flags::rst, "RST"},
        {tcp_flags::psh, "PSH"},
        {tcp_flags::urg, "URG"},
        {tcp_flags::ece, "ECE"},
        {tcp_flags::cwr, "CWR"},
        {tcp_flags::ack, "ACK"},
    }};
    std::string text;
    for (const auto& [flag, name] : names) {
        if (!flags.has(flag)) continue;
        if (!text.empty()) text += ',';
        text += name;
    }
    return text.empty() ? "none" : text;
}

std::string with_one_decimal(std::uint64_t tenths) {
    return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10);
}

}  // namespace

std::string ladder_picture::byte_text(std::uint64_t bytes) {
    if (bytes < 1024) return std::to_string(bytes) + " B";
    if (bytes < std::uint64_t{1024} * 1024) return with_one_decimal(bytes * 10 / 1024) + " KiB";
    return with_one_decimal(bytes * 10 / (1024 * 1024)) + " MiB";
}

std::string ladder_picture::state_text(end e, tcp::state s) const {
    const std::string name{tcp::to_string(s)};
    return is_inferred(e) ? "(" + name + ")" : name;
}

std::string ladder_picture::label_of(const step& s, end from) const {
    const auto relative = [this](std::uint32_t number, end whose) {
        const auto& first = first_number_[index(whose)];
        return std::to_string(options_.relative_numbers && first ? number - *first : number);
    };
    const wire::tcp_header& h = s.header;
    std::string label = flags_text(h.flags) + " seq=" + relative(h.sequence, from);
    if (h.flags.has(tcp_flags::ack)) label += " ack=" + relative(h.acknowledgment, other(from));
    if (s.payload_bytes != 0) label += " len=" + std::to_string(s.payload_bytes);
    if (h.window == 0 && !h.flags.has(tcp_flags::rst)) label += " win=0";
    if (s.options.has_mss()) label += " mss=" + std::to_string(s.options.mss());
    if (s.retransmission) label += " again";
    return label;
}

std::string ladder_picture::time_text(const std::optional<instant>& at) const {
    if (!at) return {};
    const auto us = std::chrono::duration_cast<std::chrono::microseconds>(*at - steps_[0]->at);
    const std::string rest = std::to_string(us.count() % 1000);
    return std::to_string(us.count() / 1000) + "." + std::string(3 - rest.size(), '0') + rest;
}

std::string ladder_picture::middle_text(const row& r, std::size_t width) const {
    const std::string_view line = options_.ascii ? "-" : "─";
    const std::string_view dots = options_.ascii ? ":" : "⋮";
    const bool is_rightward = r.from == end::left;
    const std::string_view head = !r.has_arrived ? (options_.ascii ? "x" : "✕")
                                  : is_rightward ? (options_.ascii ? ">" : "▶")
                                                 : (options_.ascii ? "<" : "◀");
    std::string text;
    switch (r.what) {
        case row::kind::state: return padded({}, width);
        case row::kind::call:
            return is_rightward ? padded(r.label, width) : right_aligned(r.label, width);
        case row::kind::segment:
            text += is_rightward ? line : head;
            text += line;
            text += " " + r.label + " ";
            text += repeated(line, width - 5 - r.label.size());
            text += is_rightward ? head : line;
            return text;
        case row::kind::summary:
            text += dots;
            text += "  ";
            text += is_rightward ? repeated(line, 2) : std::string{head} + std::string{line};
            text += is_rightward ? head : line;
            text += "  " + r.label;
            return padded(std::move(text), 8 + r.label.size(), width);
        case row::kind::gap: {
            text += dots;
            const std::string what = "  " + std::to_string(of_.skipped_segments) + " segments, " +
                                     byte_text(of_.skipped_bytes) + ", were not kept";
            return padded(text + what, 1 + what.size(), width);
        }
    }
    return text;
}

std::string ladder_picture::line_of(const row& r, std::size_t width) const {
    std::string line = right_aligned(time_text(r.at[0]), time_width) + "  " +
                       padded(r.state[0], state_width) + " " + middle_text(r, width) + "  " +
                       padded(r.state[1], state_width) +
                       right_aligned(time_text(r.at[1]), time_width);
    line.erase(line.find_last_not_of(' ') + 1);
    return line + "\n";
}

std::string ladder_picture::headline(std::size_t width) const {
    const std::string margin(time_width + 2, ' ');
    const std::size_t right_column = state_width + 1 + width + 2;
    std::string text;
    text += margin + padded(std::string{options_.left_name}, right_column) +
            std::string{options_.right_name} + "\n";
    text += margin + padded(of_.left.to_string(), right_column) + of_.right.to_string() + "\n";
    text += right_aligned("ms", time_width) +
            repeated(" ", 2 + right_column + state_width + time_width - 2) + "ms\n";
    return text;
}

std::string ladder_picture::footnotes() const {
    std::string text;
    if (is_inferred(end::left) || is_inferred(end::right)) {
        text +=
            "(STATE): the peer was not watched. What TCP's table of transitions makes of the\n"
            "segments that came from it, and of ours, taken to have arrived.\n";
    }
    const bool is_any_lost =
        std::ranges::any_of(rows_, [](const row& r) { return !r.has_arrived; });
    if (is_any_lost) {
        text += options_.ascii ? "x" : "✕";
        text += ": did not arrive.\n";
    }
    return text.empty() ? text : "\n" + text;
}

std::string ladder_picture::text() {
    if (steps_.empty()) return {};
    std::size_t width = least_middle_width;
    for (const row& r : rows_) width = std::max(width, r.label.size() + 8);
    std::string text = headline(width);
    for (const row& r : rows_) text += line_of(r, width);
    return text + footnotes();
}

}  // namespace weft::net
