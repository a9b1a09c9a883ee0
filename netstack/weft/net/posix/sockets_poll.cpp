#include <weft/net/posix/epoll.hpp>
#include <weft/net/posix/socket.hpp>
#include <weft/net/posix/sockets.hpp>

#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <vector>

namespace weft::net::posix {
namespace {

instant deadline_after(int timeout_ms) {
    return timeout_ms < 0 ? never : network::now() + std::chrono::milliseconds{timeout_ms};
}

}  // namespace

// ---- poll

/// Fills in what is ready of ours; the kernel's are left alone. Returns how many are.
int sockets::mark_ready(pollfd* wanted, nfds_t count) {
    int ready = 0;
    for (nfds_t i = 0; i < count; ++i) {
        const std::shared_ptr<descriptor> ours = table_.find(wanted[i].fd);
        if (ours == nullptr) continue;
        const int told = wanted[i].events | POLLERR | POLLHUP;
        wanted[i].revents = static_cast<short>(ours->poll_events() & told);
        if (wanted[i].revents != 0) ++ready;
    }
    return ready;
}

int sockets::poll(pollfd* wanted, nfds_t count, int timeout_ms) {
    if (wanted == nullptr && count != 0) return static_cast<int>(to_caller(-EFAULT));
    network::lock held = network_.enter();
    const auto is_kernels = [this](const pollfd& each) {
        return each.fd >= 0 && table_.find(each.fd) == nullptr;
    };
    if (std::any_of(wanted, wanted + count, is_kernels)) {
        return poll_with_kernel(held, wanted, count, timeout_ms);
    }
    for (nfds_t i = 0; i < count; ++i) wanted[i].revents = 0;
    int ready = mark_ready(wanted, count);
    if (ready == 0 && timeout_ms != 0) {
        (void)network_.wait(held, deadline_after(timeout_ms), [&] {
            ready = mark_ready(wanted, count);
            return ready != 0;
        });
    }
    return ready;
}

/// Some are the kernel's: it does the sleeping, and an event descriptor wakes it for ours.
int sockets::poll_with_kernel(network::lock& held, pollfd* wanted, nfds_t count, int timeout_ms) {
    const int alarm = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (alarm < 0) return -1;
    network_.add_alarm(alarm);
    std::vector<pollfd> theirs(wanted, wanted + count);
    for (pollfd& each : theirs) {
        if (table_.find(each.fd) != nullptr) each.fd = -1;  // the kernel passes over it
    }
    theirs.push_back({alarm, POLLIN, 0});
    const instant until = deadline_after(timeout_ms);
    int ready = 0;
    while (true) {
        ready = mark_ready(wanted, count);
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - network::now());
        const bool is_last = ready != 0 || left.count() <= 0 || network_.is_stopping();
        const int patience = is_last ? 0
                                     : static_cast<int>(std::min<std::int64_t>(
                                           left.count(), timeout_ms < 0 ? 60'000 : 0x7fff'ffff));
        held.unlock();
        const int of_kernel = ::poll(theirs.data(), theirs.size(), patience);
        held.lock();
        const bool rang = theirs.back().revents != 0;
        std::uint64_t rings = 0;
        if (rang) (void)!::read(alarm, &rings, sizeof rings);
        for (nfds_t i = 0; i < count; ++i) {
            if (theirs[i].fd >= 0) wanted[i].revents = theirs[i].revents;
        }
        ready = mark_ready(wanted, count) + std::max(of_kernel, 0) - (rang ? 1 : 0);
        if (ready != 0 || is_last || of_kernel < 0) break;
    }
    network_.remove_alarm(alarm);
    ::close(alarm);
    return ready;
}

// ---- epoll

std::shared_ptr<posix::epoll> sockets::find_epoll(int fd, answer& why) {
    const std::shared_ptr<descriptor> found = table_.find(fd);
    auto e = std::dynamic_pointer_cast<posix::epoll>(found);
    if (e == nullptr) why = found != nullptr || ::fcntl(fd, F_GETFD) >= 0 ? -EINVAL : -EBADF;
    return e;
}

int sockets::epoll_create(int flags) {
    if ((flags & ~EPOLL_CLOEXEC) != 0) return static_cast<int>(to_caller(-EINVAL));
    const network::lock held = network_.enter();
    return static_cast<int>(to_caller(table_.add(std::make_shared<posix::epoll>(), flags != 0)));
}

int sockets::epoll_ctl(int epfd, int operation, int fd, epoll_event* event) {
    const network::lock held = network_.enter();
    answer done = 0;
    const auto e = find_epoll(epfd, done);
    if (e == nullptr) return static_cast<int>(to_caller(done));
    const std::shared_ptr<descriptor> watched = table_.find(fd);
    if (watched == nullptr) {
        done = ::fcntl(fd, F_GETFD) >= 0 ? -EPERM : -EBADF;
    } else if (operation == EPOLL_CTL_DEL) {
        done = e->remove(fd, watched.get());
    } else if (event == nullptr) {
        done = -EFAULT;
    } else if (operation == EPOLL_CTL_ADD) {
        done = e->add(fd, watched, *event);
    } else {
        done = operation == EPOLL_CTL_MOD ? e->modify(fd, watched.get(), *event) : -EINVAL;
    }
    network_.wake_sleepers();
    return static_cast<int>(to_caller(done));
}

int sockets::epoll_wait(int epfd, epoll_event* events, int most, int timeout_ms) {
    if (most <= 0) return static_cast<int>(to_caller(-EINVAL));
    if (events == nullptr) return static_cast<int>(to_caller(-EFAULT));
    network::lock held = network_.enter();
    answer why = 0;
    const auto e = find_epoll(epfd, why);
    if (e == nullptr) return static_cast<int>(to_caller(why));
    if (timeout_ms != 0) {
        (void)network_.wait(held, deadline_after(timeout_ms), [&] { return e->is_any_ready(); });
    }
    return e->collect(events, most);
}

}  // namespace weft::net::posix
