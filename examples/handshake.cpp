// A whole connection between two hosts in a simulation, drawn as a ladder: the three-way handshake,
// data, a half-close, data the other way, and the end. Needs no root, no network and no time.
//
//     handshake
//     handshake --loss 0.2 --seed 7
//     handshake --simultaneous-open --simultaneous-close
//
// Client and server are coroutines over any stream; the same seed gives the same picture.

#include "common/command_line.hpp"

#include <weft/net/ladder.hpp>
#include <weft/sim/world.hpp>
#include <weft/sleep.hpp>
#include <weft/when_all.hpp>

#include <array>
#include <chrono>
#include <cstdio>
#include <string>
#include <string_view>
#include <type_traits>

namespace {

namespace net = weft::net;

struct settings {
    settings() = default;

    std::uint64_t seed = 1;
    double loss = 0;
    double delay_ms = 10;
    bool simultaneous_open = false;
    bool simultaneous_close = false;
    bool ascii = false;
    std::string pcap;

    [[nodiscard]] weft::duration delay() const {
        return std::chrono::duration_cast<weft::duration>(
            std::chrono::duration<double, std::milli>{delay_ms});
    }
};

constexpr std::uint16_t server_port = 7;
constexpr std::uint16_t client_port = 40000;

std::span<const std::byte> bytes_of(std::string_view text) {
    return std::as_bytes(std::span{text});
}

constexpr std::string_view question = "what is the answer?";
constexpr std::string_view answer = "forty-two";
constexpr std::string_view farewell = "that was all";

/// When what happens, so that every step has its own line in the picture.
struct script {
    weft::duration pause;    ///< longer than a round trip and a delayed ACK
    weft::instant close_at;  ///< of a simultaneous close
    bool closes_simultaneously;
};
static_assert(std::is_trivially_destructible_v<script>);

template <class Stream>
weft::task<weft::result<std::string>> read_to_end(Stream& peer) {
    std::string all;
    std::array<std::byte, 256> bytes;
    for (;;) {
        const weft::result<std::size_t> got = co_await peer.read_some(bytes);
        if (!got) co_return got.error();
        if (*got == 0) co_return std::move(all);
        all.append(reinterpret_cast<const char*>(bytes.data()), *got);
    }
}

/// Reads as many bytes as `expected` has.
template <class Stream>
weft::task<weft::result<std::string>> read_text(Stream& peer, std::string_view expected) {
    std::string text(expected.size(), ' ');
    const weft::result<void> got =
        co_await peer.read_exactly(std::as_writable_bytes(std::span{text}));
    if (!got) co_return got.error();
    co_return std::move(text);
}

/// Closes at a moment that the other end chose too, so that the FINs cross: CLOSING.
template <class Stream>
weft::task<weft::result<void>> close_at(Stream& peer, weft::instant when) {
    (void)co_await weft::sleep_until(when);
    const weft::result<void> closed = co_await peer.shutdown();
    if (!closed) co_return closed.error();
    co_return co_await peer.closed();
}

/// Asks, hears the answer, closes its direction, and listens until the other end closes too.
template <class Stream>
weft::task<weft::result<std::string>> be_client(Stream peer, script timing) {
    const weft::result<void> asked = co_await peer.write_all(bytes_of(question));
    if (!asked) co_return asked.error();
    weft::result<std::string> heard = co_await read_text(peer, answer);
    if (!heard) co_return heard.error();
    if (timing.closes_simultaneously) {
        const weft::result<void> closed = co_await close_at(peer, timing.close_at);
        if (!closed) co_return closed.error();
        co_return std::move(heard);
    }
    (void)co_await weft::sleep_for(timing.pause);
    const weft::result<void> half_closed = co_await peer.shutdown();  // FIN-WAIT-1, FIN-WAIT-2
    if (!half_closed) co_return half_closed.error();
    const weft::result<std::string> rest = co_await read_to_end(peer);
    if (!rest) co_return rest.error();
    const weft::result<void> over = co_await peer.closed();  // TIME-WAIT
    if (!over) co_return over.error();
    co_return *heard + ", and after its own FIN: " + *rest;
}

/// Hears the question, answers, sees the client close, says one thing more, and closes too.
template <class Stream>
weft::task<weft::result<std::string>> be_server(Stream peer, script timing) {
    weft::result<std::string> heard = co_await read_text(peer, question);
    if (!heard) co_return heard.error();
    const weft::result<void> answered = co_await peer.write_all(bytes_of(answer));
    if (!answered) co_return answered.error();
    if (timing.closes_simultaneously) {
        const weft::result<void> closed = co_await close_at(peer, timing.close_at);
        if (!closed) co_return closed.error();
        co_return std::move(heard);
    }
    const weft::result<std::string> end = co_await read_to_end(peer);  // CLOSE-WAIT
    if (!end) co_return end.error();
    (void)co_await weft::sleep_for(timing.pause);
    const weft::result<void> said = co_await peer.write_all(bytes_of(farewell));
    if (!said) co_return said.error();
    (void)co_await weft::sleep_for(timing.pause);
    const weft::result<void> closed = co_await peer.shutdown();  // LAST-ACK, CLOSED
    if (!closed) co_return closed.error();
    co_return std::move(heard);
}

weft::task<weft::result<std::string>> run_client(net::host& on, net::endpoint remote,
                                                 script timing) {
    weft::result<net::tcp_stream> peer =
        co_await on.connect_from(net::endpoint{on.address(), client_port}, remote);
    if (!peer) co_return peer.error();
    co_return co_await be_client(std::move(*peer), timing);
}

weft::task<weft::result<std::string>> run_server(net::host& on, net::endpoint remote,
                                                 const settings& options, script timing) {
    weft::result<net::tcp_stream> peer = std::errc::not_connected;
    if (options.simultaneous_open) {
        peer = co_await on.connect_from(net::endpoint{on.address(), server_port}, remote);
    } else {
        weft::result<net::tcp_listener> listener = on.listen(server_port);
        if (!listener) co_return listener.error();
        peer = co_await listener->accept();
    }
    if (!peer) co_return peer.error();
    co_return co_await be_server(std::move(*peer), timing);
}

weft::task<int> talk(net::host& client, net::host& server, const settings& options) {
    const net::endpoint here{client.address(), client_port};
    const net::endpoint there{server.address(), server_port};
    const weft::duration delay = options.delay();
    const script timing{4 * delay + std::chrono::milliseconds{50},
                        client.now() + 20 * delay + std::chrono::milliseconds{200},
                        options.simultaneous_close};
    const auto [asked, heard] = co_await weft::when_all(run_client(client, there, timing),
                                                        run_server(server, here, options, timing));
    if (!asked) throw std::runtime_error{"client: " + asked.error().message()};
    if (!heard) throw std::runtime_error{"server: " + heard.error().message()};
    std::printf("the server heard: %s\nthe client heard: %s\n\n", heard->c_str(), asked->c_str());
    co_return 0;
}

int show(const settings& options) {
    weft::sim::world world{options.seed};
    net::host& client = options.pcap.empty() ? world.add_host("10.0.0.1/24")
                                             : world.add_recorded_host("10.0.0.1/24", options.pcap);
    net::host& server = world.add_host("10.0.0.2/24");
    world.connect(client, server, {.loss = options.loss, .delay = options.delay()});
    net::ladder picture{{.ascii = options.ascii}};
    client.observe(&picture);
    server.observe(&picture);
    const int status = world.run(talk(client, server, options));
    world.run_for(std::chrono::minutes{5});  // until TIME-WAIT is over
    std::printf("%s", picture.render().c_str());
    client.observe(nullptr);
    server.observe(nullptr);
    return status;
}

}  // namespace

int main(int argc, char** argv) {
    settings options;
    CLI::App app{"Draws a TCP connection between two simulated hosts, state by state.",
                 "handshake"};
    app.add_option("--seed", options.seed, "of everything that is random")->capture_default_str();
    app.add_option("--loss", options.loss, "the share of frames that is lost, 0 to 0.9")
        ->capture_default_str()
        ->check(CLI::Range(0.0, 0.9));
    app.add_option("--delay", options.delay_ms, "milliseconds from one host to the other")
        ->capture_default_str()
        ->check(CLI::Range(0.0, 10000.0));
    app.add_flag("--simultaneous-open", options.simultaneous_open, "both hosts connect");
    app.add_flag("--simultaneous-close", options.simultaneous_close, "both hosts close at once");
    app.add_flag("--ascii", options.ascii, "draw with plain ASCII");
    app.add_option("--pcap", options.pcap, "record the client's frames to FILE, for Wireshark")
        ->type_name("FILE");
    if (const auto status = examples::parse_command_line(app, argc, argv)) return *status;
    return examples::run_program("handshake", [&options] { return show(options); });
}
