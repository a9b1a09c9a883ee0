// A TAP against the kernel, in a network namespace of its own (skipped, with a message, where that
// is not possible).
//
// Each case runs on a thread that moves itself into a new namespace, so nothing outside is touched
// and everything goes when the thread ends. Frames are put together by hand: no stack is involved.
#include <doctest/doctest.h>
#include <weft/io/io_context.hpp>
#include <weft/net/io/tap_device.hpp>
#include <weft/net/io/tap_error.hpp>

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace weft::net;
using bytes = std::vector<std::uint8_t>;

constexpr std::array<std::uint8_t, 4> kernel_ip{10, 9, 8, 1};
constexpr std::array<std::uint8_t, 4> our_ip{10, 9, 8, 2};

/// Runs `body` in a fresh network namespace; says so when it cannot.
void in_own_namespace(const std::function<void()>& body) {
    if (const int fd = ::open("/dev/net/tun", O_RDWR | O_CLOEXEC); fd >= 0) {
        ::close(fd);
    } else {
        MESSAGE("skipped: /dev/net/tun cannot be opened");
        return;
    }
    bool moved = true;
    std::exception_ptr failure;
    std::thread{[&] {
        moved = ::unshare(CLONE_NEWNET) == 0;
        try {
            if (moved) body();
        } catch (...) {
            failure = std::current_exception();  // a REQUIRE that did not hold
        }
    }}.join();
    if (failure) std::rethrow_exception(failure);
    if (!moved) MESSAGE("skipped: no network namespace for us; try `unshare -rn`");
}

/// ioctl on an interface of this thread's namespace.
void configure(const std::string& name, unsigned long what, ifreq request = {}) {
    std::ranges::copy(name, request.ifr_name);
    const int fd = ::socket(AF_INET, SOCK_DGRAM, 0);
    REQUIRE(::ioctl(fd, what, &request) == 0);
    ::close(fd);
}

void set_mtu(const std::string& name, int mtu) {
    ifreq request{};
    request.ifr_mtu = mtu;
    configure(name, SIOCSIFMTU, request);
}

void bring_up(const std::string& name) {
    ifreq request{};
    sockaddr_in address{};
    address.sin_family = AF_INET;
    std::memcpy(&address.sin_addr, kernel_ip.data(), 4);
    std::memcpy(&request.ifr_addr, &address, sizeof address);
    configure(name, SIOCSIFADDR, request);
    const std::array<std::uint8_t, 4> mask{255, 255, 255, 0};
    std::memcpy(&address.sin_addr, mask.data(), 4);
    std::memcpy(&request.ifr_netmask, &address, sizeof address);
    configure(name, SIOCSIFNETMASK, request);
    ifreq flags{};
    flags.ifr_flags = IFF_UP | IFF_RUNNING;
    configure(name, SIOCSIFFLAGS, flags);
}

struct received {
    bytes frame;
    rx_offload offload;
};

/// Keeps every frame.
struct collector final : device_client {
    void on_frame(slice frame, const rx_offload& offload, weft::instant) noexcept override {
        const auto all = frame.bytes();
        const auto* first = reinterpret_cast<const std::uint8_t*>(all.data());
        frames.push_back({bytes(first, first + all.size()), offload});
    }
    void on_slot_available() noexcept override { ++slots_available; }
    void on_frame_refused() noexcept override { ++refused; }

    std::vector<received> frames;
    int slots_available = 0;
    int refused = 0;
};

/// A loop, a TAP that is up, and who listens on it.
struct bench {
    explicit bench(tap_options options = {}) {
        auto opened = tap_device::open(io, options);
        REQUIRE_MESSAGE(opened, opened.error().message());
        tap = *std::move(opened);
    }
    void start() { tap->start(client, pool); }

    bool send(const bytes& frame, tx_offload offload = {}) {
        tx_slot* slot = tap->acquire_slot();
        if (slot == nullptr) return false;
        const std::size_t in_headers = std::min<std::size_t>(frame.size(), 54);
        std::memcpy(slot->headers.data(), frame.data(), in_headers);
        slot->header_bytes = static_cast<std::uint32_t>(in_headers);
        if (frame.size() > in_headers) {
            slice payload = pool.allocate_for(frame.size() - in_headers);
            payload.extend(static_cast<std::uint32_t>(frame.size() - in_headers));
            std::memcpy(payload.data(), frame.data() + in_headers, payload.size());
            slot->append(std::move(payload));
        }
        slot->offload = offload;
        tap->submit(*slot);
        return true;
    }

    /// Turns the loop until `done` or, at the latest, for five seconds.
    bool turn_until(const std::function<bool()>& done) {
        for (const auto end = io.now() + 5s; !done() && io.now() < end;) {
            io.run_until(io.now() + 2ms);
        }
        return done();
    }
    const received* first(const std::function<bool(const bytes&)>& which) {
        const received* found = nullptr;
        turn_until([&] {
            const auto at = std::ranges::find_if(
                client.frames, [&](const received& one) { return which(one.frame); });
            found = at == client.frames.end() ? nullptr : &*at;
            return found != nullptr;
        });
        return found;
    }

    weft::io_context io;
    block_pool pool;
    collector client;
    std::unique_ptr<tap_device> tap;
};

/// Frames that have come out of the TAP at the kernel's end, as its own counter says.
int frames_at_kernel(const std::string& name) {
    std::ifstream table{"/proc/thread-self/net/dev"};
    for (std::string line; std::getline(table, line);) {
        const auto colon = line.find(name + ':');
        int octets = 0;
        int packets = 0;
        if (colon == std::string::npos) continue;
        std::istringstream{line.substr(colon + name.size() + 1)} >> octets >> packets;
        return packets;
    }
    return -1;
}

void append(bytes& to, std::initializer_list<int> values) {
    for (const int value : values) to.push_back(static_cast<std::uint8_t>(value));
}
void append(bytes& to, std::span<const std::uint8_t> values) {
    to.insert(to.end(), values.begin(), values.end());
}

bytes arp_request(const mac_address& from) {
    bytes frame(6, 0xff);
    append(frame, from.bytes());
    append(frame, {8, 6, 0, 1, 8, 0, 6, 4, 0, 1});
    append(frame, from.bytes());
    append(frame, our_ip);
    append(frame, {0, 0, 0, 0, 0, 0});
    append(frame, kernel_ip);
    return frame;
}

bool is_arp_reply(const bytes& frame) {
    return frame.size() >= 42 && frame[12] == 8 && frame[13] == 6 && frame[21] == 2;
}

std::uint16_t sum(std::span<const std::uint8_t> data, std::uint32_t total = 0) {
    for (std::size_t i = 0; i + 1 < data.size(); i += 2) {
        total += static_cast<std::uint32_t>(data[i] << 8 | data[i + 1]);
    }
    if (data.size() % 2 != 0) total += static_cast<std::uint32_t>(data.back() << 8);
    while (total > 0xffff) total = (total & 0xffff) + (total >> 16);
    return static_cast<std::uint16_t>(total);
}

void put_u16(bytes& frame, std::size_t at, unsigned value) {
    frame[at] = static_cast<std::uint8_t>(value >> 8);
    frame[at + 1] = static_cast<std::uint8_t>(value);
}

/// Ethernet and IPv4 headers for `payload_bytes` behind them.
bytes packet(const mac_address& to, const mac_address& from, int protocol,
             std::size_t payload_bytes) {
    bytes frame;
    append(frame, to.bytes());
    append(frame, from.bytes());
    append(frame, {8, 0, 0x45, 0, 0, 0, 0, 1, 0, 0, 64, protocol, 0, 0});
    append(frame, our_ip);
    append(frame, kernel_ip);
    put_u16(frame, 16, static_cast<unsigned>(20 + payload_bytes));
    put_u16(frame, 24, static_cast<std::uint16_t>(~sum(std::span{frame}.subspan(14, 20))));
    frame.resize(34 + payload_bytes);
    return frame;
}

bytes ping(const mac_address& to, const mac_address& from, std::size_t payload_bytes) {
    bytes frame = packet(to, from, 1, 8 + payload_bytes);
    frame[34] = 8;
    frame[41] = 7;  // sequence
    for (std::size_t i = 42; i < frame.size(); ++i) frame[i] = static_cast<std::uint8_t>(i);
    put_u16(frame, 36, static_cast<std::uint16_t>(~sum(std::span{frame}.subspan(34))));
    return frame;
}

bool is_echo_reply(const bytes& frame) {
    return frame.size() >= 42 && frame[12] == 8 && frame[13] == 0 && frame[23] == 1 &&
           frame[34] == 0 && frame[41] == 7;
}

/// The kernel's MAC, as its ARP reply tells it.
mac_address resolve(bench& on) {
    on.send(arp_request(on.tap->stack_address()));
    const received* reply = on.first(&is_arp_reply);
    REQUIRE(reply != nullptr);
    std::array<std::uint8_t, 6> mac{};
    std::copy_n(reply->frame.begin() + 22, 6, mac.begin());
    return mac_address{mac};
}

}  // namespace

TEST_SUITE("sim.tap") {
TEST_CASE("the kernel answers our ARP request and our ping") {
    in_own_namespace([] {
        bench on;
        bring_up(on.tap->name());
        on.start();
        const mac_address kernel = resolve(on);
        CHECK(kernel != on.tap->stack_address());
        CHECK_FALSE(on.tap->stack_address().is_multicast());
        CHECK((on.tap->stack_address().bytes()[0] & 2) != 0);

        const bytes request = ping(kernel, on.tap->stack_address(), 1000);
        on.send(request);
        const received* reply = on.first(&is_echo_reply);
        REQUIRE(reply != nullptr);
        CHECK(reply->frame.size() == request.size());
        CHECK(std::equal(reply->frame.begin() + 42, reply->frame.end(), request.begin() + 42));
        CHECK_FALSE(reply->offload.truncated);
    });
}

TEST_CASE("pings in a row are all answered, in order of sending") {
    in_own_namespace([] {
        bench on{{.writes = 8}};
        bring_up(on.tap->name());
        on.start();
        const mac_address kernel = resolve(on);
        on.client.frames.clear();
        constexpr std::size_t count = 300;
        std::size_t sent = 0;
        const bool all = on.turn_until([&] {
            while (sent < count) {
                bytes frame = ping(kernel, on.tap->stack_address(), sent);
                if (!on.send(frame)) break;
                ++sent;
            }
            return std::ranges::count_if(on.client.frames, [](const received& one) {
                       return is_echo_reply(one.frame);
                   }) == count;
        });
        CHECK(all);
        CHECK(on.client.slots_available > 0);  // eight slots: there was none at times
        std::size_t expected = 42;
        for (const received& one : on.client.frames) {
            if (!is_echo_reply(one.frame)) continue;
            CHECK(one.frame.size() == expected++);
        }
    });
}

TEST_CASE("a frame that the kernel has not summed is vouched for, and one it sums is accepted") {
    in_own_namespace([] {
        bench on;
        bring_up(on.tap->name());
        on.start();
        const mac_address kernel = resolve(on);

        // A SYN to a port nobody listens on; the kernel is to fill in its checksum.
        bytes frame = packet(kernel, on.tap->stack_address(), 6, 20);
        put_u16(frame, 34, 4000);
        put_u16(frame, 36, 9);
        frame[46] = 0x50;
        frame[47] = 2;
        std::uint32_t pseudo = 6 + 20;
        pseudo += sum(our_ip);
        pseudo += sum(kernel_ip);
        put_u16(frame, 50, sum({}, pseudo));
        on.send(frame, {.needs_checksum = true, .checksum_start = 34, .checksum_offset = 16});

        const received* reset = on.first([](const bytes& one) {
            return one.size() >= 54 && one[23] == 6 && one[36] == 4000 >> 8 && (one[47] & 4) != 0;
        });
        REQUIRE(reset != nullptr);  // a wrong sum would have been dropped in silence
        CHECK(reset->frame.size() == 54);
    });
}

TEST_CASE("a segment larger than the MTU is cut by the kernel") {
    in_own_namespace([] {
        bench on;
        bring_up(on.tap->name());
        on.start();
        const mac_address kernel = resolve(on);
        const int peer = ::socket(AF_INET, SOCK_RAW | SOCK_NONBLOCK, IPPROTO_TCP);
        REQUIRE(peer >= 0);

        bytes frame = packet(kernel, on.tap->stack_address(), 6, 20 + 4000);
        put_u16(frame, 34, 4000);
        put_u16(frame, 36, 9);
        frame[46] = 0x50;
        frame[47] = 0x10;
        std::uint32_t pseudo = 6 + 20 + 4000;
        pseudo += sum(our_ip);
        pseudo += sum(kernel_ip);
        put_u16(frame, 50, sum({}, pseudo));
        on.send(frame, {.needs_checksum = true,
                        .checksum_start = 34,
                        .checksum_offset = 16,
                        .segment_bytes = 1000});

        // A raw socket sees what arrived, before or after the cut: its text is what counts.
        std::size_t text = 0;
        on.turn_until([&] {
            std::array<std::uint8_t, 8192> into{};
            for (;;) {
                const auto got = ::recv(peer, into.data(), into.size(), 0);
                if (got < 40) break;
                text += static_cast<std::size_t>(got) - 40;
            }
            return text >= 4000;
        });
        CHECK(text == 4000);
        CHECK(on.client.refused == 0);
        ::close(peer);
    });
}

TEST_CASE("a frame longer than its block is marked as truncated, and the next blocks are larger") {
    in_own_namespace([] {
        bench on;
        bring_up(on.tap->name());
        on.start();
        const mac_address kernel = resolve(on);
        set_mtu(on.tap->name(), 9000);
        CHECK(on.tap->capabilities().mtu == 1500);

        on.send(ping(kernel, on.tap->stack_address(), 8000));
        CHECK(on.turn_until([&] { return on.tap->statistics().truncated == 1; }));
        // The kernel may have said something else since.
        CHECK(std::ranges::any_of(on.client.frames,
                                  [](const received& each) { return each.offload.truncated; }));
        CHECK(on.tap->capabilities().mtu == 9000);

        for (int i = 0; i < 8; ++i) on.send(ping(kernel, on.tap->stack_address(), 8000));
        const received* reply = on.first([](const bytes& frame) { return frame.size() == 8042; });
        REQUIRE(reply != nullptr);
        CHECK_FALSE(reply->offload.truncated);
    });
}

TEST_CASE("an interface that is down refuses frames, which are counted and not lost sight of") {
    in_own_namespace([] {
        bench on;
        on.start();
        on.send(arp_request(on.tap->stack_address()));
        CHECK(on.turn_until([&] { return on.client.refused == 1; }));
        CHECK(on.tap->statistics().refused == 1);
    });
}

TEST_CASE("without memory frames are dropped and counted, and reading goes on after") {
    in_own_namespace([] {
        bench on;
        bring_up(on.tap->name());
        block_pool small{6 * static_cast<std::size_t>(block_size::small)};
        std::vector<slice> hoard;
        on.tap->start(on.client, small);
        while (slice block = small.allocate(block_size::small)) hoard.push_back(std::move(block));
        CHECK(hoard.size() == 2);
        on.send(arp_request(on.tap->stack_address()));
        CHECK(on.turn_until([&] { return on.tap->statistics().dropped_memory > 0; }));
        hoard.clear();
        on.client.frames.clear();
        on.send(arp_request(on.tap->stack_address()));
        CHECK(on.first(&is_arp_reply) != nullptr);
        on.tap.reset();
        CHECK(small.bytes_out() == 0);
    });
}

TEST_CASE("stopping gives every block back, sends what was said, and may be done twice") {
    in_own_namespace([] {
        bench on;
        bring_up(on.tap->name());
        on.start();
        on.io.run_until(on.io.now() + 1ms);
        CHECK(on.pool.bytes_out() == 4 * static_cast<std::size_t>(block_size::small));
        const int before = frames_at_kernel(on.tap->name());
        on.send(arp_request(on.tap->stack_address()));
        on.send(arp_request(on.tap->stack_address()));
        on.tap->stop();
        on.tap->stop();
        CHECK(on.pool.bytes_out() == 0);
        CHECK(on.io.ring().in_flight() == 0);
        CHECK(frames_at_kernel(on.tap->name()) == before + 2);
    });
}

TEST_CASE("what cannot be opened says why in one line") {
    in_own_namespace([] {
        weft::io_context io;
        const auto error = [&](tap_options options) {
            const auto opened = tap_device::open(io, options);
            CHECK(opened.error().message().find('\n') == std::string::npos);
            return opened.error();
        };
        CHECK(error({.name = "a_name_too_long_for_linux"}) == tap_errc::bad_name);
        CHECK(error({.name = "lo"}) == tap_errc::not_a_tap);
        CHECK(error({.name = "none", .create = false}) == tap_errc::no_such_interface);
        CHECK(error({.name = "none", .create = false}) == std::errc::no_such_device);

        const auto first = tap_device::open(io, {.name = "twice"});
        REQUIRE(first);
        CHECK(error({.name = "twice"}) == std::errc::device_or_resource_busy);
    });
}

TEST_CASE("an interface that is deleted ends reading without spinning") {
    in_own_namespace([] {
        bench on{{.name = "short"}};
        bring_up(on.tap->name());
        on.start();
        on.io.run_until(on.io.now() + 1ms);
        REQUIRE(std::system("ip link delete short") == 0);
        CHECK(on.turn_until([&] { return on.tap->statistics().read_errors > 0; }));
        const auto enters = on.io.ring().statistics().enters;
        on.io.run_until(on.io.now() + 20ms);
        CHECK(on.io.ring().statistics().enters < enters + 20);
    });
}
}  // TEST_SUITE("sim.tap")
