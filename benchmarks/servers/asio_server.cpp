// The peer to beat: Asio, as coroutines and as callbacks, on Linux sockets (epoll). One thread.

#include "exchange.hpp"

#include <asio/awaitable.hpp>
#include <asio/buffer.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>

#include <array>
#include <memory>

namespace {

using asio::ip::tcp;

asio::awaitable<void> serve(tcp::socket peer, bench::protocol speaks) {
    bench::exchange exchange{speaks};
    const auto bytes = std::make_unique<std::array<char, bench::buffer_bytes>>();
    try {
        for (;;) {
            const std::size_t count =
                co_await peer.async_read_some(asio::buffer(*bytes), asio::use_awaitable);
            const std::string_view answer = exchange.answer({bytes->data(), count});
            if (!answer.empty()) {
                co_await asio::async_write(peer, asio::buffer(answer), asio::use_awaitable);
            }
        }
    } catch (const std::system_error&) {
        // The peer has closed.
    }
}

asio::awaitable<void> accept_all(tcp::acceptor& acceptor, bench::protocol speaks) {
    for (;;) {
        tcp::socket peer = co_await acceptor.async_accept(asio::use_awaitable);
        peer.set_option(tcp::no_delay{true});
        asio::co_spawn(acceptor.get_executor(), serve(std::move(peer), speaks), asio::detached);
    }
}

class session : public std::enable_shared_from_this<session> {
public:
    session(tcp::socket peer, bench::protocol speaks) : peer_{std::move(peer)}, exchange_{speaks} {}

    void read() {
        peer_.async_read_some(asio::buffer(bytes_), [self = shared_from_this()](
                                                        std::error_code error, std::size_t count) {
            if (!error) self->answer(count);
        });
    }

private:
    void answer(std::size_t count) {
        const std::string_view text = exchange_.answer({bytes_.data(), count});
        if (text.empty()) return read();
        asio::async_write(peer_, asio::buffer(text),
                          [self = shared_from_this()](std::error_code error, std::size_t) {
                              if (!error) self->read();
                          });
    }

    tcp::socket peer_;
    bench::exchange exchange_;
    std::array<char, bench::buffer_bytes> bytes_;
};

void accept_next(tcp::acceptor& acceptor, bench::protocol speaks) {
    acceptor.async_accept([&acceptor, speaks](std::error_code error, tcp::socket peer) {
        if (!error) {
            peer.set_option(tcp::no_delay{true});
            std::make_shared<session>(std::move(peer), speaks)->read();
        }
        accept_next(acceptor, speaks);
    });
}

}  // namespace

int main(int argc, char** argv) {
    const auto options = bench::parse_server_options({argv, static_cast<std::size_t>(argc)},
                                                     {"coroutine", "callback"});
    if (!options) return 2;
    asio::io_context io{1};
    tcp::acceptor acceptor{io, {tcp::v4(), options->port}};
    acceptor.listen(4096);
    if (options->style == "coroutine") {
        asio::co_spawn(io, accept_all(acceptor, options->speaks), asio::detached);
    } else {
        accept_next(acceptor, options->speaks);
    }
    io.run();
}
