#pragma once
// The echo server in callbacks: an object for each connection, and functions that say what happens
// after what they wait for. coroutine.hpp and fiber.hpp say the same in the two other front ends,
// function by function.

#include "echo_server/service.hpp"

#include <weft/base/intrusive_list.hpp>
#include <weft/callback.hpp>
#include <weft/errc.hpp>
#include <weft/frame_allocator.hpp>
#include <weft/stop.hpp>
#include <weft/with_timeout.hpp>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

namespace examples::echo_server::callback {

/// One connection. Destroys itself when it has ended.
template <class Stream>
class connection : public weft::frame_allocated, public weft::list_hook<> {
public:
    connection(weft::callback_group& group, Stream peer, service& shared)
        : group_{group}, peer_{std::move(peer)}, shared_{shared} {}

    void serve() {
        if (shared_.options.what == mode::chargen) return talk();
        // A peer that says nothing costs no buffer.
        await([this] { return peer_.readable(); },
              [this](weft::result<void> readable) {
                  if (!readable) return end(readable.error());
                  talk();
              });
    }

private:
    /// What `make` makes is waited for as long as the patience lasts; then comes `next`.
    template <class Make, class Next>
    void await(Make make, Next next) {
        waiting_.start(
            group_, [this, make] { return weft::with_timeout(shared_.patience(), make); }, next);
    }

    void talk() {
        bytes_ = std::make_unique<buffer>();
        switch (shared_.options.what) {
            case mode::echo: return echo();
            case mode::discard:
            case mode::hash: return discard();
            case mode::chargen: return generate();
        }
    }

    /// Sends everything back, until the peer closes; then closes too.
    void echo() {
        await([this] { return peer_.read_some(*bytes_); },
              [this](weft::result<std::size_t> got) {
                  if (!got) return end(got.error());
                  if (*got == 0) return close();
                  await([this, got] { return peer_.write_all(std::span{*bytes_}.first(*got)); },
                        [this](weft::result<void> sent) {
                            if (!sent) return end(sent.error());
                            echo();
                        });
              });
    }

    /// Reads to the end; with `hash`, answers with count and CRC-32 of what it read.
    void discard() {
        await([this] { return peer_.read_some(*bytes_); },
              [this](weft::result<std::size_t> got) {
                  if (!got) return end(got.error());
                  if (*got == 0) return shared_.options.what == mode::hash ? tell() : close();
                  if (shared_.options.what == mode::hash) sum_.add(std::span{*bytes_}.first(*got));
                  discard();
              });
    }
    void tell() {
        await([this] { return peer_.write_all(sum_.line()); },
              [this](weft::result<void> sent) {
                  if (!sent) return end(sent.error());
                  close();
              });
    }

    /// Sends the pattern, `--bytes` of it or until the peer goes; then waits for the peer to close.
    void generate() {
        const std::uint64_t total = shared_.options.bytes == 0 ? UINT64_MAX : shared_.options.bytes;
        if (sent_ == total) return close_and_read();
        const auto piece =
            shared_.pattern.at(sent_, std::min<std::uint64_t>(total - sent_, bytes_->size()));
        await([this, piece] { return peer_.write_all(piece); },
              [this, piece](weft::result<void> taken) {
                  if (!taken) return end(taken.error());
                  sent_ += piece.size();
                  generate();
              });
    }
    void close_and_read() {
        await([this] { return peer_.shutdown(); },
              [this](weft::result<void> closed) {
                  if (!closed) return end(closed.error());
                  read_to_end();
              });
    }
    void read_to_end() {
        await([this] { return peer_.read_some(*bytes_); },
              [this](weft::result<std::size_t> got) {
                  if (!got || *got == 0) return end(got.error());
                  read_to_end();
              });
    }

    void close() {
        await([this] { return peer_.shutdown(); },
              [this](weft::result<void> closed) { end(closed.error()); });
    }

    void end(std::error_code outcome) {
        if (outcome == weft::errc::timed_out) peer_.abort();
        shared_.connections.closed();
        delete this;
    }

    weft::callback_group& group_;
    Stream peer_;
    service& shared_;
    weft::callback_slot<512> waiting_;
    std::unique_ptr<buffer> bytes_;
    digest sum_;              // hash
    std::uint64_t sent_ = 0;  // chargen
};

}  // namespace examples::echo_server::callback
