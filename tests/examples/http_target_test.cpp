// Request targets and URLs: what is asked for, without tricks.
#include <weft/http/request_target.hpp>
#include <weft/http/url.hpp>

#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>

namespace {

using namespace weft::http;
using verdict = request_target::verdict;

struct parsed {
    verdict what;
    std::string path;
    bool names_directory;
};

parsed parse(std::string_view target) {
    std::string buffer(target.size(), '\0');
    const request_target got = parse_request_target(target, buffer);
    return {got.what, std::string{got.path}, got.names_directory};
}

TEST_SUITE("examples.http_target") {
TEST_CASE("a target is decoded to one plain form") {
    struct sample {
        std::string_view target;
        std::string_view path;
        bool names_directory;
    };
    for (const sample& each : std::to_array<sample>({
             {"/", "", true},
             {"/a", "a", false},
             {"/a/", "a", true},
             {"/a/b.html?x=/../", "a/b.html", false},
             {"/a%20b", "a b", false},
             {"/%41%c3%a9", "A\xc3\xa9", false},
             {"//a///b", "a/b", false},
             {"/./a/./b/.", "a/b", true},
             {"/a/../b", "b", false},
             {"/a/b/..", "a", true},
             {"/a/..", "", true},
             {"/a/%2e%2e/b", "b", false},
             {"/...", "...", false},
             {"/..a", "..a", false},
             {"http://example.org/a", "a", false},
             {"HTTP://example.org", "", true},
             {"http://example.org?x", "", true},
         })) {
        CAPTURE(each.target);
        const parsed got = parse(each.target);
        CHECK(got.what == verdict::good);
        CHECK(got.path == each.path);
        CHECK(got.names_directory == each.names_directory);
    }
}

TEST_CASE("a target that climbs above the root is refused") {
    for (const std::string_view target :
         {"/..", "/../etc/passwd", "/a/../../etc/passwd", "/%2e%2e/etc/passwd", "/.%2E/x",
          "/./../x", "//../x", "http://example.org/../x"}) {
        CAPTURE(target);
        CHECK(parse(target).what == verdict::above_the_root);
    }
}

TEST_CASE("what is malformed, or hides a slash, a NUL or a control character, is refused") {
    for (const std::string_view target :
         {"", "a", "/%", "/%4", "/%zz", "/a%00b", "/a%2fb", "/..%2f..%2fetc", "/a%0d%0ab", "/a%7f",
          "/a#b", "http://", "http:///a", "ftp://x/a", "**"}) {
        CAPTURE(target);
        CHECK(parse(target).what == verdict::malformed);
    }
    CHECK(parse("*").what == verdict::asterisk);
}

TEST_CASE("query and authority are kept as they came") {
    std::array<char, 64> buffer{};
    const request_target got = parse_request_target("http://h:8/a?b=%20?c", buffer);
    CHECK(got.query == "b=%20?c");
    CHECK(got.authority == "h:8");
    CHECK_FALSE(parse_request_target("/a", buffer).has_query);
    CHECK(parse_request_target("/a?", buffer).has_query);
}

TEST_CASE("whatever comes, the path has no dot segment, no empty one and stays below the root") {
    std::mt19937 chance{7};
    constexpr std::string_view letters = "/.%2eEfFa0?";
    for (int i = 0; i < 200'000; ++i) {
        std::string target = "/";
        for (auto length = chance() % 24; length > 0; --length) {
            target += letters[chance() % letters.size()];
        }
        const parsed got = parse(target);
        if (got.what != verdict::good) continue;
        const std::string framed = "/" + got.path + "/";
        CAPTURE(target);
        REQUIRE(framed.find("/../") == std::string::npos);
        REQUIRE(framed.find("/./") == std::string::npos);
        REQUIRE((got.path.empty() || framed.find("//") == std::string::npos));
    }
}

TEST_CASE("a path is encoded for a Location, and only as far as it fits") {
    std::array<char, 16> buffer{};
    CHECK(encode_path("a b/c~d", buffer) == "a%20b/c~d");
    CHECK(encode_path("\xc3\xa9", buffer) == "%C3%A9");
    CHECK(encode_path("      ", buffer).empty());
}

TEST_CASE("an http URL is taken apart") {
    const auto plain = parse_url("http://10.0.0.1");
    REQUIRE(plain);
    CHECK(plain->host == "10.0.0.1");
    CHECK(plain->port == 80);
    CHECK(plain->target == "/");
    const auto full = parse_url("HTTP://Example.ORG:8080/a/b?c=d&e#f");
    REQUIRE(full);
    CHECK(full->host == "example.org");
    CHECK(full->port == 8080);
    CHECK(full->target == "/a/b?c=d&e");
    CHECK(full->authority() == "example.org:8080");
    const auto six = parse_url("http://[fd00::2]:81?x");
    REQUIRE(six);
    CHECK(six->host == "fd00::2");
    CHECK(six->to_string() == "http://[fd00::2]:81/?x");
}

TEST_CASE("what is no http URL is none") {
    for (const std::string_view text :
         {"", "http:", "http:/", "http://", "https://h/", "//h/", "h", "http://h:0/",
          "http://h:65536/", "http://h:8a/", "http://u@h/", "http://h/a b", "http://h/%4",
          "http://[::1", "http://[x]/", "http://h/\r\nX: y", "http://h/\xc3\xa9", "http://[]/"}) {
        CAPTURE(text);
        CHECK_FALSE(parse_url(text).has_value());
    }
}

TEST_CASE("a Location is resolved as RFC 3986 §5.4 shows") {
    const url base = parse_url("http://a/b/c/d;p?q").value();
    struct sample {
        std::string_view reference;
        std::string_view means;
    };
    for (const sample& each : std::to_array<sample>({
             {"g", "http://a/b/c/g"},
             {"./g", "http://a/b/c/g"},
             {"g/", "http://a/b/c/g/"},
             {"/g", "http://a/g"},
             {"//g", "http://g/"},
             {"?y", "http://a/b/c/d;p?y"},
             {"g?y", "http://a/b/c/g?y"},
             {"#s", "http://a/b/c/d;p?q"},
             {"g#s", "http://a/b/c/g"},
             {";x", "http://a/b/c/;x"},
             {"", "http://a/b/c/d;p?q"},
             {".", "http://a/b/c/"},
             {"./", "http://a/b/c/"},
             {"..", "http://a/b/"},
             {"../g", "http://a/b/g"},
             {"../..", "http://a/"},
             {"../../g", "http://a/g"},
             {"../../../../g", "http://a/g"},
             {"/./g", "http://a/g"},
             {"/../g", "http://a/g"},
             {"g.", "http://a/b/c/g."},
             {"..g", "http://a/b/c/..g"},
             {"./../g", "http://a/b/g"},
             {"g/./h", "http://a/b/c/g/h"},
             {"g/../h", "http://a/b/c/h"},
             {"g?y/../x", "http://a/b/c/g?y/../x"},
             {"http://x:1/y", "http://x:1/y"},
             {" /g ", "http://a/g"},
         })) {
        CAPTURE(each.reference);
        const auto got = resolve(base, each.reference);
        REQUIRE(got);
        CHECK(got->to_string() == each.means);
    }
    for (const std::string_view text : {"https://h/", "g:h", "mailto:x", "a b", "http://u@h/"}) {
        CAPTURE(text);
        CHECK_FALSE(resolve(base, text).has_value());
    }
}
}

}  // namespace
