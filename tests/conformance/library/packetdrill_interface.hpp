#pragma once
// The binary contract by which packetdrill, a tool that plays scripts of packets and socket calls
// against a TCP, drives one that comes as a shared object. See docs/packetdrill.md.
//
// A table of functions behind one pointer. Each takes `userdata` first, and the rest as the call of
// its name in POSIX; it answers -1 and errno like it. Two are the wire: netdev_send brings one raw
// IP packet in; netdev_receive takes the next one that has left, with its time on the clock of
// `gettimeofday`, and has no way to say "none" but 0 bytes, which fails the script.

#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

extern "C" {

// NOLINTBEGIN(readability-identifier-naming)
struct packetdrill_interface {
    void* userdata;
    void (*free)(void* self);
    int (*socket)(void* self, int domain, int type, int protocol);
    int (*bind)(void* self, int fd, const sockaddr* address, socklen_t bytes);
    int (*listen)(void* self, int fd, int backlog);
    int (*accept)(void* self, int fd, sockaddr* address, socklen_t* bytes);
    int (*connect)(void* self, int fd, const sockaddr* address, socklen_t bytes);
    ssize_t (*read)(void* self, int fd, void* into, size_t bytes);
    ssize_t (*readv)(void* self, int fd, const iovec* into, int parts);
    ssize_t (*recv)(void* self, int fd, void* into, size_t bytes, int flags);
    ssize_t (*recvfrom)(void* self, int fd, void* into, size_t bytes, int flags, sockaddr* from,
                        socklen_t* from_bytes);
    ssize_t (*recvmsg)(void* self, int fd, msghdr* message, int flags);
    ssize_t (*write)(void* self, int fd, const void* from, size_t bytes);
    ssize_t (*writev)(void* self, int fd, const iovec* from, int parts);
    ssize_t (*send)(void* self, int fd, const void* from, size_t bytes, int flags);
    ssize_t (*sendto)(void* self, int fd, const void* from, size_t bytes, int flags,
                      const sockaddr* to, socklen_t to_bytes);
    ssize_t (*sendmsg)(void* self, int fd, const msghdr* message, int flags);
    int (*fcntl)(void* self, int fd, int command, ...);
    int (*ioctl)(void* self, int fd, unsigned long request, ...);
    int (*close)(void* self, int fd);
    int (*shutdown)(void* self, int fd, int how);
    int (*getsockopt)(void* self, int fd, int level, int name, void* value, socklen_t* bytes);
    int (*setsockopt)(void* self, int fd, int level, int name, const void* value, socklen_t bytes);
    int (*poll)(void* self, pollfd* wanted, nfds_t count, int timeout_ms);
    int (*netdev_send)(void* self, const void* packet, size_t bytes);
    int (*netdev_receive)(void* self, void* packet, size_t* bytes, long long* time_usecs);
    int (*usleep)(void* self, useconds_t usecs);
    int (*gettimeofday)(void* self, timeval* now, void* zone);
    int (*epoll_create)(void* self, int size);
    int (*epoll_ctl)(void* self, int epfd, int operation, int fd, epoll_event* event);
    int (*epoll_wait)(void* self, int epfd, epoll_event* events, int most, int timeout_ms);
    int (*pipe)(void* self, int ends[2]);
    ssize_t (*splice)(void* self, int from, off64_t* from_at, int to, off64_t* to_at, size_t bytes,
                      unsigned flags);
};
// NOLINTEND(readability-identifier-naming)

/// What the object exports. `flags` is a profile (profile.hpp); a bad one is said on stderr and
/// ends the process, for the contract has no other way to fail.
__attribute__((visibility("default"))) void packetdrill_interface_init(const char* flags,
                                                                       packetdrill_interface* out);
}
