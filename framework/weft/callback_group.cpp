#include <weft/callback_group.hpp>

#include <cassert>

namespace weft {

callback_group::~callback_group() {
    assert(empty() && "a group of callbacks was destroyed before it was joined");
}

void callback_group::later(callback_base& ready) noexcept {
    if (ready_.empty()) turn_.post(*environment().scheduler);
    ready_.push_back(ready);
}

void callback_group::next() noexcept {
    if (ready_.empty()) return;  // it was abandoned meanwhile
    callback_base& first = ready_.pop_front();
    if (!ready_.empty()) turn_.post(*environment().scheduler);
    call(first);
}

/// `each` may be gone afterwards.
void callback_group::call(callback_base& each) noexcept {
    std::exception_ptr exception;
    try {
        each.finish_(each);
    } catch (...) {
        exception = std::current_exception();
    }
    child_ended(std::move(exception), {});
}

void callback_base::resumed(continuation& self) noexcept {
    auto& me = static_cast<callback_base&>(self);
    me.group_->call(me);
}

void callback_base::abandon() noexcept {
    unlink();
    detach().child_ended();
}

}  // namespace weft
