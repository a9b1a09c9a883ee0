// What stands in HTTP fields and start lines: request targets, URLs, dates, entity tags, ranges,
// conditions. Each accepted text keeps the promises of its header file.

#include "input.hpp"

#include <weft/http/conditions.hpp>
#include <weft/http/content_type.hpp>
#include <weft/http/date.hpp>
#include <weft/http/entity_tag.hpp>
#include <weft/http/head_writer.hpp>
#include <weft/http/request_target.hpp>
#include <weft/http/url.hpp>

#include <algorithm>
#include <string>
#include <vector>

using namespace weft::fuzz;
using namespace weft::http;

namespace {

constexpr date now{std::chrono::sys_days{std::chrono::year{2026} / 11 / 23}};

void check_target(std::string_view text) {
    std::vector<char> room(text.size());
    const request_target target = parse_request_target(text, room);
    if (target.what != request_target::verdict::good) return;
    std::string_view rest = target.path;
    require(!rest.starts_with('/') && rest.find('\0') == std::string_view::npos, "a plain path");
    while (!rest.empty()) {
        const std::size_t slash = std::min(rest.find('/'), rest.size());
        const std::string_view segment = rest.substr(0, slash);
        const bool is_last = slash == rest.size() || slash + 1 == rest.size();
        require(segment != "." && segment != "..", "no segment climbs");
        require(!segment.empty(), "no segment is empty");
        rest.remove_prefix(std::min(slash + 1, rest.size()));
        if (is_last) break;
    }
    require(std::ranges::none_of(target.path,
                                 [](char c) { return static_cast<unsigned char>(c) < 0x20; }),
            "no control character");

    std::vector<char> encoded_room(target.path.size() * 3);
    const std::string_view encoded = encode_path(target.path, encoded_room);
    require(target.path.empty() || !encoded.empty(), "three times the length fits");
    const std::string again_text = "/" + std::string{encoded};
    std::vector<char> again_room(again_text.size());
    const request_target again = parse_request_target(again_text, again_room);
    require(again.what == request_target::verdict::good, "an encoded path is a target");
    require(again.path == target.path, "an encoded path is the path");
}

void check_url(std::string_view text, std::string_view reference) {
    const auto check = [](const url& u) {
        require(u.target.starts_with('/'), "a URL has a path");
        require(!u.host.empty() && u.port != 0, "a URL has a host and a port");
        const auto again = parse_url(u.to_string());
        require(again.has_value(), "a printed URL is read");
        require(*again == u, "a printed URL is the URL");
    };
    const auto base = parse_url(text);
    if (!base) return;
    check(*base);
    if (const auto there = resolve(*base, reference)) check(*there);
}

void check_date(std::string_view text) {
    const auto when = parse_date(text, now);
    if (!when) return;
    const date_text printed{*when};
    require(parse_date(printed.view(), now) == when, "a printed date is the date");
}

void check_tags(std::string_view list, std::string_view tag) {
    (void)list_names_tag(list, tag, comparison::strong);
    const bool is_strong = tags_match(tag, tag, comparison::strong);
    require(!is_strong || tags_match(tag, tag, comparison::weak), "strong is stronger than weak");
    require(tags_match(list, tag, comparison::weak) == tags_match(tag, list, comparison::weak),
            "tags are equal both ways");
    if (is_strong && tag.substr(1, tag.size() - 2).find('"') == std::string_view::npos) {
        require(list_names_tag(tag, tag, comparison::strong), "a list of one names it");
    }
}

void check_conditions(input& in) {
    const std::uint64_t size_bytes = in.flag() ? in.number() : in.below(100);
    const date modified = now - std::chrono::seconds{in.word()};
    const file_tag tag{in.number(), size_bytes};
    const validators current{tag.view(), modified};
    std::vector<std::string> values;
    fields request;
    static constexpr std::string_view names[] = {
        "Range",         "If-Range",          "If-Match",
        "If-None-Match", "If-Modified-Since", "If-Unmodified-Since"};
    values.reserve(6);
    for (int i = 0; i < 6 && !in.empty(); ++i) {
        const std::uint8_t which = in.byte();
        std::string value =
            which >= 0xf0 ? std::string{tag.view()} : std::string{in.text(in.byte() % 64U)};
        if (which >= 0xe0 && which < 0xf0) value = std::string{date_text{modified}.view()};
        values.push_back(std::move(value));
        require(request.add(names[which % 6], values.back()), "six fields fit");
    }
    (void)check_preconditions(request, current, now);
    const byte_range range = select_range(request, current, size_bytes, now);
    switch (range.what) {
        case byte_range::kind::whole:
            require(range.first == 0 && range.count == size_bytes, "the whole is the whole");
            break;
        case byte_range::kind::part:
            require(range.count > 0, "a part is not empty");
            require(range.first < size_bytes && range.count <= size_bytes - range.first,
                    "a part lies inside");
            break;
        case byte_range::kind::unsatisfiable: break;
    }
}

void check_head(input& in) {
    std::vector<char> room(in.byte());
    head_writer out{room};
    const std::string_view name = in.text(in.byte());
    const std::string_view value = in.text(in.byte());
    out.status_line(status::ok).field(name, value).field("Content-Length", in.number()).end();
    if (!out.is_complete()) return;
    require(out.text().size() <= room.size(), "a head keeps to its buffer");
    require(value.find_first_of("\r\n") == std::string_view::npos, "a value has no line break");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    input in{data, size};
    switch (in.byte() % 8) {
        case 0: check_target(in.text(size)); break;
        case 1: check_url(in.text(in.byte()), in.text(size)); break;
        case 2: check_date(in.text(size)); break;
        case 3: check_tags(in.text(in.byte()), in.text(size)); break;
        case 4: check_conditions(in); break;
        case 5: check_head(in); break;
        case 6: (void)content_type_of(in.text(size)); break;
        default: check_target("/" + std::string{in.text(size)}); break;
    }
    return 0;
}
