#include "common/network.hpp"

#include <weft/io/signals.hpp>
#include <weft/log.hpp>
#include <weft/stop.hpp>

#include <net/if.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>

namespace examples {
namespace {

namespace net = weft::net;

/// What CLI11 is to complain about; empty when the text is good.
std::string check_prefix(const std::string& text) {
    const auto prefix = net::ip_prefix::parse(text);
    if (prefix && prefix->address().is_v4() && prefix->address().v4().is_unicast()) return {};
    return "'" + text + "' is no IPv4 address with a prefix length, as in 10.0.0.2/24";
}

std::string check_address(const std::string& text) {
    const auto address = net::ip_address::parse(text);
    if (address && address->is_v4()) return {};
    return "'" + text + "' is no IPv4 address";
}

std::string check_log(const std::string& text) {
    const weft::log::level_rules rules = weft::log::parse_levels(text);
    return rules.problem;
}

std::unique_ptr<net::tap_device> open_tap(weft::io_context& io, const network_options& options) {
    const bool existed = ::if_nametoindex(options.tap.c_str()) != 0;
    weft::result<std::unique_ptr<net::tap_device>> opened =
        net::tap_device::open(io, {.name = options.tap, .segmentation_in = !options.plain});
    if (!opened) throw cannot_start{options.tap + ": " + opened.error().message()};
    if (!existed) {
        const std::string& name = (*opened)->name();
        std::fprintf(stderr,
                     "made the interface %s; give the kernel's end of it an address, as root: "
                     "ip addr add 10.0.0.1/24 dev %s && ip link set %s up\n",
                     name.c_str(), name.c_str(), name.c_str());
    }
    return std::move(*opened);
}

net::host_options host_options_of(const network_options& options, const net::tap_device& tap) {
    net::host_options made;
    made.address = net::ip_prefix::parse(options.address).value();
    if (!options.gateway.empty()) made.gateway = net::ip_address::parse(options.gateway).value();
    made.mac = tap.stack_address();
    return made;
}

}  // namespace

void add_network_options(CLI::App& app, network_options& options) {
    app.add_option("--tap", options.tap, "the TAP interface; made when it does not exist")
        ->capture_default_str()
        ->type_name("NAME");
    app.add_option("--address", options.address, "our IPv4 address and its network")
        ->capture_default_str()
        ->type_name("ADDRESS/LENGTH")
        ->check(check_prefix);
    app.add_option("--gateway", options.gateway, "where packets for other networks go")
        ->type_name("ADDRESS")
        ->check(check_address);
    using net::tcp::congestion_algorithm;
    app.add_option("--congestion", options.congestion, "cubic, new_reno or bbr; default cubic")
        ->transform(CLI::CheckedTransformer(std::map<std::string, congestion_algorithm>{
            {"cubic", congestion_algorithm::cubic},
            {"new_reno", congestion_algorithm::new_reno},
            {"bbr", congestion_algorithm::bbr}}))
        ->type_name("NAME");
    app.add_option("--buffer", options.buffer_kib,
                   "of each connection, for sending and as much for receiving; else the stack's")
        ->type_name("KIB")
        ->check(CLI::Range(1U, 1U << 20));
    app.add_option("--pcap", options.pcap, "record every frame to FILE, for Wireshark")
        ->type_name("FILE");
    app.add_flag("--stats", options.stats,
                 "print the stack's counters, by name, at the end and on SIGUSR1");
    app.add_option("--ladder", options.ladders,
                   "print the last N connections at the end, segment by segment and state by state")
        ->type_name("N")
        ->expected(0, 1)
        ->default_str("1");
    app.add_flag("--no-offload", options.plain,
                 "have the kernel cut large segments, so that every frame fits the MTU");
    app.add_option("--log", options.log, "log levels, as in info,tcp=debug (or set WEFT_LOG)")
        ->type_name("LEVELS")
        ->check(check_log);
}

network::network(weft::io_context& io, const network_options& options) : options_{options} {
    if (!options.log.empty()) weft::log::set_levels(weft::log::parse_levels(options.log));
    tap_ = open_tap(io, options);
    net::device* device = tap_.get();
    if (!options.pcap.empty()) {
        weft::result<std::unique_ptr<net::pcap_writer>> recorder = net::pcap_writer::create(
            options.pcap, io, *tap_, net::pcap_writer::wall_clock_origin(io), tap_->name());
        if (!recorder) throw cannot_start{options.pcap + ": " + recorder.error().message()};
        pcap_ = std::move(*recorder);
        device = pcap_.get();
    }
    host_ = std::make_unique<net::host>(io, *device, host_options_of(options, *tap_));
    if (options.ladders > 0) {
        ladder_ = std::make_unique<net::ladder>(
            net::ladder_options{.max_conversations = options.ladders});
        host_->observe(ladder_.get());
    }
}

network::~network() {
    host_->observe(nullptr);
    if (ladder_ != nullptr) {
        for (std::size_t i =
                 ladder_->size() - std::min<std::size_t>(ladder_->size(), options_.ladders);
             i < ladder_->size(); ++i) {
            std::printf("%s\n", ladder_->render(i).c_str());
        }
        std::fflush(stdout);
    }
    if (options_.stats) print_counters();
}

net::tcp::connection_options network::with_wishes(
    net::tcp::connection_options connection) const noexcept {
    connection.congestion = options_.congestion;
    if (options_.buffer_kib != 0) {
        connection.send_buffer_bytes = connection.receive_buffer_bytes = options_.buffer_kib * 1024;
    }
    return connection;
}

net::tcp_listener network::listen(std::uint16_t port, net::tcp::listen_options options) {
    options.connection = with_wishes(options.connection);
    weft::result<net::tcp_listener> opened = host_->listen(port, options);
    if (!opened) {
        throw cannot_start{"cannot listen on port " + std::to_string(port) + ": " +
                           opened.error().message()};
    }
    return std::move(*opened);
}

weft::task<> network::stop() { co_await host_->stop(host_->now() + std::chrono::seconds{5}); }

void network::print_counters() const {
    std::fprintf(stderr, "counters of %s:\n", options_.address.c_str());
    host_->counters().for_each([](std::string_view name, std::uint64_t value) {
        if (value == 0) return;
        std::fprintf(stderr, "  %-28.*s %12llu\n", static_cast<int>(name.size()), name.data(),
                     static_cast<unsigned long long>(value));
    });
}

weft::task<void> network::print_counters_on_signal() {
    weft::signal_set signals{SIGUSR1};
    while (co_await signals.next()) print_counters();
}

}  // namespace examples
