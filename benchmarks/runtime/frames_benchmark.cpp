// What a connection costs in memory that has echoed something and now waits: of 256 over loopback,
// bytes each. The time is of no interest.
//
//   frames    coroutine frames, from Weft's frame allocator, in its size classes
//   heap      all that malloc gave out, those frames too
//   resident  pages of this process: the stacks of fibers too. Ask for one row at a time
//             (--benchmark_filter): what an earlier row has freed serves the next
//
// Nobody holds a buffer while it waits. The clients are plain sockets.

#include "loops.hpp"

#include <weft/callback.hpp>
#include <weft/fiber/group.hpp>
#include <weft/kernel/network.hpp>
#include <weft/sleep.hpp>
#include <weft/task_group.hpp>

#ifdef WEFT_HAS_ASIO
    #include <asio/buffer.hpp>
    #include <asio/ip/tcp.hpp>
    #include <asio/use_awaitable.hpp>
    #include <asio/write.hpp>
#endif

#include <malloc.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <memory>
#include <span>
#include <system_error>
#include <utility>
#include <vector>

namespace weft::bench {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t connections = 256;
constexpr std::uint32_t shared_buffers = kernel::network_options{}.receive_buffers + 1;

struct memory_use {
    double frames = 0;
    double heap = 0;
    double resident = 0;
};

memory_use now_used() {
    memory_use used;
    for (const live_frames& each : frame_allocator::alive()) {
        used.frames += static_cast<double>(each.up_to_bytes * each.count);
    }
    const struct mallinfo2 heap = ::mallinfo2();
    used.heap = static_cast<double>(heap.uordblks + heap.hblkhd);
    long pages = 0;
    long resident = 0;
    if (std::FILE* const of = std::fopen("/proc/self/statm", "r")) {
        if (std::fscanf(of, "%ld %ld", &pages, &resident) == 2) {
            used.resident = static_cast<double>(resident) * static_cast<double>(::getpagesize());
        }
        std::fclose(of);
    }
    return used;
}

/// Plain clients of a port here.
class clients {
public:
    clients() = default;
    clients(const clients&) = delete;
    clients& operator=(const clients&) = delete;
    ~clients() {
        for (const int each : open_) ::close(each);
    }

    /// Opens `count` more, each of which says something.
    void open(std::uint16_t port, std::size_t count) {
        sockaddr_in at{};
        at.sin_family = AF_INET;
        at.sin_port = htons(port);
        at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        for (std::size_t i = 0; i < count; ++i) {
            const int made = ::socket(AF_INET, SOCK_STREAM, 0);
            open_.push_back(made);
            if (::connect(made, reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0 ||
                ::send(made, "hello", 5, MSG_NOSIGNAL) != 5) {
                throw std::system_error{errno, std::generic_category(), "client"};
            }
        }
    }
    /// The first says something again, and drops what it has heard.
    void say_again() const {
        std::array<char, 8> heard{};
        (void)::recv(open_.front(), heard.data(), heard.size(), MSG_DONTWAIT);
        if (::send(open_.front(), "hello", 5, MSG_NOSIGNAL) != 5) {
            throw std::system_error{errno, std::generic_category(), "client"};
        }
    }
    /// Whether each was answered.
    [[nodiscard]] bool were_answered() const {
        std::array<char, 8> heard{};
        for (const int each : open_) {
            if (::recv(each, heard.data(), heard.size(), MSG_PEEK | MSG_DONTWAIT) != 5) {
                return false;
            }
        }
        return true;
    }

private:
    std::vector<int> open_;
};

void report(benchmark::State& state, const memory_use& before, const memory_use& after) {
    const auto each = [](double from, double to) {
        return (to - from) / static_cast<double>(connections);
    };
    state.counters["frames"] = each(before.frames, after.frames);
    state.counters["heap"] = each(before.heap, after.heap);
    state.counters["resident"] = each(before.resident, after.resident);
}

using kernel::tcp_listener;
using kernel::tcp_stream;

task<> echo(tcp_stream peer) {
    for (;;) {
        const auto readable = co_await peer.readable();
        const auto heard = peer.read_view();
        if (!readable || heard.empty()) co_return;
        const auto sent = co_await peer.write_all(heard);
        if (!sent) co_return;
        peer.consume(heard.size());
    }
}

void echo_in_fiber(tcp_stream peer) {
    for (;;) {
        const auto readable = fiber::await(peer.readable());
        const auto heard = peer.read_view();
        if (!readable || heard.empty()) return;
        const auto sent = fiber::await(peer.write_all(heard));
        if (!sent) return;
        peer.consume(heard.size());
    }
}

class echoing : public frame_allocated {
public:
    echoing(callback_group& group, tcp_stream peer) : group_{group}, peer_{std::move(peer)} {}
    void wait() {
        waiting_.start(
            group_, [this] { return peer_.readable(); },
            [this](result<void> readable) {
                if (!readable || peer_.read_view().empty()) return end();
                answer();
            });
    }

private:
    void answer() {
        waiting_.start(
            group_, [this] { return peer_.write_all(peer_.read_view()); },
            [this](result<void> sent) {
                if (!sent) return end();
                peer_.consume(peer_.read_view().size());
                wait();
            });
    }
    void end() { delete this; }

    callback_group& group_;
    tcp_stream peer_;
    callback_slot<256> waiting_;
};

/// Accepts one client, which talks until every buffer that connections share was used, then the
/// others; `begin` takes each to where it waits.
template <class Begin>
task<> measure(benchmark::State& state, tcp_listener& from, Begin begin) {
    clients all;
    memory_use before;
    for (std::size_t count = 1; count <= connections; count *= connections) {
        before = now_used();
        all.open(from.local_endpoint().port, count);
        for (std::size_t i = 0; i < count; ++i) {
            auto peer = co_await from.accept();
            begin(std::move(peer.value()));
        }
        auto rested = co_await sleep_for(100ms);
        for (std::uint32_t i = 0; rested && count == 1 && i < shared_buffers; ++i) {
            all.say_again();
            rested = co_await sleep_for(100us);
        }
        if (!rested) co_return;
    }
    report(state, before, now_used());
    if (!all.were_answered()) state.SkipWithError("a client was not answered");
}

template <class Group, class Spawn>
task<int> with_group_of(benchmark::State& state, Spawn spawn) {
    kernel::network network{co_await current_scheduler()};
    auto from = network.listen(endpoint{ipv4_address{127, 0, 0, 1}, 0}, {.backlog = 4096});
    Group group{co_await current_environment()};
    for (auto _ : state) {
        co_await measure(state, *from, [&](tcp_stream peer) { spawn(group, std::move(peer)); });
    }
    (void)co_await group.join();
    co_return 0;
}

task<int> frames_of_coroutines(benchmark::State& state) {
    return with_group_of<task_group>(
        state, [](task_group& in, tcp_stream peer) { in.spawn(echo(std::move(peer))); });
}
task<int> frames_of_fibers(benchmark::State& state) {
    return with_group_of<fiber::group>(state, [](fiber::group& in, tcp_stream peer) {
        (void)in.spawn([taken = std::move(peer)]() mutable { echo_in_fiber(std::move(taken)); });
    });
}
task<int> frames_of_callbacks(benchmark::State& state) {
    return with_group_of<callback_group>(state, [](callback_group& in, tcp_stream peer) {
        (new echoing{in, std::move(peer)})->wait();
    });
}

void memory_weft(benchmark::State& state) { on_weft_loop(state, frames_of_coroutines); }
void memory_weft_fiber(benchmark::State& state) { on_weft_loop(state, frames_of_fibers); }
void memory_weft_callback(benchmark::State& state) { on_weft_loop(state, frames_of_callbacks); }
BENCHMARK(memory_weft)->Name("connection_bytes/weft")->Iterations(1);
BENCHMARK(memory_weft_fiber)->Name("connection_bytes/weft_fiber")->Iterations(1);
BENCHMARK(memory_weft_callback)->Name("connection_bytes/weft_callback")->Iterations(1);

#ifdef WEFT_HAS_ASIO
using asio::ip::tcp;

std::array<char, 4096> shared_buffer;

asio::awaitable<void> asio_echo(tcp::socket peer) {
    try {
        for (;;) {
            co_await peer.async_wait(tcp::socket::wait_read, asio::use_awaitable);
            const std::size_t count = peer.read_some(asio::buffer(shared_buffer));
            co_await asio::async_write(peer, asio::buffer(shared_buffer, count),
                                       asio::use_awaitable);
        }
    } catch (const std::system_error&) {
        // the peer has closed
    }
}

class asio_echoing : public std::enable_shared_from_this<asio_echoing> {
public:
    explicit asio_echoing(tcp::socket peer) : peer_{std::move(peer)} {}
    void wait() {
        peer_.async_wait(tcp::socket::wait_read,
                         [self = shared_from_this()](const asio::error_code& error) {
                             if (!error) self->answer();
                         });
    }

private:
    void answer() {
        asio::error_code error;
        const std::size_t count = peer_.read_some(asio::buffer(shared_buffer), error);
        if (error) return;
        asio::async_write(peer_, asio::buffer(shared_buffer, count),
                          [self = shared_from_this()](const asio::error_code& failed, std::size_t) {
                              if (!failed) self->wait();
                          });
    }
    tcp::socket peer_;
};

template <class Begin>
void measure_asio(benchmark::State& state, Begin begin) {
    asio::io_context io{1};
    tcp::acceptor from{io, tcp::endpoint{asio::ip::address_v4::loopback(), 0}};
    from.listen(4096);
    for (auto _ : state) {
        clients all;
        memory_use before;
        for (const std::size_t count : {std::size_t{1}, connections}) {
            before = now_used();
            all.open(from.local_endpoint().port(), count);
            for (std::size_t i = 0; i < count; ++i) begin(io, from.accept());
            io.run_for(100ms);
            io.restart();
        }
        report(state, before, now_used());
        if (!all.were_answered()) state.SkipWithError("a client was not answered");
    }
    io.run_for(100ms);  // they have closed
}

void memory_asio(benchmark::State& state) {
    measure_asio(state, [](asio::io_context& io, tcp::socket peer) {
        asio::co_spawn(io, asio_echo(std::move(peer)), asio::detached);
    });
}
void memory_asio_callback(benchmark::State& state) {
    measure_asio(state, [](asio::io_context&, tcp::socket peer) {
        std::make_shared<asio_echoing>(std::move(peer))->wait();
    });
}
BENCHMARK(memory_asio)->Name("connection_bytes/asio")->Iterations(1);
BENCHMARK(memory_asio_callback)->Name("connection_bytes/asio_callback")->Iterations(1);
#endif

}  // namespace
}  // namespace weft::bench
