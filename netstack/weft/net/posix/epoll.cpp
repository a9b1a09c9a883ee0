#include <weft/net/posix/epoll.hpp>

#include <poll.h>

#include <algorithm>

namespace weft::net::posix {

epoll::interest* epoll::find(int number, const descriptor* watched) {
    const auto at = interests_.find(number);
    const bool is_it = at != interests_.end() && at->second.watched.lock().get() == watched;
    return is_it ? &at->second : nullptr;
}

answer epoll::add(int number, std::shared_ptr<descriptor> watched, const epoll_event& wanted) {
    if (watched.get() == this) return -EINVAL;
    if (find(number, watched.get()) != nullptr) return -EEXIST;
    interests_[number] = {std::move(watched), wanted.events, wanted.data, std::nullopt, false};
    return 0;
}

answer epoll::modify(int number, const descriptor* watched, const epoll_event& wanted) {
    interest* held = find(number, watched);
    if (held == nullptr) return -ENOENT;
    held->events = wanted.events;
    held->data = wanted.data;
    held->reported.reset();
    held->is_spent = false;
    return 0;
}

answer epoll::remove(int number, const descriptor* watched) {
    if (find(number, watched) == nullptr) return -ENOENT;
    interests_.erase(number);
    return 0;
}

std::uint32_t epoll::ready_events(const interest& of) {
    const std::shared_ptr<descriptor> watched = of.watched.lock();
    if (watched == nullptr || of.is_spent) return 0;
    const bool is_edge = (of.events & EPOLLET) != 0;
    if (is_edge && of.reported == watched->activity()) return 0;
    // The EPOLL* bits are poll's.
    const auto now = static_cast<std::uint32_t>(watched->poll_events());
    return now & (of.events | EPOLLERR | EPOLLHUP);
}

int epoll::collect(epoll_event* events, int most) {
    int count = 0;
    auto at = interests_.upper_bound(last_reported_);
    for (std::size_t looked = 0; looked < interests_.size() && count < most; ++looked, ++at) {
        if (at == interests_.end()) at = interests_.begin();
        interest& each = at->second;
        const std::uint32_t ready = ready_events(each);
        if (ready == 0) continue;
        events[count].events = ready;
        events[count].data = each.data;
        ++count;
        last_reported_ = at->first;
        if ((each.events & EPOLLET) != 0) each.reported = each.watched.lock()->activity();
        if ((each.events & EPOLLONESHOT) != 0) each.is_spent = true;
    }
    return count;
}

bool epoll::is_any_ready() {
    return std::ranges::any_of(interests_,
                               [](const auto& each) { return ready_events(each.second) != 0; });
}

short epoll::poll_events() { return is_any_ready() ? POLLIN | POLLRDNORM : 0; }

}  // namespace weft::net::posix
