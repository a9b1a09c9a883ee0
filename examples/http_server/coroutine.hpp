#pragma once
// The file server in coroutines, over any stream. fiber.hpp and callback.hpp say the same in the
// two other front ends, function by function.
//
// A connection that is idle waits without buffers. Requests are answered one after the other, in
// order; what is pipelined waits its turn. Every file is read piece by piece into a fixed buffer.

#include "http_server/exchange.hpp"
#include "http_server/service.hpp"

#include <weft/http/server_connection.hpp>
#include <weft/stop.hpp>
#include <weft/task.hpp>
#include <weft/with_timeout.hpp>

#include <utility>

namespace examples::http_server::coroutine {

inline weft::task<lookup_result> find(site& pages, std::string_view path) {
    const weft::scheduler& on = co_await weft::current_scheduler();
    if (auto kept = pages.find_kept(path, on.now())) co_return lookup_result{std::move(kept)};
    weft::result<weft::file> opened =
        co_await weft::with_timeout(site::open_limit, pages.open(path));
    if (!opened) co_return site::refusal(opened.error());
    const weft::result<weft::file_status> status = co_await opened->status();
    co_return pages.examine(path, std::move(*opened), status, on.now());
}

inline weft::task<void> find_answer(const http::request_parser& request, site& pages,
                                    exchange_memory& memory, answer& out) {
    answer_search search{request, pages, memory, out};
    while (const auto path = search.wanted()) {
        const lookup_result there = co_await find(pages, *path);
        search.found(there);
    }
}

/// Writes and sends an answer: head, and body if the request is to have one.
template <class Stream>
weft::task<afterwards> send_answer(http::server_connection<Stream>& connection, const answer& what,
                                   exchange_memory& memory) {
    response_pieces pieces{what, memory};
    if (!pieces.is_good()) co_return afterwards::abort;
    while (!pieces.is_done()) {
        if (pieces.wants_bytes()) {
            const auto got = co_await pieces.file().read_some_at(pieces.offset(), pieces.room());
            if (const auto problem = pieces.add(got)) co_return after(what, problem);
        }
        const weft::result<void> sent = co_await connection.send(pieces.take());
        if (!sent) co_return after(what, sent.error());
    }
    co_return after(what, {});
}

/// Receives one request and answers it.
template <class Stream>
weft::task<afterwards> serve_request(http::server_connection<Stream>& connection, site& pages,
                                     exchange_memory& memory) {
    const http::request_intake& intake = connection.intake();
    http::reception came = co_await connection.receive();
    if (came == http::reception::request && reads_body(intake)) {
        came = co_await connection.skip_body();
    }
    if (came == http::reception::ended) co_return afterwards::leave;

    answer what = begin_answer(came, intake);
    if (came == http::reception::request) {
        co_await find_answer(intake.request(), pages, memory, what);
    }
    log_answer(intake.has_request() ? &intake.request() : nullptr, what);
    co_return co_await send_answer(connection, what, memory);
}

/// Answers requests as long as some are there.
template <class Stream>
weft::task<afterwards> serve_requests(Stream& stream, service& shared, exchange_memory& memory) {
    http::input_buffer input{memory.input};
    http::server_connection<Stream> connection{stream, input, shared.limits.exchange};
    afterwards next = afterwards::keep;
    do {
        next = co_await serve_request(connection, shared.pages, memory);
    } while (next == afterwards::keep && connection.intake().has_unread());
    if (next == afterwards::close) co_await connection.close();
    co_return next;
}

/// The whole life of a connection; the stream closes behind it.
template <class Stream>
weft::task<void> serve_connection(Stream stream, service& shared) {
    weft::duration patience = shared.limits.exchange.head_timeout;
    for (;;) {
        const weft::result<void> readable =
            co_await weft::with_timeout(patience, stream.readable());
        if (!readable) co_return;
        const exchange_pool::lease memory = shared.memory.take();
        const afterwards next = co_await serve_requests(stream, shared, *memory);
        if (next == afterwards::abort) stream.abort();
        if (next != afterwards::keep) co_return;
        patience = shared.limits.idle_timeout;
    }
}

template <class Stream>
weft::task<void> serve(Stream stream, service& shared) {
    co_await serve_connection(std::move(stream), shared);
    shared.connections.closed();
}

}  // namespace examples::http_server::coroutine
