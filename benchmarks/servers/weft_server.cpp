// Weft on Linux sockets (io_uring), in its three front ends. One thread.

#include "exchange.hpp"

#include <weft/base/intrusive_list.hpp>
#include <weft/callback.hpp>
#include <weft/fiber/group.hpp>
#include <weft/kernel/network.hpp>
#include <weft/run.hpp>
#include <weft/task_group.hpp>

#include <memory>
#include <utility>

namespace {

using listener = weft::kernel::tcp_listener;
using stream = weft::kernel::tcp_stream;

std::string_view text_of(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// A connection that waits has no buffer: it answers what it finds in the loop's own memory.

weft::task<> serve(stream peer, bench::protocol speaks) {
    bench::exchange exchange{speaks};
    for (;;) {
        const auto readable = co_await peer.readable();
        if (!readable) co_return;
        const auto heard = peer.read_view();
        if (heard.empty()) co_return;
        const std::string_view answer = exchange.answer(text_of(heard));
        if (!answer.empty()) {
            const auto sent = co_await peer.write_all(std::as_bytes(std::span{answer}));
            if (!sent) co_return;
        }
        peer.consume(heard.size());
    }
}

weft::task<> accept_all(weft::task_group& group, listener* from, bench::protocol speaks) {
    for (;;) {
        auto peer = co_await from->accept();
        if (!peer) co_return;
        group.spawn(serve(std::move(*peer), speaks));
    }
}

namespace fibers {

using weft::fiber::await;

void serve(stream peer, bench::protocol speaks) {
    bench::exchange exchange{speaks};
    for (;;) {
        const auto readable = await(peer.readable());
        if (!readable) return;
        const auto heard = peer.read_view();
        if (heard.empty()) return;
        const std::string_view answer = exchange.answer(text_of(heard));
        if (!answer.empty()) {
            const auto sent = await(peer.write_all(std::as_bytes(std::span{answer})));
            if (!sent) return;
        }
        peer.consume(heard.size());
    }
}

void accept_all(weft::fiber::group& group, listener* from, bench::protocol speaks) {
    for (;;) {
        auto peer = await(from->accept());
        if (!peer) return;
        // Without a stack for it the peer is closed, and the others go on.
        (void)group.spawn(
            [taken = std::move(*peer), speaks]() mutable { serve(std::move(taken), speaks); });
    }
}

}  // namespace fibers

namespace callbacks {

class connection : public weft::frame_allocated {
public:
    connection(weft::callback_group& group, stream peer, bench::protocol speaks)
        : group_{group}, peer_{std::move(peer)}, exchange_{speaks} {}

    void serve() {
        waiting_.start(
            group_, [this] { return peer_.readable(); },
            [this](weft::result<void> readable) {
                if (!readable) return end();
                answer();
            });
    }

private:
    void answer() {
        heard_ = peer_.read_view();
        if (heard_.empty()) return end();
        const std::string_view text = exchange_.answer(text_of(heard_));
        if (text.empty()) return next();
        waiting_.start(
            group_, [this, text] { return peer_.write_all(std::as_bytes(std::span{text})); },
            [this](weft::result<void> sent) {
                if (!sent) return end();
                next();
            });
    }
    void next() {
        peer_.consume(heard_.size());
        serve();
    }
    void end() { delete this; }

    weft::callback_group& group_;
    stream peer_;
    bench::exchange exchange_;
    std::span<const std::byte> heard_;
    weft::callback_slot<512> waiting_;
};

class acceptor {
public:
    acceptor(weft::callback_group& group, listener& from, bench::protocol speaks)
        : group_{group}, from_{from}, speaks_{speaks} {}

    void accept() {
        waiting_.start(
            group_, [this] { return from_.accept(); },
            [this](weft::result<stream> peer) {
                if (!peer) return;
                (new connection{group_, std::move(*peer), speaks_})->serve();
                accept();
            });
    }

private:
    weft::callback_group& group_;
    listener& from_;
    bench::protocol speaks_;
    weft::callback_slot<512> waiting_;
};

}  // namespace callbacks

weft::task<int> serve_port(weft::io_context& io, const bench::server_options& options) {
    weft::kernel::network network{io};
    auto from = network.listen(options.port, {.backlog = 4096, .connection = {.no_delay = true}});
    if (!from) {
        std::fprintf(stderr, "weft_server: port %u: %s\n", options.port,
                     from.error().message().c_str());
        co_return 1;
    }
    if (options.style == "coroutine") {
        (void)co_await weft::with_task_group(accept_all, &*from, options.speaks);
    } else if (options.style == "fiber") {
        (void)co_await weft::fiber::with_group(fibers::accept_all, &*from, options.speaks);
    } else {
        weft::callback_group group{co_await weft::current_environment()};
        callbacks::acceptor acceptor{group, *from, options.speaks};
        acceptor.accept();
        (void)co_await group.join();
    }
    co_return 0;
}

}  // namespace

int main(int argc, char** argv) {
    const auto options = bench::parse_server_options({argv, static_cast<std::size_t>(argc)},
                                                     {"coroutine", "fiber", "callback"});
    if (!options) return 2;
    return weft::run([&options](weft::io_context& io) { return serve_port(io, *options); });
}
