// weft_packetdrill.so: Weft's stack behind the contract of packetdrill_interface.hpp. The calls are
// those of weft::posix; what is added here is the wire, the clock and the profile.

#include "packetdrill_interface.hpp"
#include "profile.hpp"

#include <weft/net/posix/sockets.hpp>

#include <fcntl.h>

#include <algorithm>
#include <chrono>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <exception>

namespace weft::conformance {
namespace {

using net::posix::network;
using net::posix::sockets;

/// How long netdev_receive waits. The tool has no limit of its own.
constexpr duration patience = std::chrono::seconds{2};

sockets& of(void* self) noexcept { return *static_cast<sockets*>(self); }

std::chrono::microseconds wall_clock(const network& wire, instant at) noexcept {
    return std::chrono::duration_cast<std::chrono::microseconds>(wire.since_epoch(at));
}

int netdev_send(void* self, const void* packet, std::size_t bytes) {
    of(self).wire().deliver({static_cast<const std::byte*>(packet), bytes});
    return 0;
}

int netdev_receive(void* self, void* packet, std::size_t* bytes, long long* time_usecs) {
    network& wire = of(self).wire();
    const auto next = wire.next_packet(patience);
    if (!next) {
        *bytes = 0;
        *time_usecs = wall_clock(wire, network::now()).count();
        return 0;
    }
    *bytes = std::min(*bytes, next->bytes.size());
    std::copy_n(next->bytes.data(), *bytes, static_cast<std::byte*>(packet));
    *time_usecs = wall_clock(wire, next->left_at).count();
    return 0;
}

int tell_time(void* self, timeval* now, void*) {
    const std::chrono::microseconds time = wall_clock(of(self).wire(), network::now());
    now->tv_sec = time.count() / 1'000'000;
    now->tv_usec = time.count() % 1'000'000;
    return 0;
}

int fcntl_call(void* self, int fd, int command, ...) {
    std::va_list rest;
    va_start(rest, command);
    const long argument = va_arg(rest, long);
    va_end(rest);
    return of(self).fcntl(fd, command, argument);
}

int ioctl_call(void* self, int fd, unsigned long request, ...) {
    std::va_list rest;
    va_start(rest, request);
    void* const argument = va_arg(rest, void*);
    va_end(rest);
    return of(self).ioctl(fd, request, argument);
}

int epoll_create_call(void* self, int size) {
    if (size <= 0) {
        errno = EINVAL;
        return -1;
    }
    return of(self).epoll_create(0);
}

/// Calls a member of `sockets` through the table's `void*`.
template <auto Call>
struct through;
template <class Result, class... Args, Result (sockets::*Call)(Args...)>
struct through<Call> {
    static Result call(void* self, Args... args) { return (of(self).*Call)(args...); }
};

}  // namespace
}  // namespace weft::conformance

extern "C" void packetdrill_interface_init(const char* flags, packetdrill_interface* out) {
    using namespace weft::conformance;
    sockets* self = nullptr;
    try {
        self = new sockets{parse_profile(flags != nullptr ? flags : "")};
    } catch (const std::exception& e) {
        std::fprintf(stderr, "weft_packetdrill: %s\n", e.what());
        std::exit(2);
    }
    *out = {
        .userdata = self,
        .free = [](void* s) { delete &of(s); },
        .socket = through<&sockets::socket>::call,
        .bind = through<&sockets::bind>::call,
        .listen = through<&sockets::listen>::call,
        .accept = [](void* s, int fd, sockaddr* a, socklen_t* n) { return of(s).accept(fd, a, n); },
        .connect = through<&sockets::connect>::call,
        .read = through<&sockets::read>::call,
        .readv = through<&sockets::readv>::call,
        .recv = through<&sockets::recv>::call,
        .recvfrom = through<&sockets::recvfrom>::call,
        .recvmsg = through<&sockets::recvmsg>::call,
        .write = through<&sockets::write>::call,
        .writev = through<&sockets::writev>::call,
        .send = through<&sockets::send>::call,
        .sendto = through<&sockets::sendto>::call,
        .sendmsg = through<&sockets::sendmsg>::call,
        .fcntl = fcntl_call,
        .ioctl = ioctl_call,
        .close = through<&sockets::close>::call,
        .shutdown = through<&sockets::shutdown>::call,
        .getsockopt = through<&sockets::getsockopt>::call,
        .setsockopt = through<&sockets::setsockopt>::call,
        .poll = through<&sockets::poll>::call,
        .netdev_send = netdev_send,
        .netdev_receive = netdev_receive,
        .usleep = [](void*, useconds_t time) { return ::usleep(time); },
        .gettimeofday = tell_time,
        .epoll_create = epoll_create_call,
        .epoll_ctl = through<&sockets::epoll_ctl>::call,
        .epoll_wait = through<&sockets::epoll_wait>::call,
        .pipe = [](void*, int ends[2]) { return ::pipe(ends); },
        .splice = through<&sockets::splice>::call,
    };
}
