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
    first.handle().resume();
}

void callback_base::abandon() noexcept {
    list_hook<callback_base>::unlink();
    detach().child_ended();
}

}  // namespace weft
