#include "script.hpp"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <stdexcept>

namespace weft::conformance {
namespace {

using init_function = void (*)(const char*, packetdrill_interface*);

init_function load() {
    void* const library = ::dlopen(WEFT_PACKETDRILL_LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) throw std::runtime_error{::dlerror()};
    void* const found = ::dlsym(library, "packetdrill_interface_init");
    if (found == nullptr) throw std::runtime_error{::dlerror()};
    return reinterpret_cast<init_function>(found);
}

constexpr std::uint8_t icmp_protocol = 1;

sockaddr_in address_of(std::uint32_t address, std::uint16_t port) {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_port = htons(port);
    in.sin_addr.s_addr = htonl(address);
    return in;
}

/// An ICMP message in a packet from `source` to the side under test.
std::vector<std::byte> icmp_packet(std::uint32_t source, std::uint32_t destination,
                                   std::vector<std::byte> message) {
    message[2] = message[3] = std::byte{0};
    const std::uint16_t sum = internet_checksum(message);
    message[2] = static_cast<std::byte>(sum >> 8);
    message[3] = static_cast<std::byte>(sum);
    std::vector<std::byte> p(20);
    const std::size_t size = p.size() + message.size();
    p[0] = std::byte{0x45};
    p[2] = static_cast<std::byte>(size >> 8);
    p[3] = static_cast<std::byte>(size);
    p[8] = std::byte{64};
    p[9] = std::byte{icmp_protocol};
    for (std::size_t i = 0; i < 4; ++i) {
        p[12 + i] = static_cast<std::byte>(source >> (24 - 8 * i));
        p[16 + i] = static_cast<std::byte>(destination >> (24 - 8 * i));
    }
    const std::uint16_t header = internet_checksum(p);
    p[10] = static_cast<std::byte>(header >> 8);
    p[11] = static_cast<std::byte>(header);
    p.insert(p.end(), message.begin(), message.end());
    return p;
}

}  // namespace

// ---- the second thread

blocking_call::blocking_call(body call)
    : thread_{[call = std::move(call), into = outcome_] {
          into->thread_id = static_cast<int>(::syscall(SYS_gettid));
          into->result = call();
          into->error = errno;
          into->is_done = true;
      }} {}

blocking_call::~blocking_call() {
    if (!thread_.joinable()) return;
    // After a failed check nobody will wake it, and it holds on to what is about to go.
    for (int waited = 0; !outcome_->is_done && waited < 3000; ++waited) {
        std::this_thread::sleep_for(1ms);
    }
    if (!outcome_->is_done) {
        std::fputs("a call never returned\n", stderr);
        std::abort();
    }
    thread_.join();
}

bool blocking_call::is_asleep() {
    // As packetdrill does: it asks until it sees an S twice, or the call is done.
    for (int seen = 0; seen < 2;) {
        if (outcome_->is_done) return false;
        if (outcome_->thread_id != 0) {
            std::ifstream stat{"/proc/self/task/" + std::to_string(outcome_->thread_id) + "/stat"};
            std::string text;
            std::getline(stat, text);
            const std::size_t end = text.rfind(')');
            const bool sleeps = end != std::string::npos && text.substr(end).starts_with(") S");
            seen = sleeps ? seen + 1 : 0;
        }
        std::this_thread::sleep_for(2ms);
    }
    return true;
}

long blocking_call::result() {
    if (thread_.joinable()) thread_.join();
    return outcome_->result;
}

int blocking_call::error() {
    (void)result();
    return outcome_->error;
}

// ---- the script

script::script(const std::string& flags) {
    static const init_function init = load();
    init(flags.c_str(), &api);
    metronome_ = std::thread{[this] {
        while (!is_over_) {
            const auto before = std::chrono::steady_clock::now();
            std::this_thread::sleep_for(2ms);
            const auto slept = std::chrono::steady_clock::now() - before;
            const auto late = std::chrono::duration_cast<microseconds>(slept) - microseconds{2ms};
            lateness_ = std::max<std::int64_t>(lateness_, late.count());
        }
    }};
    note_event();
}

script::~script() {
    nothing();
    is_over_ = true;
    metronome_.join();
    api.free(api.userdata);
}

microseconds script::clock() {
    timeval now{};
    api.gettimeofday(api.userdata, &now, nullptr);
    return std::chrono::seconds{now.tv_sec} + microseconds{now.tv_usec};
}

script::arrival script::receive() {
    const std::lock_guard held{lock_};
    arrival next;
    next.packet.resize(66'000);
    std::size_t bytes = next.packet.size();
    long long time = 0;
    REQUIRE(api.netdev_receive(api.userdata, next.packet.data(), &bytes, &time) == 0);
    next.packet.resize(bytes);
    next.at = microseconds{time};
    return next;
}

void script::raw_in(const std::vector<std::byte>& packet) {
    const std::lock_guard held{lock_};
    note_event();
    REQUIRE(api.netdev_send(api.userdata, packet.data(), packet.size()) == 0);
}

void script::in(const std::string& segment, std::uint8_t traffic_class) {
    raw_in(to_packet(parse_segment(segment), ends_, origins_, traffic_class));
}

void script::out(const std::string& segment) { out(microseconds{-1}, segment); }

void script::out(microseconds after, const std::string& segment) {
    CAPTURE(segment);
    const text_segment wanted = parse_segment(segment);
    const arrival next = receive();
    REQUIRE_MESSAGE(!next.packet.empty(), "nothing has left");
    last = parse_packet(next.packet, origins_);
    REQUIRE(last.problem == "");
    REQUIRE(last.protocol == 6);
    if (!knows_origin_ && last.segment.flags.find('S') != std::string::npos) {
        knows_origin_ = true;
        origins_.ours = last.raw_seq;
        ends_.local_port = last.from.local_port;
        ends_.remote_port = last.from.remote_port;
        last = parse_packet(next.packet, origins_);
    }
    CHECK(last.from.remote_address == ends_.remote_address);
    CHECK(last.from.local_port == ends_.local_port);
    CHECK(last.from.remote_port == ends_.remote_port);
    text_segment seen = last.segment;
    if (!wanted.window) seen.window.reset();
    if (!wanted.urgent) seen.urgent.reset();
    if (!wanted.options) seen.options.reset();
    REQUIRE(to_string(seen) == to_string(wanted));
    if (after >= 0us) {
        const microseconds late = next.at - last_event_ - after;
        const microseconds tolerance = std::max<microseconds>(4ms, after / 8);
        CAPTURE(lateness().count());
        CHECK_MESSAGE(late >= -tolerance, "early by ", -late.count(), " us");
        CHECK_MESSAGE(late <= tolerance + 2 * lateness(), "late by ", late.count(), " us");
    }
    last_event_ = next.at;
}

void script::out_full(std::uint32_t from, int count) {
    for (; count > 0; --count, from += 1000) out(0us, ". " + std::to_string(from) + "+1000 ack 1");
}

void script::nothing() {
    // An echo request is answered in its turn: what had left before would come first.
    std::vector<std::byte> echo(8);
    echo[0] = std::byte{8};
    const microseconds before = last_event_;
    raw_in(icmp_packet(ends_.remote_address, ends_.local_address, echo));
    last_event_ = before;
    const arrival next = receive();
    const parsed_packet seen = parse_packet(next.packet, origins_);
    CHECK_MESSAGE(seen.protocol == icmp_protocol, "unexpected: ", to_string(seen.segment));
    if (seen.protocol != icmp_protocol) (void)receive();
}

void script::silence(microseconds d) {
    std::this_thread::sleep_for(d);
    nothing();
}

void script::wait(microseconds d) {
    std::this_thread::sleep_for(d);
    note_event();
}

void script::icmp(std::uint8_t type, std::uint8_t code, std::uint32_t seq, std::uint16_t mtu) {
    // The quotation is our own segment, as a router saw it.
    text_segment quoted;
    quoted.flags = ".";
    quoted.seq = seq;
    quoted.size = 1000;
    quoted.ack = 1;
    const ends turned{ends_.remote_address, ends_.local_address, ends_.remote_port,
                      ends_.local_port};
    const auto packet = to_packet(quoted, turned, {origins_.peers, origins_.ours});
    std::vector<std::byte> message(8);
    message[0] = std::byte{type};
    message[1] = std::byte{code};
    message[6] = static_cast<std::byte>(mtu >> 8);
    message[7] = static_cast<std::byte>(mtu);
    message.insert(message.end(), packet.begin(), packet.begin() + 28);
    raw_in(icmp_packet(ends_.remote_address, ends_.local_address, message));
}

std::uint32_t script::new_origin() {
    knows_origin_ = false;
    return 0;
}

void script::from_port(std::uint16_t remote_port, std::uint16_t local_port) {
    ends_.remote_port = remote_port;
    ends_.local_port = local_port;
    origins_.ours = 0;
    knows_origin_ = false;
}

// ---- calls

void script::answers(long got, long result, int error) {
    const int seen = errno;
    note_event();
    REQUIRE(got == result);
    if (result == -1) REQUIRE(seen == error);
}

int script::socket(int kind) {
    const int fd = api.socket(api.userdata, AF_INET, kind, IPPROTO_TCP);
    REQUIRE(fd >= 0);
    return fd;
}

void script::bind(int fd, std::uint16_t port, int result, int error) {
    const sockaddr_in local = address_of(ends_.local_address, port);
    answers(api.bind(api.userdata, fd, reinterpret_cast<const sockaddr*>(&local), sizeof local),
            result, error);
}

void script::listen(int fd, int backlog) { answers(api.listen(api.userdata, fd, backlog), 0); }

int script::accept(int fd) {
    sockaddr_in from{};
    socklen_t bytes = sizeof from;
    note_event();
    REQUIRE(events(fd) == POLLIN);  // it will not sleep
    const int made = api.accept(api.userdata, fd, reinterpret_cast<sockaddr*>(&from), &bytes);
    REQUIRE(made >= 0);
    CHECK(ntohs(from.sin_port) == ends_.remote_port);
    return made;
}

void script::connect(int fd, int result, int error) {
    const sockaddr_in to = address_of(ends_.remote_address, 8080);
    answers(api.connect(api.userdata, fd, reinterpret_cast<const sockaddr*>(&to), sizeof to),
            result, error);
}

void script::write(int fd, std::size_t bytes, long result, int error) {
    const std::vector<std::byte> text(bytes);
    const auto wanted = result == -2 ? static_cast<long>(bytes) : result;
    note_event();
    answers(api.write(api.userdata, fd, text.data(), bytes), wanted, error);
}

void script::read(int fd, std::size_t bytes, long result, int error) {
    std::vector<std::byte> text(bytes);
    answers(api.read(api.userdata, fd, text.data(), bytes), result, error);
}

void script::close(int fd, int result, int error) {
    answers(api.close(api.userdata, fd), result, error);
}

void script::shutdown(int fd, int how, int result, int error) {
    answers(api.shutdown(api.userdata, fd, how), result, error);
}

void script::set(int fd, int level, int name, int value, int result, int error) {
    answers(api.setsockopt(api.userdata, fd, level, name, &value, sizeof value), result, error);
}

int script::get(int fd, int level, int name) {
    int value = -1;
    socklen_t bytes = sizeof value;
    REQUIRE(api.getsockopt(api.userdata, fd, level, name, &value, &bytes) == 0);
    REQUIRE(bytes == sizeof value);
    return value;
}

int script::events(int fd, int wanted) {
    pollfd asked{fd, static_cast<short>(wanted & 0x7fff), 0};
    const int count = api.poll(api.userdata, &asked, 1, 0);
    REQUIRE(count == (asked.revents != 0 ? 1 : 0));
    // Two names for one thing: the short ones are enough.
    return asked.revents & ~(POLLRDNORM | POLLWRNORM);
}

void script::set_non_blocking(int fd) {
    const int flags = api.fcntl(api.userdata, fd, F_GETFL);
    REQUIRE(flags == O_RDWR);
    answers(api.fcntl(api.userdata, fd, F_SETFL, flags | O_NONBLOCK), 0);
}

int script::ioctl(int fd, unsigned long request) {
    int value = -1;
    REQUIRE(api.ioctl(api.userdata, fd, request, &value) == 0);
    return value;
}

void script::start_listening() {
    if (listener >= 0) return;
    listener = socket();
    set(listener, SOL_SOCKET, SO_REUSEADDR, 1);
    bind(listener);
    listen(listener);
}

int script::accepted(const std::string& syn_options, std::uint32_t window) {
    start_listening();
    in("S 0 win " + std::to_string(window) + " <" + syn_options + ">");
    out("S. 0 ack 1");
    const bool has_timestamps = syn_options.find("TS") != std::string::npos;
    in(". 1 ack 1 win " + std::to_string(window) +
       (has_timestamps ? " <nop,nop,TS val 100 ecr 0>" : ""));
    return accept(listener);
}

int script::connected(const std::string& syn_options, std::uint32_t window) {
    const int fd = socket(SOCK_STREAM | SOCK_NONBLOCK);
    connect(fd, -1, EINPROGRESS);
    out("S 0");
    in("S. 0 ack 1 win " + std::to_string(window) + " <" + syn_options + ">");
    out(". 1 ack 1");
    CHECK(get(fd, SOL_SOCKET, SO_ERROR) == 0);
    return fd;
}

}  // namespace weft::conformance
