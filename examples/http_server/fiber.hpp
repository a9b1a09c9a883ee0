#pragma once
// The file server in fibers, over any stream. coroutine.hpp and callback.hpp say the same in the
// two other front ends, function by function.
//
// A connection that is idle waits without buffers. Requests are answered one after the other, in
// order; what is pipelined waits its turn. Every file is read piece by piece into a fixed buffer.

#include "http_server/exchange.hpp"
#include "http_server/service.hpp"

#include <weft/fiber/await.hpp>
#include <weft/http/server_connection.hpp>
#include <weft/with_timeout.hpp>

#include <cstddef>
#include <optional>
#include <span>
#include <utility>

namespace examples::http_server::fiber {

using weft::fiber::await;

/// One connection's requests and responses: what http::server_connection is for coroutines.
template <class Stream>
class connection {
public:
    connection(Stream& stream, http::input_buffer& input, const http::server_limits& limits)
        : stream_{stream}, intake_{input, limits}, limits_{limits} {}

    http::reception receive() { return read_by(by(limits_.head_timeout), intake_.begin_head()); }
    http::reception skip_body() { return read_by(by(limits_.body_timeout), intake_.begin_body()); }
    [[nodiscard]] const http::request_intake& intake() const noexcept { return intake_; }

    weft::result<void> send(std::span<const std::byte> bytes) {
        return await(weft::with_timeout(limits_.write_timeout, stream_.write_all(bytes)));
    }

    /// Our FIN, then what the peer still sends is read and dropped.
    void close() {
        constexpr http::close_limits bounds;
        const weft::instant deadline = by(bounds.timeout);
        (void)await(weft::with_deadline(deadline, stream_.shutdown()));
        intake_.drop_unread();
        std::size_t dropped = 0;
        while (dropped < bounds.max_dropped_bytes) {
            const auto got =
                await(weft::with_deadline(deadline, stream_.read_some(intake_.room())));
            if (!got || *got == 0) return;
            dropped += *got;
        }
    }

private:
    static weft::instant by(weft::duration limit) {
        return weft::saturating_add(weft::fiber::current_scheduler().now(), limit);
    }

    http::reception read_by(weft::instant deadline, std::optional<http::reception> came) {
        while (!came) {
            came = intake_.on_read(
                await(weft::with_deadline(deadline, stream_.read_some(intake_.room()))));
        }
        return *came;
    }

    Stream& stream_;
    http::request_intake intake_;
    const http::server_limits limits_;
};

inline lookup_result find(site& pages, std::string_view path) {
    const weft::scheduler& on = weft::fiber::current_scheduler();
    if (auto kept = pages.find_kept(path, on.now())) return lookup_result{std::move(kept)};
    weft::result<weft::file> opened = await(weft::with_timeout(site::open_limit, pages.open(path)));
    if (!opened) return site::refusal(opened.error());
    const weft::result<weft::file_status> status = await(opened->status());
    return pages.examine(path, std::move(*opened), status, on.now());
}

inline void find_answer(const http::request_parser& request, site& pages, exchange_memory& memory,
                        answer& out) {
    answer_search search{request, pages, memory, out};
    while (const auto path = search.wanted()) search.found(find(pages, *path));
}

/// Writes and sends an answer: head, and body if the request is to have one.
template <class Stream>
afterwards send_answer(connection<Stream>& to, const answer& what, exchange_memory& memory) {
    response_pieces pieces{what, memory};
    if (!pieces.is_good()) return afterwards::abort;
    while (!pieces.is_done()) {
        if (pieces.wants_bytes()) {
            const auto got = await(pieces.file().read_some_at(pieces.offset(), pieces.room()));
            if (const auto problem = pieces.add(got)) return after(what, problem);
        }
        const weft::result<void> sent = to.send(pieces.take());
        if (!sent) return after(what, sent.error());
    }
    return after(what, {});
}

/// Receives one request and answers it.
template <class Stream>
afterwards serve_request(connection<Stream>& from, site& pages, exchange_memory& memory) {
    const http::request_intake& intake = from.intake();
    http::reception came = from.receive();
    if (came == http::reception::request && reads_body(intake)) came = from.skip_body();
    if (came == http::reception::ended) return afterwards::leave;

    answer what = begin_answer(came, intake);
    if (came == http::reception::request) find_answer(intake.request(), pages, memory, what);
    log_answer(intake.has_request() ? &intake.request() : nullptr, what);
    return send_answer(from, what, memory);
}

/// Answers requests as long as some are there.
template <class Stream>
afterwards serve_requests(Stream& stream, service& shared, exchange_memory& memory) {
    http::input_buffer input{memory.input};
    connection<Stream> peer{stream, input, shared.limits.exchange};
    afterwards next = afterwards::keep;
    do {
        next = serve_request(peer, shared.pages, memory);
    } while (next == afterwards::keep && peer.intake().has_unread());
    if (next == afterwards::close) peer.close();
    return next;
}

/// The whole life of a connection; the stream closes behind it.
template <class Stream>
void serve_connection(Stream stream, service& shared) {
    weft::duration patience = shared.limits.exchange.head_timeout;
    for (;;) {
        const weft::result<void> readable = await(weft::with_timeout(patience, stream.readable()));
        if (!readable) return;
        const exchange_pool::lease memory = shared.memory.take();
        const afterwards next = serve_requests(stream, shared, *memory);
        if (next == afterwards::abort) stream.abort();
        if (next != afterwards::keep) return;
        patience = shared.limits.idle_timeout;
    }
}

template <class Stream>
void serve(Stream stream, service& shared) {
    serve_connection(std::move(stream), shared);
    shared.connections.closed();
}

}  // namespace examples::http_server::fiber
