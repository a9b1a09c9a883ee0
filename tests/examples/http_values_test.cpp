// HTTP's small values: dates, entity tags, conditions, ranges, content types.
#include <weft/http/conditions.hpp>
#include <weft/http/content_type.hpp>
#include <weft/http/date.hpp>
#include <weft/http/entity_tag.hpp>
#include <weft/http/head_writer.hpp>
#include <weft/http/text.hpp>

#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <string>
#include <string_view>

namespace {

using namespace weft::http;
using namespace std::chrono_literals;

constexpr date example = std::chrono::sys_days{1994y / 11 / 6} + 8h + 49min + 37s;
constexpr date now = std::chrono::sys_days{2026y / 1 / 1};

fields with(std::string_view name, std::string_view value) {
    fields made;
    CHECK(made.add(name, value));
    return made;
}

const validators current{"\"abc\"", example};

TEST_SUITE("examples.http_values") {
TEST_CASE("a date is written as IMF-fixdate") {
    CHECK(date_text{example}.view() == "Sun, 06 Nov 1994 08:49:37 GMT");
    CHECK(date_text{date{}}.view() == "Thu, 01 Jan 1970 00:00:00 GMT");
    CHECK(date_text{std::chrono::sys_days{2024y / 2 / 29}}.view() ==
          "Thu, 29 Feb 2024 00:00:00 GMT");
}

TEST_CASE("a date is read in the three forms of RFC 9110 §5.6.7") {
    CHECK(parse_date("Sun, 06 Nov 1994 08:49:37 GMT", now) == example);
    CHECK(parse_date("Sunday, 06-Nov-94 08:49:37 GMT", now) == example);
    CHECK(parse_date("Sun Nov  6 08:49:37 1994", now) == example);
    CHECK(parse_date("Sun Nov 16 08:49:37 1994", now) == example + std::chrono::days{10});
}

TEST_CASE("a two-digit year is never more than 50 years ahead") {
    CHECK(parse_date("Friday, 01-Jan-76 00:00:00 GMT", now) ==
          date{std::chrono::sys_days{2076y / 1 / 1}});
    CHECK(parse_date("Friday, 01-Jan-77 00:00:00 GMT", now) ==
          date{std::chrono::sys_days{1977y / 1 / 1}});
}

TEST_CASE("what is no date is none") {
    for (const std::string_view text :
         {"", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 GMT ",
          "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:00:00 GMT",
          "Sun, 6 Nov 1994 08:49:37 GMT", "sun, 06 nov 1994 08:49:37 gmt",
          "Sun, 06 Nov 1994 08:4937 GMT", "Sun, 06-Nov-1994 08:49:37 GMT", "784111777"}) {
        CAPTURE(text);
        CHECK_FALSE(parse_date(text, now).has_value());
    }
}

TEST_CASE("every day of a century survives writing and reading") {
    for (auto day = std::chrono::sys_days{1970y / 1 / 1};
         day < std::chrono::sys_days{2070y / 1 / 1}; day += std::chrono::days{1}) {
        const date when = day + 23h + 59min + 58s;
        REQUIRE(parse_date(date_text{when}.view(), now) == when);
    }
}

TEST_CASE("a file's tag tells times and sizes apart") {
    CHECK(file_tag{255, 16}.view() == "\"ff-10\"");
    CHECK(file_tag{1, 2}.view() != file_tag{2, 1}.view());
    CHECK(file_tag{UINT64_MAX, UINT64_MAX}.view() == "\"ffffffffffffffff-ffffffffffffffff\"");
}

TEST_CASE("tags compare strongly or weakly") {
    CHECK(tags_match("\"a\"", "\"a\"", comparison::strong));
    CHECK_FALSE(tags_match("W/\"a\"", "\"a\"", comparison::strong));
    CHECK_FALSE(tags_match("W/\"a\"", "W/\"a\"", comparison::strong));
    CHECK(tags_match("W/\"a\"", "\"a\"", comparison::weak));
    CHECK_FALSE(tags_match("\"a\"", "\"b\"", comparison::weak));
    CHECK_FALSE(tags_match("a", "a", comparison::weak));
}

TEST_CASE("a list of tags is searched, commas inside of tags and all") {
    CHECK(list_names_tag("\"x\", \"a,b\",W/\"c\"", "\"a,b\"", comparison::strong));
    CHECK(list_names_tag("\"x\", \"a,b\",W/\"c\"", "\"c\"", comparison::weak));
    CHECK_FALSE(list_names_tag("\"x\", \"a,b\",W/\"c\"", "\"c\"", comparison::strong));
    CHECK(list_names_tag(" * ", "\"anything\"", comparison::strong));
    CHECK_FALSE(list_names_tag("", "\"a\"", comparison::weak));
    CHECK_FALSE(list_names_tag("\"unclosed", "\"unclosed\"", comparison::weak));
    CHECK_FALSE(list_names_tag("junk \"a\"", "\"a\"", comparison::weak));
}

TEST_CASE("If-None-Match decides before If-Modified-Since is looked at") {
    CHECK(check_preconditions(with("if-none-match", "\"abc\""), current, now) ==
          precondition::not_modified);
    fields both = with("If-None-Match", "\"other\"");
    CHECK(both.add("If-Modified-Since", "Sun, 06 Nov 1994 08:49:37 GMT"));
    CHECK(check_preconditions(both, current, now) == precondition::holds);
}

TEST_CASE("If-None-Match may come in several lines") {
    fields two = with("If-None-Match", "\"other\"");
    CHECK(two.add("If-None-Match", "W/\"abc\""));
    CHECK(check_preconditions(two, current, now) == precondition::not_modified);
}

TEST_CASE("If-Modified-Since counts in seconds, and only when it is a date") {
    const auto since = [](std::string_view text) {
        return check_preconditions(with("If-Modified-Since", text), current, now);
    };
    CHECK(since("Sun, 06 Nov 1994 08:49:37 GMT") == precondition::not_modified);
    CHECK(since("Sun, 06 Nov 1994 08:49:36 GMT") == precondition::holds);
    CHECK(since("yesterday") == precondition::holds);
}

TEST_CASE("If-Match and If-Unmodified-Since fail with 412") {
    CHECK(check_preconditions(with("If-Match", "\"abc\""), current, now) == precondition::holds);
    CHECK(check_preconditions(with("If-Match", "*"), current, now) == precondition::holds);
    CHECK(check_preconditions(with("If-Match", "W/\"abc\""), current, now) == precondition::failed);
    CHECK(check_preconditions(with("If-Unmodified-Since", "Sun, 06 Nov 1994 08:49:36 GMT"), current,
                              now) == precondition::failed);
}

struct range_case {
    std::string_view text;
    byte_range::kind what;
    std::uint64_t first;
    std::uint64_t count;
};

TEST_CASE("a single range is cut to the file; several, and nonsense, are ignored") {
    using enum byte_range::kind;
    const auto cases = std::to_array<range_case>({
        {"bytes=0-0", part, 0, 1},
        {"bytes=10-19", part, 10, 10},
        {"BYTES = 10 - 19", part, 10, 10},
        {"bytes=90-", part, 90, 10},
        {"bytes=90-1000", part, 90, 10},
        {"bytes=-5", part, 95, 5},
        {"bytes=-1000", part, 0, 100},
        {"bytes=100-", unsatisfiable, 0, 0},
        {"bytes=-0", unsatisfiable, 0, 0},
        {"bytes=5-4", whole, 0, 100},
        {"bytes=0-1,3-4", whole, 0, 100},
        {"bytes=a-b", whole, 0, 100},
        {"bytes=99999999999999999999-", whole, 0, 100},
        {"lines=0-1", whole, 0, 100},
        {"bytes", whole, 0, 100},
    });
    for (const range_case& each : cases) {
        CAPTURE(each.text);
        const byte_range got = select_range(with("Range", each.text), current, 100, now);
        CHECK(got.what == each.what);
        CHECK(got.first == each.first);
        CHECK(got.count == each.count);
    }
    CHECK(select_range(with("Range", "bytes=-1"), current, 0, now).what == unsatisfiable);
}

TEST_CASE("If-Range turns a range of something else into the whole") {
    const auto ranged = [](std::string_view if_range) {
        fields request = with("Range", "bytes=0-1");
        CHECK(request.add("If-Range", if_range));
        return select_range(request, current, 100, now).what;
    };
    CHECK(ranged("\"abc\"") == byte_range::kind::part);
    CHECK(ranged("W/\"abc\"") == byte_range::kind::whole);
    CHECK(ranged("\"old\"") == byte_range::kind::whole);
    CHECK(ranged("Sun, 06 Nov 1994 08:49:37 GMT") == byte_range::kind::part);
    CHECK(ranged("Sun, 06 Nov 1994 08:49:38 GMT") == byte_range::kind::whole);
}

TEST_CASE("the ending of a name decides its type") {
    CHECK(content_type_of("a/b.HTML") == "text/html; charset=utf-8");
    CHECK(content_type_of("x.tar.gz") == "application/gzip");
    CHECK(content_type_of("a.html/readme") == "application/octet-stream");
    CHECK(content_type_of(".html") == "application/octet-stream");
    CHECK(content_type_of("") == "application/octet-stream");
}

TEST_CASE("a head that does not fit is marked, and a value cannot add a line") {
    std::array<char, 64> room{};
    head_writer head{room};
    head.status_line(status::not_found).field("Content-Length", std::uint64_t{7}).end();
    CHECK(head.is_complete());
    CHECK(head.text() == "HTTP/1.1 404 Not Found\r\nContent-Length: 7\r\n\r\n");
    head.field("X-Long", std::string_view{"0123456789012345678901234567890123456789"});
    CHECK_FALSE(head.is_complete());
    std::array<char, 256> more{};
    CHECK_FALSE(head_writer{more}.field("Location", "/a\r\nSet-Cookie: b").is_complete());
}

TEST_CASE("decimals are digits and nothing else") {
    CHECK(parse_decimal("0") == 0U);
    CHECK(parse_decimal("9999999999999999999") == 9999999999999999999U);
    for (const std::string_view text :
         {"", "-1", "+1", " 1", "1 ", "0x1", "99999999999999999999"}) {
        CHECK_FALSE(parse_decimal(text).has_value());
    }
}
}

}  // namespace
