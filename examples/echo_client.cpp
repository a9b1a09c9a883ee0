// Talks to an echo server, over Weft's own TCP or the kernel's, and checks what comes back.
//
//     echo_client --net tap:name=weft0,addr=10.0.0.2/24 10.0.0.1:7 --text hello
//     echo_client --net kernel: 127.0.0.1:7777 --text hello
//
// Sends a text, so many bytes of a pattern, or stdin; closes its direction behind them, reads until
// the server closes too, and compares. One coroutine sends while another receives.

#include "common/command_line.hpp"
#include "common/network.hpp"
#include "common/pattern.hpp"

#include <weft/io/wait_fd.hpp>
#include <weft/stop.hpp>
#include <weft/when_all.hpp>
#include <weft/with_timeout.hpp>

#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <memory>
#include <string>

namespace {

struct settings {
    settings() = default;

    examples::network_options network;
    std::string server;
    std::string text;
    std::uint64_t bytes = 0;
    double timeout_seconds = 30;
    bool receives_only = false;

    [[nodiscard]] weft::duration timeout() const {
        return std::chrono::duration_cast<weft::duration>(
            std::chrono::duration<double>{timeout_seconds});
    }
    [[nodiscard]] bool sends_stdin() const { return text.empty() && bytes == 0; }
};

/// One conversation. Both coroutines refer to it.
struct conversation {
    explicit conversation(const settings& asked) : options{asked} {}

    const settings& options;
    examples::pattern pattern;
    std::array<std::byte, 64 * 1024> out;
    std::array<std::byte, 64 * 1024> in;
    std::uint64_t sent = 0;
    std::uint64_t received = 0;
    std::string echoed;  // of a text
    bool is_equal = true;
};

/// The next piece to send, at most as long as the buffer; an empty one is the end.
weft::task<weft::result<std::span<const std::byte>>> next_piece(conversation& here) {
    using piece = weft::result<std::span<const std::byte>>;
    const settings& options = here.options;
    if (options.receives_only) co_return piece{std::span<const std::byte>{}};
    if (!options.text.empty()) {
        const auto all = std::as_bytes(std::span{options.text});
        co_return piece{all.subspan(static_cast<std::size_t>(here.sent))};
    }
    if (options.bytes > 0) {
        const std::uint64_t left = options.bytes - here.sent;
        if (left == 0) co_return piece{std::span<const std::byte>{}};
        co_return piece{here.pattern.at(here.sent, std::min<std::uint64_t>(left, 64 * 1024))};
    }
    const weft::result<void> ready = co_await weft::wait_fd(STDIN_FILENO, weft::fd_event::readable);
    if (!ready) co_return ready.error();
    const ssize_t got = ::read(STDIN_FILENO, here.out.data(), here.out.size());
    if (got < 0) co_return std::error_code{errno, std::generic_category()};
    co_return piece{std::span<const std::byte>{here.out}.first(static_cast<std::size_t>(got))};
}

template <class Stream>
weft::task<weft::result<void>> send_all(Stream& server, conversation& here) {
    for (;;) {
        const auto piece = co_await next_piece(here);
        if (!piece) co_return piece.error();
        if (piece->empty()) break;
        const auto sent =
            co_await weft::with_timeout(here.options.timeout(), server.write_all(*piece));
        if (!sent) co_return sent.error();
        here.sent += piece->size();
    }
    co_return co_await weft::with_timeout(here.options.timeout(), server.shutdown());
}

void take(conversation& here, std::span<const std::byte> bytes) {
    if (here.options.sends_stdin() && !here.options.receives_only) {
        std::fwrite(bytes.data(), 1, bytes.size(), stdout);
        std::fflush(stdout);
    } else if (!here.options.text.empty()) {
        for (const std::byte b : bytes) here.echoed += static_cast<char>(b);
    } else if (!here.pattern.matches(here.received, bytes)) {
        here.is_equal = false;
    }
    here.received += bytes.size();
}

template <class Stream>
weft::task<weft::result<void>> receive_all(Stream& server, conversation& here) {
    for (;;) {
        // Nobody knows how long a person thinks before the next line.
        const weft::duration patience =
            here.options.sends_stdin() ? std::chrono::hours{24} : here.options.timeout();
        const auto got = co_await weft::with_timeout(patience, server.read_some(here.in));
        if (!got) co_return got.error();
        if (*got == 0) co_return weft::result<void>{};
        take(here, std::span<const std::byte>{here.in}.first(*got));
    }
}

bool is_as_expected(const conversation& here) {
    const settings& options = here.options;
    if (!options.text.empty()) return here.echoed == options.text;
    if (options.bytes > 0) return here.is_equal && here.received == options.bytes;
    return here.received == here.sent;
}

template <class Network>
weft::task<int> talk(Network& on, const settings& options) {
    const weft::endpoint remote = weft::endpoint::parse(options.server).value();
    auto server = co_await weft::with_timeout(options.timeout(), on.connect(remote));
    if (!server) throw std::runtime_error{options.server + ": " + server.error().message()};

    const auto here = std::make_unique<conversation>(options);
    const weft::instant begin = on.now();
    const auto [sent, received] =
        co_await weft::when_all(send_all(*server, *here), receive_all(*server, *here));
    const double seconds = std::chrono::duration<double>{on.now() - begin}.count();
    if (!received) throw std::runtime_error{options.server + ": " + received.error().message()};
    if (!sent) throw std::runtime_error{options.server + ": " + sent.error().message()};

    if (!options.text.empty()) std::printf("%s\n", here->echoed.c_str());
    const double megabits = static_cast<double>(here->sent + here->received) * 8 / 1e6;
    std::fprintf(stderr, "sent %llu bytes, received %llu, %.3f s, %.0f Mbit/s both ways: %s\n",
                 static_cast<unsigned long long>(here->sent),
                 static_cast<unsigned long long>(here->received), seconds,
                 seconds > 0 ? megabits / seconds : 0,
                 is_as_expected(*here) ? "as expected" : "NOT what was expected");
    co_return is_as_expected(*here) ? 0 : examples::exit_failed;
}

}  // namespace

int main(int argc, char** argv) {
    settings options;
    CLI::App app{"Talks to an echo server, over Weft's own TCP or the kernel's.", "echo_client"};
    app.add_option("server", options.server, "where to connect to")
        ->required()
        ->type_name("ADDRESS:PORT")
        ->check([](const std::string& text) {
            return weft::endpoint::parse(text) ? std::string{}
                                               : "'" + text + "' is no ADDRESS:PORT";
        });
    auto* text = app.add_option("--text", options.text, "send this; without it, stdin");
    app.add_option("--bytes", options.bytes, "send so many bytes of a pattern")->excludes(text);
    app.add_flag("--receive-only", options.receives_only,
                 "send nothing: read --bytes of the pattern, from echo_server --mode chargen");
    app.add_option("--timeout", options.timeout_seconds, "seconds without progress")
        ->capture_default_str()
        ->check(CLI::PositiveNumber);
    examples::add_network_options(app, options.network);
    if (const auto status = examples::parse_command_line(app, argc, argv)) return *status;
    return examples::run_program("echo_client", [&options] {
        return examples::run_on_network(
            options.network, [](auto& on, const settings* asked) { return talk(on, *asked); },
            &options);
    });
}
