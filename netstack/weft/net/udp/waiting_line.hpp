#pragma once
// Operations that wait for something there is a number of: datagrams to read, room to write. First
// come first served, also against those who come while one that was told is on its way.
//
// One that is told is promised its share; it says so when it has come (`on_came`), whether it takes
// it or not, or when it is destroyed before.

#include <weft/base/intrusive_list.hpp>
#include <weft/base/operation.hpp>

#include <cstdint>

namespace weft::net::udp {

class waiting_line {
public:
    /// For somebody who has not waited: whether there is some that nobody was promised.
    [[nodiscard]] bool may_go_at_once(std::uint32_t available) const noexcept {
        return available > promised_ && waiters_.empty();
    }
    /// Tells as many as there is something for.
    void call(std::uint32_t available) noexcept {
        while (promised_ < available && !waiters_.empty()) {
            ++promised_;
            waiters_.front().post();
        }
    }
    /// Ends the wait of all without a promise.
    void dismiss() noexcept {
        while (!waiters_.empty()) waiters_.front().post();
        promised_ = 0;
    }
    void on_came() noexcept {
        if (promised_ > 0) --promised_;
    }

    [[nodiscard]] intrusive_list<operation>& waiters() noexcept { return waiters_; }

private:
    intrusive_list<operation> waiters_;
    std::uint32_t promised_ = 0;
};

}  // namespace weft::net::udp
