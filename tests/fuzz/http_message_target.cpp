// HTTP/1 messages: a request or a response fed whole, and the same bytes fed in pieces as a network
// would bring them. Both ways give the same message, or the same refusal.

#include "input.hpp"

#include <weft/http/message_parser.hpp>

#include <string>
#include <vector>

using namespace weft::fuzz;
using namespace weft::http;

namespace {

/// What a program sees of one message, kept.
struct seen {
    bool has_head = false;
    bool is_complete = false;
    parse_problem problem = parse_problem::none;
    std::vector<std::pair<std::string, std::string>> fields;
    std::string start;
    std::string body;
    bool keeps_alive = false;
    bool is_chunked = false;
    std::uint64_t content_length = 0;
    std::size_t taken = 0;

    bool operator==(const seen&) const = default;
};

constexpr std::uint64_t max_body_bytes = 4096;

std::string start_of(const request_parser& p) {
    return std::string{p.method_name()} + " " + std::string{p.target()};
}
std::string start_of(const response_parser& p) { return std::to_string(p.status()); }

template <class Parser>
void note_head(const Parser& p, seen& out) {
    if (out.has_head || !p.is_head_complete() || p.problem() != parse_problem::none) return;
    out.has_head = true;
    out.start = start_of(p);
    out.keeps_alive = p.keeps_alive();
    out.is_chunked = p.is_chunked();
    out.content_length = p.content_length();
    for (const field& f : p.fields().all()) out.fields.emplace_back(f.name, f.value);
}

/// Feeds `all`, of which `step(n)` more bytes become visible at a time. What is not taken is
/// offered again with what comes after it; the bytes never move, as in an input_buffer.
template <class Parser, class Step>
seen read(Parser p, std::string_view all, bool ends, Step step) {
    seen out;
    std::size_t visible = 0;
    while (p.problem() == parse_problem::none && !p.is_complete()) {
        const std::string_view unread = all.substr(out.taken, visible - out.taken);
        std::size_t taken = 0;
        std::string_view body;
        if (!unread.empty()) {
            taken = p.feed(unread);
            body = p.body();
        }
        require(taken <= unread.size(), "no more is taken than there is");
        note_head(p, out);
        require(body.size() <= taken, "a piece of body is part of what was taken");
        if (p.problem() == parse_problem::none) out.body += body;
        out.taken += taken;
        if (taken != 0 || p.problem() != parse_problem::none || p.is_complete()) continue;
        if (visible == all.size()) {
            if (ends) {
                p.feed_end();
                note_head(p, out);
            }
            break;
        }
        visible = std::min(all.size(), visible + step());
    }
    out.problem = p.problem();
    out.is_complete = p.problem() == parse_problem::none && p.is_complete();
    require(out.body.size() <= max_body_bytes, "a body keeps to its limit");
    if (out.problem != parse_problem::none) {  // how much was taken before is no promise
        out.body.clear();
        out.taken = 0;
    }
    return out;
}

template <class Parser>
void check(input& in, const Parser&, auto make) {
    const bool ends = in.flag();
    const std::uint8_t steps = in.byte();
    std::uint8_t last = in.byte();
    // The bytes stand in a buffer of their own size: reading beyond them is seen.
    const std::string_view text = in.text(SIZE_MAX);
    const std::vector<char> copy{text.begin(), text.end()};
    const std::string_view all{copy.data(), copy.size()};
    const seen whole = read(make(), all, ends, [&] { return all.size(); });
    const seen pieces = read(make(), all, ends, [&] {
        last = static_cast<std::uint8_t>(last * 5 + steps);
        return std::size_t{1} + last % (1U + steps % 32U);
    });
    // Beast looks at what it was fed first, and from then on waits for the end of the head: which
    // refusal a head without an end meets depends on the pieces, but none may be accepted.
    if (!whole.has_head && !pieces.has_head) return;
    require(whole == pieces, "a message does not depend on how its bytes arrive");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    input in{data, size};
    const std::uint8_t kind = in.byte();
    if (kind % 2 == 0) {
        check(in, request_parser{0}, [] { return request_parser{max_body_bytes}; });
    } else {
        const bool answers_head = kind % 4 == 3;
        check(in, response_parser{0, false},
              [=] { return response_parser{max_body_bytes, answers_head}; });
    }
    return 0;
}
