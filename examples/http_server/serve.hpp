#pragma once
// One connection of the file server, from its first request to its last, over any stream.
//
// A connection that is idle waits without buffers. Requests are answered one after the other, in
// order; what is pipelined waits its turn. Every file is read piece by piece into a fixed buffer.

#include "http_server/answer.hpp"
#include "http_server/exchange_memory.hpp"
#include "http_server/site.hpp"

#include <weft/http/input_buffer.hpp>
#include <weft/http/server_connection.hpp>
#include <weft/task.hpp>
#include <weft/with_timeout.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <span>
#include <type_traits>

namespace examples {

namespace http = weft::http;

struct serve_limits {
    http::server_limits exchange;
    weft::duration idle_timeout = std::chrono::seconds{30};  ///< between requests
};
static_assert(std::is_trivially_destructible_v<serve_limits>);

enum class afterwards : std::uint8_t {
    keep,   ///< another request may follow
    close,  ///< in order, after the response
    leave,  ///< nothing more to say: the peer is gone, or the program stops
    abort,  ///< at once: the response cannot be sent as announced
};

/// Sends the head that stands in `memory.output`, and the file's bytes behind it.
template <class Stream>
weft::task<weft::result<void>> send_file(http::server_connection<Stream>& connection,
                                         const answer& what, exchange_memory& memory,
                                         std::size_t head_bytes) {
    std::uint64_t offset = what.body.first;
    std::uint64_t left = what.body.count;
    std::size_t filled = head_bytes;
    while (left > 0 || filled > 0) {
        if (left > 0) {
            const std::span<char> room = std::span{memory.output}.subspan(filled);
            const auto wanted =
                static_cast<std::size_t>(std::min<std::uint64_t>(left, room.size()));
            const weft::result<std::size_t> got = co_await what.file->contents.read_some_at(
                offset, std::as_writable_bytes(room.first(wanted)));
            if (!got) co_return got.error();
            if (*got == 0) co_return std::errc::io_error;  // it was cut short meanwhile
            filled += *got;
            offset += *got;
            left -= *got;
        }
        const weft::result<void> sent =
            co_await connection.send(std::string_view{memory.output.data(), filled});
        if (!sent) co_return sent.error();
        filled = 0;
    }
    co_return weft::result<void>{};
}

/// Writes and sends an answer: head, and body if the request is to have one.
template <class Stream>
weft::task<afterwards> send_answer(http::server_connection<Stream>& connection, const answer& what,
                                   exchange_memory& memory) {
    http::head_writer head{memory.output};
    write_head(head, what);
    if (!head.is_complete()) co_return afterwards::abort;
    weft::result<void> sent;
    if (what.file != nullptr && !what.is_head_only) {
        sent = co_await send_file(connection, what, memory, head.text().size());
    } else {
        sent = co_await connection.send(head.text());
    }
    if (sent) co_return what.keeps_alive ? afterwards::keep : afterwards::close;
    // A peer that does not read, and a file that broke off, end hard; the rest has ended already.
    const bool is_stopped = sent.error() == weft::errc::canceled;
    co_return is_stopped ? afterwards::leave : afterwards::abort;
}

/// Receives one request and answers it.
template <class Stream>
weft::task<afterwards> serve_request(http::server_connection<Stream>& connection, site& pages,
                                     exchange_memory& memory) {
    http::reception came = co_await connection.receive();
    bool reads_body = true;
    if (came == http::reception::request && connection.request().has_body()) {
        // Whoever asks first is told the final answer, and need not send the body at all.
        reads_body = !connection.expects_continue();
        if (reads_body) came = co_await connection.skip_body();
    }
    if (came == http::reception::ended) co_return afterwards::leave;

    answer what;
    if (came == http::reception::refused) {
        what.status = connection.refusal();
        what.is_head_only =
            connection.has_request() && connection.request().method() == http::method::head;
    } else {
        what.keeps_alive = reads_body && connection.request().keeps_alive();
        what.is_http_1_0 = connection.request().is_http_1_0();
        co_await find_answer(connection.request(), pages, memory, what);
    }
    log_answer(connection.has_request() ? &connection.request() : nullptr, what);
    co_return co_await send_answer(connection, what, memory);
}

/// Answers requests as long as some are there.
template <class Stream>
weft::task<afterwards> serve_requests(Stream& stream, site& pages, exchange_memory& memory,
                                      const http::server_limits& limits) {
    http::input_buffer input{memory.input};
    http::server_connection<Stream> connection{stream, input, limits};
    afterwards next = afterwards::keep;
    do {
        next = co_await serve_request(connection, pages, memory);
    } while (next == afterwards::keep && !input.unread().empty());
    if (next == afterwards::close) co_await connection.close();
    co_return next;
}

/// The whole life of a connection; the stream closes behind it.
template <class Stream>
weft::task<void> serve_connection(Stream stream, site& pages, exchange_pool& pool,
                                  serve_limits limits) {
    weft::duration patience = limits.exchange.head_timeout;
    for (;;) {
        const weft::result<void> readable =
            co_await weft::with_timeout(patience, stream.readable());
        if (!readable) break;
        const exchange_pool::lease memory = pool.take();
        const afterwards next = co_await serve_requests(stream, pages, *memory, limits.exchange);
        if (next != afterwards::keep) {
            if (next == afterwards::abort) stream.abort();
            co_return;
        }
        patience = limits.idle_timeout;
    }
}

}  // namespace examples
