#include <weft/net/posix/descriptor_table.hpp>

#include <sys/eventfd.h>
#include <unistd.h>

namespace weft::net::posix {

answer descriptor_table::add(std::shared_ptr<descriptor> made, bool close_on_exec) {
    const int number = ::eventfd(0, EFD_NONBLOCK | (close_on_exec ? EFD_CLOEXEC : 0));
    if (number < 0) return -errno;
    held_[number] = std::move(made);
    return number;
}

std::shared_ptr<descriptor> descriptor_table::remove(int number) {
    const auto at = held_.find(number);
    if (at == held_.end()) return nullptr;
    std::shared_ptr<descriptor> gone = std::move(at->second);
    held_.erase(at);
    ::close(number);
    return gone;
}

std::shared_ptr<descriptor> descriptor_table::find(int number) const {
    const auto at = held_.find(number);
    return at == held_.end() ? nullptr : at->second;
}

}  // namespace weft::net::posix
