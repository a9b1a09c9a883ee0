#pragma once
// The file server in callbacks, over any stream. coroutine.hpp and fiber.hpp say the same in the
// two other front ends, function by function.
//
// A connection that is idle waits without buffers. Requests are answered one after the other, in
// order; what is pipelined waits its turn. Every file is read piece by piece into a fixed buffer.

#include "http_server/exchange.hpp"
#include "http_server/service.hpp"

#include <weft/base/intrusive_list.hpp>
#include <weft/callback.hpp>
#include <weft/frame_allocator.hpp>
#include <weft/http/server_connection.hpp>
#include <weft/stop.hpp>
#include <weft/with_timeout.hpp>

#include <cstddef>
#include <optional>
#include <utility>

namespace examples::http_server::callback {

/// One connection. Destroys itself when it has ended.
template <class Stream>
class connection : public weft::frame_allocated, public weft::list_hook<> {
public:
    connection(weft::callback_group& group, Stream stream, service& shared)
        : group_{group}, stream_{std::move(stream)}, shared_{shared} {}

    void serve() { wait_for_request(limits().head_timeout); }

private:
    /// What lives from the first byte of a request to the last of what is pipelined behind it.
    struct exchange {
        explicit exchange(service& shared)
            : memory{shared.memory.take()},
              input{memory->input},
              intake{input, shared.limits.exchange} {}

        exchange_pool::lease memory;
        http::input_buffer input;
        http::request_intake intake;
        answer what;
        std::optional<answer_search> search;
        weft::file opened;
        std::optional<response_pieces> pieces;
    };

    [[nodiscard]] const http::server_limits& limits() const { return shared_.limits.exchange; }
    [[nodiscard]] weft::instant now() const { return group_.environment().scheduler->now(); }
    [[nodiscard]] weft::instant by(weft::duration limit) const {
        return weft::saturating_add(now(), limit);
    }

    /// What `make` makes is waited for; then comes `next`.
    template <class Make, class Next>
    void await(Make make, Next next) {
        waiting_.start(group_, make, next);
    }
    template <class Make, class Next>
    void await_for(weft::duration limit, Make make, Next next) {
        await([limit, make] { return weft::with_timeout(limit, make); }, next);
    }
    template <class Make, class Next>
    void await_by_deadline(Make make, Next next) {
        await([this, make] { return weft::with_deadline(deadline_, make); }, next);
    }

    // ---- a request

    void wait_for_request(weft::duration patience) {
        await_for(
            patience, [this] { return stream_.readable(); },
            [this](weft::result<void> readable) {
                if (!readable) return end(afterwards::leave);
                exchange_.emplace(shared_);
                receive();
            });
    }

    /// Receives one request and answers it.
    void receive() {
        deadline_ = by(limits().head_timeout);
        on_head(exchange_->intake.begin_head());
    }

    void on_head(std::optional<http::reception> came) {
        if (!came) return read([this](auto then) { on_head(then); });
        if (*came == http::reception::request && reads_body(exchange_->intake)) {
            deadline_ = by(limits().body_timeout);
            return on_body(exchange_->intake.begin_body());
        }
        on_request(*came);
    }

    void on_body(std::optional<http::reception> came) {
        if (!came) return read([this](auto then) { on_body(then); });
        on_request(*came);
    }

    template <class Next>
    void read(Next next) {
        await_by_deadline(
            [this] { return stream_.read_some(exchange_->intake.room()); },
            [this, next](weft::result<std::size_t> got) { next(exchange_->intake.on_read(got)); });
    }

    // ---- what it is answered with

    void on_request(http::reception came) {
        if (came == http::reception::ended) return end(afterwards::leave);
        exchange_->what = begin_answer(came, exchange_->intake);
        if (came != http::reception::request) return send_answer();
        exchange_->search.emplace(exchange_->intake.request(), shared_.pages, *exchange_->memory,
                                  exchange_->what);
        find_answer();
    }

    void find_answer() {
        const auto path = exchange_->search->wanted();
        if (!path) return send_answer();
        find(*path);
    }
    void found(const lookup_result& there) {
        exchange_->search->found(there);
        find_answer();
    }

    void find(std::string_view path) {
        if (auto kept = shared_.pages.find_kept(path, now())) {
            return found(lookup_result{std::move(kept)});
        }
        await_for(
            site::open_limit, [this, path] { return shared_.pages.open(path); },
            [this, path](weft::result<weft::file> opened) {
                if (!opened) return found(site::refusal(opened.error()));
                exchange_->opened = std::move(*opened);
                examine(path);
            });
    }
    void examine(std::string_view path) {
        await([this] { return exchange_->opened.status(); },
              [this, path](const weft::result<weft::file_status>& status) {
                  found(shared_.pages.examine(path, std::move(exchange_->opened), status, now()));
              });
    }

    // ---- the response

    /// Writes and sends an answer: head, and body if the request is to have one.
    void send_answer() {
        const http::request_intake& intake = exchange_->intake;
        log_answer(intake.has_request() ? &intake.request() : nullptr, exchange_->what);
        exchange_->pieces.emplace(exchange_->what, *exchange_->memory);
        if (!exchange_->pieces->is_good()) return end(afterwards::abort);
        next_piece();
    }

    void next_piece() {
        if (exchange_->pieces->is_done()) return on_answered({});
        if (!exchange_->pieces->wants_bytes()) return send_piece();
        await(
            [this] {
                const response_pieces& pieces = *exchange_->pieces;
                return pieces.file().read_some_at(pieces.offset(), pieces.room());
            },
            [this](weft::result<std::size_t> got) {
                if (const auto problem = exchange_->pieces->add(got)) return on_answered(problem);
                send_piece();
            });
    }
    void send_piece() {
        const auto piece = exchange_->pieces->take();
        await_for(
            limits().write_timeout, [this, piece] { return stream_.write_all(piece); },
            [this](weft::result<void> sent) {
                if (!sent) return on_answered(sent.error());
                next_piece();
            });
    }

    void on_answered(std::error_code failure) {
        const afterwards next = after(exchange_->what, failure);
        if (next == afterwards::close) return close();
        if (next != afterwards::keep) return end(next);
        if (exchange_->intake.has_unread()) return receive();
        exchange_.reset();
        wait_for_request(shared_.limits.idle_timeout);
    }

    // ---- the end

    /// Our FIN, then what the peer still sends is read and dropped.
    void close() {
        deadline_ = by(http::close_limits{}.timeout);
        await_by_deadline([this] { return stream_.shutdown(); },
                          [this](const weft::result<void>&) {
                              exchange_->intake.drop_unread();
                              drop(0);
                          });
    }
    void drop(std::size_t dropped) {
        if (dropped >= http::close_limits{}.max_dropped_bytes) return end(afterwards::leave);
        await_by_deadline([this] { return stream_.read_some(exchange_->intake.room()); },
                          [this, dropped](weft::result<std::size_t> got) {
                              if (!got || *got == 0) return end(afterwards::leave);
                              drop(dropped + *got);
                          });
    }

    void end(afterwards how) {
        if (how == afterwards::abort) stream_.abort();
        shared_.connections.closed();
        delete this;
    }

    weft::callback_group& group_;
    Stream stream_;
    service& shared_;
    std::optional<exchange> exchange_;
    weft::instant deadline_;
    weft::callback_slot<640> waiting_;
};

}  // namespace examples::http_server::callback
