// Both sides of an HTTP connection, over streams whose peer is a script.
#include "examples/scripted_stream.hpp"

#include <weft/http/client_connection.hpp>
#include <weft/http/server_connection.hpp>
#include <weft/io/scheduler.hpp>

#include <doctest/doctest.h>

#include <array>
#include <charconv>
#include <chrono>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace weft::http;
using namespace std::chrono_literals;
using weft::test::scripted_stream;

/// What a server saw of the requests on one connection.
struct log {
    log() = default;
    std::vector<std::string> requests;  ///< method, target and whether it may stay
    unsigned refusal = 0;
    bool has_ended = false;
};

weft::task<void> listen(scripted_stream& stream, log& seen, server_limits limits,
                        std::size_t buffer_bytes) {
    const auto memory = std::make_unique<std::string>(buffer_bytes, '\0');
    input_buffer input{*memory};
    server_connection<scripted_stream> connection{stream, input, limits};
    for (;;) {
        reception came = co_await connection.receive();
        if (came == reception::request) {
            const request_parser& request = connection.request();
            seen.requests.push_back(std::string{request.method_name()} + " " +
                                    std::string{request.target()} +
                                    (request.keeps_alive() ? " stays" : " goes"));
            came = co_await connection.skip_body();
        }
        if (came == reception::refused) seen.refusal = code_of(connection.refusal());
        if (came == reception::ended) seen.has_ended = true;
        if (came != reception::request) co_return;
    }
}

log serve(scripted_stream& stream, server_limits limits = {}, std::size_t buffer_bytes = 16384) {
    weft::scheduler on{weft::scheduler::clock::virtual_time};
    log seen;
    on.run_until_done(listen(stream, seen, limits, buffer_bytes));
    return seen;
}

log serve_text(std::string_view text) {
    scripted_stream stream;
    stream.arrives(text);
    return serve(stream);
}

TEST_SUITE("examples.http_server_connection") {
TEST_CASE("requests are read one after the other, however they are cut") {
    const std::string text =
        "GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
        "POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
        "\r\nPUT /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        "3\r\nabc\r\n10;name=value\r\n0123456789abcdef\r\n0\r\nTrailer: y\r\n\r\n"
        "HEAD /d HTTP/1.0\r\n\r\n";
    for (std::size_t size = 1; size <= text.size(); size += size < 40 ? 1 : 17) {
        scripted_stream stream;
        for (std::size_t at = 0; at < text.size(); at += size)
            stream.arrives(text.substr(at, size));
        const log seen = serve(stream);
        CAPTURE(size);
        CHECK(seen.requests == std::vector<std::string>{"GET /a stays", "POST /b stays",
                                                        "PUT /c stays", "HEAD /d goes"});
        CHECK(seen.has_ended);
    }
}

TEST_CASE("a chunked body whose first line begins with 0 is read, however it is cut") {
    const std::string head = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (const char* body : {"0\r\n\r\n", "00\r\n\r\n", "0;a\r\nTrailer: y\r\n\r\n",
                             "03\r\nabc\r\n0\r\n\r\n", "000\r\n\r\n"}) {
        CAPTURE(body);
        for (std::size_t size = 1; size <= std::strlen(body); ++size) {
            scripted_stream stream;
            stream.arrives(head);
            const std::string text = std::string{body} + "GET /next HTTP/1.1\r\nHost: x\r\n\r\n";
            for (std::size_t at = 0; at < text.size(); at += size) {
                stream.arrives(text.substr(at, size));
            }
            const log seen = serve(stream);
            CHECK(seen.requests == std::vector<std::string>{"POST / stays", "GET /next stays"});
            CHECK(seen.has_ended);
        }
    }
}

TEST_CASE("a chunk's line ends where it ends, whatever it quotes and however it is cut") {
    const std::string head = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    struct chunked {
        bool is_good;
        std::string body;
    };
    for (const chunked& each : {chunked{true, "5;x=\"a;\\\"b\"\r\nhello\r\n0;y=\"\"\r\n\r\n"},
                                chunked{false, "5;x=\"a\r\nhello\r\n0\r\n\r\n\"\r\n"},
                                chunked{false, "5\r\nhello\r\n0;x=\"\r\n\r\n\"\r\n"},
                                chunked{false, "5;x=\"a\\\"\r\nhello\r\n0\r\n\r\n\"\r\n"}}) {
        CAPTURE(each.body);
        for (std::size_t size = 1; size <= each.body.size(); ++size) {
            scripted_stream stream;
            stream.arrives(head);
            for (std::size_t at = 0; at < each.body.size(); at += size) {
                stream.arrives(each.body.substr(at, size));
            }
            const log seen = serve(stream);
            CHECK(seen.requests == std::vector<std::string>{"POST / stays"});
            CHECK(seen.refusal == (each.is_good ? 0U : 400U));
            CHECK(seen.has_ended == each.is_good);
        }
    }
}

TEST_CASE("Connection and version say whether a connection stays") {
    CHECK(serve_text("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").requests[0] ==
          "GET / goes");
    CHECK(serve_text("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").requests[0] ==
          "GET / stays");
}

struct refused {
    unsigned status;
    std::string text;
};

TEST_CASE("what cannot be trusted is refused with its own status") {
    const std::string get = "GET / HTTP/1.1\r\nHost: x\r\n";
    const std::vector<refused> cases{
        {400, "GET / HTTP/1.1\r\n\r\n"},
        {400, get + "Host: y\r\n\r\n"},
        {400, get + "A b: c\r\n\r\n"},
        {400, get + "A: b\r\n c\r\n\r\n"},
        {400, get + "A : b\r\n\r\n"},
        {400, get + "A: b\nC: d\r\n\r\n"},
        {400, get + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n"},
        {400, get + "Content-Length: -1\r\n\r\n"},
        {400, get + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"},
        {400, get + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"},
        {400, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"},
        {400, "GET / HTTP/1.1 \r\nHost: x\r\n\r\n"},
        {400, "GET  / HTTP/1.1\r\nHost: x\r\n\r\n"},
        {400, std::string{"GET /"} + '\0' + " HTTP/1.1\r\nHost: x\r\n\r\n"},
        {413, get + "Content-Length: 1048577\r\n\r\n"},
        {414, "GET /" + std::string(3000, 'a') + " HTTP/1.1\r\nHost: x\r\n\r\n"},
        {414, "GET /" + std::string(30000, 'a')},
        {431, get + "A: " + std::string(9000, 'a') + "\r\n\r\n"},
        {431, get +
                  [] {
                      std::string many;
                      for (int i = 0; i < 70; ++i) many += "A: b\r\n";
                      return many;
                  }() +
                  "\r\n"},
        {501, get + "Transfer-Encoding: gzip, chunked\r\n\r\n"},
        {505, "GET / HTTP/3.0\r\nHost: x\r\n\r\n"},
    };
    for (const refused& each : cases) {
        CAPTURE(each.text.substr(0, 80));
        const log seen = serve_text(each.text);
        CHECK(seen.refusal == each.status);
        CHECK(seen.requests.empty());
    }
}

TEST_CASE("a body beyond the limit is refused while it comes, chunked too") {
    scripted_stream stream;
    stream.arrives("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 20; ++i) stream.arrives("100\r\n" + std::string(256, 'b') + "\r\n");
    server_limits limits;
    limits.max_body_bytes = 1000;
    CHECK(serve(stream, limits).refusal == 413);
}

TEST_CASE("chunk extensions without end do not grow the buffer") {
    scripted_stream stream;
    stream.arrives("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1;");
    for (int i = 0; i < 100; ++i) stream.arrives(std::string(1000, 'x'));
    CHECK(serve(stream).refusal == 400);
}

TEST_CASE("a request that comes too slowly is given up after its deadline") {
    scripted_stream stream;
    stream.arrives_slowly("GET / HTTP/1.1\r\nHost: x\r\nX: y\r\n\r\n", 1s);
    CHECK(serve(stream).refusal == 408);
    scripted_stream silent;
    silent.falls_silent();
    CHECK(serve(silent).has_ended);
    scripted_stream body;
    body.arrives("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc");
    body.falls_silent();
    CHECK(serve(body).refusal == 408);
}

weft::task<void> send_to_nobody(scripted_stream& stream, weft::result<void>& outcome) {
    std::string memory(1024, '\0');
    input_buffer input{memory};
    server_connection<scripted_stream> connection{stream, input, {}};
    outcome = co_await connection.send("response");
}

TEST_CASE("a peer that does not read is given up after the write timeout") {
    scripted_stream stream;
    stream.never_reads();
    weft::scheduler on{weft::scheduler::clock::virtual_time};
    weft::result<void> outcome;
    on.run_until_done(send_to_nobody(stream, outcome));
    CHECK(outcome.error() == weft::errc::timed_out);
    CHECK(on.now() >= weft::instant{30s});
    CHECK(on.now() < weft::instant{31s});
}

weft::task<void> close_on(scripted_stream& stream) {
    std::string memory(1024, '\0');
    input_buffer input{memory};
    server_connection<scripted_stream> connection{stream, input, {}};
    co_await connection.close();
}

TEST_CASE("closing drops what still comes, so much and no longer") {
    weft::scheduler on{weft::scheduler::clock::virtual_time};
    scripted_stream talker;
    for (int i = 0; i < 10'000; ++i) talker.arrives(std::string(1000, 'x'));
    on.run_until_done(close_on(talker));
    CHECK(talker.is_shut());
    scripted_stream silent;
    silent.falls_silent();
    const weft::instant begin = on.now();
    on.run_until_done(close_on(silent));
    CHECK(on.now() - begin <= 3s);
}
}

/// What a client got: an error, or status and body.
struct answer {
    answer() = default;
    std::error_code error;
    unsigned status = 0;
    std::string body;
};

weft::task<answer> ask(scripted_stream& stream, std::size_t buffer_bytes, bool is_head) {
    using connection_type = client_connection<scripted_stream>;
    const auto memory = std::make_unique<std::string>(buffer_bytes, '\0');
    input_buffer input{*memory};
    connection_type connection{stream, input, 5s};
    answer got;
    const auto wanted = is_head ? connection_type::asks::head_only : connection_type::asks::body;
    const weft::result<void> head =
        co_await connection.exchange("GET / HTTP/1.1\r\nHost: x\r\n\r\n", wanted, 1'000'000);
    got.error = head.error();
    if (!head) co_return std::move(got);
    got.status = connection.response().status();
    for (;;) {
        const weft::result<std::string_view> piece = co_await connection.read_body();
        got.error = piece.error();
        if (!piece || piece->empty()) co_return std::move(got);
        got.body += *piece;
    }
}

answer get(scripted_stream& stream, std::size_t buffer_bytes = 512, bool is_head = false) {
    weft::scheduler on{weft::scheduler::clock::virtual_time};
    return on.run_until_done(ask(stream, buffer_bytes, is_head));
}

TEST_SUITE("examples.http_client_connection") {
TEST_CASE("bodies of every framing arrive whole, however they are cut") {
    std::string content;
    for (int i = 0; i < 500; ++i) content += std::to_string(i) + " ";
    std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (std::size_t at = 0; at < content.size(); at += 100) {
        const std::string chunk = content.substr(at, 100);
        std::array<char, 8> size{};
        *std::to_chars(size.data(), size.data() + 8, chunk.size(), 16).ptr = '\0';
        chunked += std::string{size.data()} + "\r\n" + chunk + "\r\n";
    }
    chunked += "0\r\n\r\n";
    const std::string measured =
        "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(content.size()) + "\r\n\r\n" +
        content;
    const std::string to_the_end = "HTTP/1.0 200 OK\r\n\r\n" + content;
    const std::string after_interim =
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nA: b\r\n\r\n" + measured;
    for (const std::string& text : {chunked, measured, to_the_end, after_interim}) {
        for (const std::size_t size : {1U, 2U, 7U, 100U, 511U, 5000U}) {
            scripted_stream stream;
            for (std::size_t at = 0; at < text.size(); at += size)
                stream.arrives(text.substr(at, size));
            CAPTURE(text.substr(0, 40));
            CAPTURE(size);
            const answer got = get(stream);
            CHECK_FALSE(got.error);
            CHECK(got.status == 200);
            CHECK(got.body == content);
        }
    }
}

TEST_CASE("a response to HEAD, a 204 and a 304 have no body whatever they say") {
    scripted_stream head;
    head.arrives("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n");
    CHECK_FALSE(get(head, 512, true).error);
    for (const std::string_view line : {"204 No Content", "304 Not Modified"}) {
        scripted_stream stream;
        stream.arrives("HTTP/1.1 " + std::string{line} + "\r\nContent-Length: 100\r\n\r\n");
        const answer got = get(stream);
        CHECK_FALSE(got.error);
        CHECK(got.body.empty());
    }
}

TEST_CASE("a response that is broken is an error, and says which") {
    const auto error_of = [](std::string_view text, bool silent = false) {
        scripted_stream stream;
        stream.arrives(text);
        if (silent) stream.falls_silent();
        return get(stream).error;
    };
    CHECK(error_of("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc") == errc::unexpected_end);
    CHECK(error_of("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab") ==
          errc::unexpected_end);
    CHECK(error_of("HTTP/1.1 200 OK\r\nA: b") == errc::unexpected_end);
    CHECK(error_of("") == errc::unexpected_end);
    CHECK(error_of("SSH-2.0-OpenSSH\r\n\r\n") == errc::malformed_message);
    CHECK(error_of("HTTP/1.1 200 OK\r\nA: " + std::string(600, 'b') + "\r\n\r\n") ==
          errc::head_too_large);
    CHECK(error_of("HTTP/1.1 200 OK\r\nContent-Length: 1000001\r\n\r\n") == errc::body_too_large);
    CHECK(error_of("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n") == errc::unknown_coding);
    CHECK(error_of("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", true) ==
          weft::errc::timed_out);
    CHECK(error_of("", true) == weft::errc::timed_out);
}
}

}  // namespace
