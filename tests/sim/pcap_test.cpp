#include "two_hosts.hpp"

#include <weft/net/io/pcap_writer.hpp>

#include <unistd.h>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

using namespace weft;
using namespace weft::sim::test;

namespace {

/// A file name of this process that goes when the test ends.
struct temporary_file {
    explicit temporary_file(const std::string& name)
        : path{(std::filesystem::temp_directory_path() /
                ("weft-" + std::to_string(::getpid()) + "-" + name))
                   .string()} {}
    ~temporary_file() { std::filesystem::remove(path); }
    std::string path;
};

std::string output_of(const std::string& command) {
    std::string text;
    FILE* pipe = ::popen(("{ " + command + "; } 2>/dev/null").c_str(), "r");
    if (pipe == nullptr) return text;
    std::array<char, 512> part{};
    while (std::fgets(part.data(), part.size(), pipe) != nullptr) text += part.data();
    ::pclose(pipe);
    return text;
}

task<> short_talk(net::host& client, net::host& server) {
    auto listening = server.listen(port);
    REQUIRE(listening.has_value());
    tcp_stream a;
    tcp_stream b;
    co_await when_all(connect_into(client, {server.address(), port}, a),
                      accept_into(*listening, b));
    (void)co_await when_all(write_and_shut_down(a, pattern(5000)), read_to_end(b),
                            write_and_shut_down(b, "fine"), read_to_end(a));
}

void record(const std::string& path, const sim::host_settings& settings) {
    sim::world world{7};
    net::host& client = world.add_recorded_host("10.0.0.1/24", path, settings);
    net::host& server = world.add_host("10.0.0.2/24", settings);
    world.connect(client, server, {.delay = 5ms});
    world.run(short_talk(client, server));
    world.run_for(2min);
}

}  // namespace

TEST_SUITE("sim.pcap") {
TEST_CASE("a recorded conversation is what tshark reads: handshake, checksums, directions, FINs") {
    if (std::system("command -v tshark >/dev/null 2>&1") != 0) {
        MESSAGE("skipped: no tshark");
        return;
    }
    using link_type = net::device_capabilities::link_type;
    for (const link_type link : {link_type::ethernet, link_type::raw_ip}) {
        for (const bool offloads : {false, true}) {
            CAPTURE(offloads);
            const temporary_file file{"talk.pcapng"};
            record(file.path, {.link = link, .offloads = offloads});
            const std::string tshark = "tshark -r " + file.path + " -o tcp.check_checksum:TRUE";
            const std::string flags =
                output_of(tshark + " -T fields -e tcp.flags -Y tcp.flags.syn==1");
            CHECK(flags == "0x0002\n0x0012\n");
            CHECK(output_of(tshark + " -Y tcp.flags.fin==1 | wc -l") == "2\n");
            CHECK(output_of(tshark + " -Y tcp.analysis.flags | wc -l") == "0\n");
            CHECK(output_of(tshark + " -Y _ws.malformed | wc -l") == "0\n");
            // 1: inbound, 2: outbound. The SYN leaves, its answer comes.
            const std::string ways = output_of(
                tshark + " -T fields -e frame.packet_flags_direction -Y tcp.flags.syn==1");
            CHECK(ways == "0x00000002\n0x00000001\n");
            // With offloads the device fills the sums in, behind the recorder.
            if (!offloads) CHECK(output_of(tshark + " -Y tcp.checksum.status==0 | wc -l") == "0\n");
            const std::string text =
                output_of(tshark + " -T fields -e tcp.len | awk '{ sum += $1 } END { print sum }'");
            CHECK(text == "5004\n");
        }
    }
}

TEST_CASE("a file that cannot be created is an error, not a crash") {
    sim::world world;
    net::memory_device device{world.scheduler(), {}};
    const auto made = net::pcap_writer::create("/nonexistent/x.pcapng", world.scheduler(), device);
    CHECK(made.error() == std::errc::no_such_file_or_directory);
}
}
