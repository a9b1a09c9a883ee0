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
#include <weft/when_all.hpp>

#include <array>
#include <chrono>
#include <cstdio>
#include <string>
#include <string_view>

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
};

constexpr std::uint16_t server_port = 7;
constexpr std::uint16_t client_port = 40000;

std::span<const std::byte> bytes_of(std::string_view text) {
    return std::as_bytes(std::span{text});
}

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

/// Asks, closes its direction, and reads the answer to the end.
template <class Stream>
weft::task<weft::result<std::string>> ask(Stream peer, std::string_view question) {
    const weft::result<void> asked = co_await peer.write_all(bytes_of(question));
    if (!asked) co_return asked.error();
    const weft::result<void> half_closed = co_await peer.shutdown();  // FIN-WAIT-2
    if (!half_closed) co_return half_closed.error();
    weft::result<std::string> answer = co_await read_to_end(peer);
    if (!answer) co_return answer.error();
    const weft::result<void> over = co_await peer.closed();  // TIME-WAIT
    if (!over) co_return over.error();
    co_return std::move(answer);
}

/// Reads the question to its end, answers, and closes too.
template <class Stream>
weft::task<weft::result<std::string>> answer(Stream peer, std::string_view text) {
    weft::result<std::string> question = co_await read_to_end(peer);  // CLOSE-WAIT
    if (!question) co_return question.error();
    const weft::result<void> answered = co_await peer.write_all(bytes_of(text));
    if (!answered) co_return answered.error();
    const weft::result<void> closed = co_await peer.shutdown();  // LAST-ACK, CLOSED
    if (!closed) co_return closed.error();
    co_return std::move(question);
}

/// Says its text and closes at once, so that the FINs of two such ends cross: CLOSING.
template <class Stream>
weft::task<weft::result<std::string>> say_and_close(Stream peer, std::string_view text) {
    const weft::result<void> said = co_await peer.write_all(bytes_of(text));
    if (!said) co_return said.error();
    auto [closed, heard] = co_await weft::when_all(peer.shutdown(), read_to_end(peer));
    if (!closed) co_return closed.error();
    if (!heard) co_return heard.error();
    const weft::result<void> over = co_await peer.closed();
    if (!over) co_return over.error();
    co_return std::move(*heard);
}

weft::task<weft::result<std::string>> run_client(net::host& on, net::endpoint remote,
                                                 const settings& options) {
    weft::result<net::tcp_stream> peer =
        co_await on.connect_from(net::endpoint{on.address(), client_port}, remote);
    if (!peer) co_return peer.error();
    if (options.simultaneous_close) co_return co_await say_and_close(std::move(*peer), "hello");
    co_return co_await ask(std::move(*peer), "what is the answer?");
}

weft::task<weft::result<std::string>> run_server(net::host& on, net::endpoint remote,
                                                 const settings& options) {
    weft::result<net::tcp_stream> peer = std::errc::not_connected;
    if (options.simultaneous_open) {
        peer = co_await on.connect_from(net::endpoint{on.address(), server_port}, remote);
    } else {
        weft::result<net::tcp_listener> listener = on.listen(server_port);
        if (!listener) co_return listener.error();
        peer = co_await listener->accept();
    }
    if (!peer) co_return peer.error();
    if (options.simultaneous_close) co_return co_await say_and_close(std::move(*peer), "hello too");
    co_return co_await answer(std::move(*peer), "forty-two");
}

weft::task<int> talk(net::host& client, net::host& server, const settings& options) {
    const net::endpoint here{client.address(), client_port};
    const net::endpoint there{server.address(), server_port};
    const auto [asked, heard] = co_await weft::when_all(run_client(client, there, options),
                                                        run_server(server, here, options));
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
    const auto delay = std::chrono::duration_cast<weft::duration>(
        std::chrono::duration<double, std::milli>{options.delay_ms});
    world.connect(client, server, {.loss = options.loss, .delay = delay});
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
