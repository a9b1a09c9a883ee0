#pragma once
// The echo server in coroutines: a task for each connection. fiber.hpp and callback.hpp say the
// same in the two other front ends, function by function.

#include "echo_server/service.hpp"

#include <weft/errc.hpp>
#include <weft/task.hpp>
#include <weft/with_timeout.hpp>

#include <algorithm>
#include <memory>
#include <utility>

namespace examples::echo_server::coroutine {

/// Sends everything back, until the peer closes; then closes too.
template <class Stream>
weft::task<weft::result<void>> echo(Stream& peer, service& shared, buffer& bytes) {
    for (;;) {
        const auto got = co_await weft::with_timeout(shared.patience(), peer.read_some(bytes));
        if (!got) co_return got.error();
        if (*got == 0) break;
        const auto sent = co_await weft::with_timeout(shared.patience(),
                                                      peer.write_all(std::span{bytes}.first(*got)));
        if (!sent) co_return sent.error();
    }
    co_return co_await weft::with_timeout(shared.patience(), peer.shutdown());
}

/// Reads to the end; with `hash`, answers with count and CRC-32 of what it read.
template <class Stream>
weft::task<weft::result<void>> discard(Stream& peer, service& shared, buffer& bytes) {
    digest sum;
    for (;;) {
        const auto got = co_await weft::with_timeout(shared.patience(), peer.read_some(bytes));
        if (!got) co_return got.error();
        if (*got == 0) break;
        if (shared.options.what == mode::hash) sum.add(std::span{bytes}.first(*got));
    }
    if (shared.options.what == mode::hash) {
        const auto sent =
            co_await weft::with_timeout(shared.patience(), peer.write_all(sum.line()));
        if (!sent) co_return sent.error();
    }
    co_return co_await weft::with_timeout(shared.patience(), peer.shutdown());
}

/// Sends the pattern, `--bytes` of it or until the peer goes; then waits for the peer to close.
template <class Stream>
weft::task<weft::result<void>> generate(Stream& peer, service& shared, buffer& bytes) {
    const std::uint64_t total = shared.options.bytes == 0 ? UINT64_MAX : shared.options.bytes;
    for (std::uint64_t sent = 0; sent < total;) {
        const auto piece =
            shared.pattern.at(sent, std::min<std::uint64_t>(total - sent, bytes.size()));
        const auto taken = co_await weft::with_timeout(shared.patience(), peer.write_all(piece));
        if (!taken) co_return taken.error();
        sent += piece.size();
    }
    const auto closed = co_await weft::with_timeout(shared.patience(), peer.shutdown());
    if (!closed) co_return closed.error();
    for (;;) {
        const auto got = co_await weft::with_timeout(shared.patience(), peer.read_some(bytes));
        if (!got) co_return got.error();
        if (*got == 0) co_return weft::result<void>{};
    }
}

template <class Stream>
weft::task<weft::result<void>> talk(Stream& peer, service& shared, buffer& bytes) {
    switch (shared.options.what) {
        case mode::echo: return echo(peer, shared, bytes);
        case mode::discard:
        case mode::hash: return discard(peer, shared, bytes);
        case mode::chargen: return generate(peer, shared, bytes);
    }
    return echo(peer, shared, bytes);
}

template <class Stream>
weft::task<void> serve(Stream peer, service& shared) {
    weft::result<void> outcome;
    if (shared.options.what != mode::chargen) {  // a peer that says nothing costs no buffer
        outcome = co_await weft::with_timeout(shared.patience(), peer.readable());
    }
    if (outcome) {
        const auto bytes = std::make_unique<buffer>();
        outcome = co_await talk(peer, shared, *bytes);
    }
    if (outcome.error() == weft::errc::timed_out) peer.abort();
    shared.connections.closed();
}

}  // namespace examples::echo_server::coroutine
