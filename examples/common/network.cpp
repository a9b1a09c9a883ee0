#include "common/network.hpp"

#include <weft/log.hpp>

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

std::string check_net(const std::string& text) { return net::network_spec::parse(text).problem(); }

}  // namespace

void add_network_options(CLI::App& app, network_options& options) {
    CLI::Option* const spec =
        app.add_option("--net", options.net,
                       "kernel: (the system's sockets), or tap:name=NAME,addr=ADDRESS/LENGTH,"
                       "gw=ADDRESS (Weft's own stack); the options below stand for its parts")
            ->type_name("SPEC")
            ->check(check_net);
    app.add_option("--tap", options.tap, "the TAP interface; made when it does not exist")
        ->capture_default_str()
        ->excludes(spec)
        ->type_name("NAME");
    app.add_option("--address", options.address, "our IPv4 address and its network")
        ->capture_default_str()
        ->excludes(spec)
        ->type_name("ADDRESS/LENGTH")
        ->check(check_prefix);
    app.add_option("--gateway", options.gateway, "where packets for other networks go")
        ->excludes(spec)
        ->type_name("ADDRESS")
        ->check(check_address);
    using net::tcp::congestion_algorithm;
    app.add_option("--congestion", options.congestion, "cubic, new_reno or bbr; default cubic")
        ->transform(CLI::CheckedTransformer(std::map<std::string, congestion_algorithm>{
            {"cubic", congestion_algorithm::cubic},
            {"new_reno", congestion_algorithm::new_reno},
            {"bbr", congestion_algorithm::bbr}}))
        ->each([&options](const std::string&) { options.congestion_is_asked_for = true; })
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

net::network_spec network_options::spec() const {
    if (!log.empty()) weft::log::set_levels(weft::log::parse_levels(log));
    net::network_spec made;
    if (!net.empty()) {
        made = weft::net::network_spec::parse(net);
    } else {
        std::string text = "tap:name=" + tap + ",addr=" + address;
        if (!gateway.empty()) text += ",gw=" + gateway;
        made = weft::net::network_spec::parse(text);
    }
    if (!made.problem().empty()) throw cannot_start{made.problem()};
    if (made.on == weft::net::network_spec::kind::kernel) {
        const char* const needs_ours = !pcap.empty()             ? "--pcap"
                                       : ladders > 0             ? "--ladder"
                                       : congestion_is_asked_for ? "--congestion"
                                       : plain                   ? "--no-offload"
                                                                 : nullptr;
        if (needs_ours != nullptr) {
            throw cannot_start{std::string{needs_ours} + " needs Weft's own stack, not kernel:"};
        }
    }
    made.pcap = pcap;
    if (plain) made.offload = false;
    return made;
}

bool is_interface(const std::string& name) { return ::if_nametoindex(name.c_str()) != 0; }

void tell_of_new_tap(const std::string& name) {
    std::fprintf(stderr,
                 "made the interface %s; give the kernel's end of it an address, as root: "
                 "ip addr add 10.0.0.1/24 dev %s && ip link set %s up\n",
                 name.c_str(), name.c_str(), name.c_str());
}

void print_ladders(const net::ladder& of, std::uint32_t count) {
    for (std::size_t i = of.size() - std::min<std::size_t>(of.size(), count); i < of.size(); ++i) {
        std::printf("%s\n", of.render(i).c_str());
    }
    std::fflush(stdout);
}

void check_for_cores(const network_options& options) {
    const char* const needs_one = !options.pcap.empty() ? "--pcap"
                                  : options.ladders > 0 ? "--ladder"
                                                        : nullptr;
    if (needs_one != nullptr) throw cannot_start{std::string{needs_one} + " needs --threads 1"};
}

}  // namespace examples
