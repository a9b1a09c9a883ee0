#include <fmt/format.h>
#include <weft/remote_call.hpp>
#include <weft/runtime.hpp>

#include <cassert>
#include <new>
#include <string>

namespace weft {

// ---- at home

void remote_call::start(const environment& in) noexcept {
    home_ = owner_.find_loop(*in.scheduler);
    if (home_ == nullptr) {
        error_ = make_error_code(std::errc::operation_not_permitted);
    } else if (const result<void> sent =
                   home_->post(target_, call_letter_, mailbox::admission::always);
               !sent) {  // always: there is one message of it, and its caller waits
        error_ = sent.error();
    }
    if (error_) {
        post_now(*in.scheduler);
        return;
    }
    away_ = 1;
    park(*in.scheduler, in.stop, &on_stop);
}

/// The task is told, and waited for.
void remote_call::on_stop(operation& self) noexcept {
    auto& call = static_cast<remote_call&>(self);
    if (call.has_canceled_) return;
    call.has_canceled_ = true;
    if (call.home_->post(call.target_, call.cancel_letter_, mailbox::admission::always)) {
        ++call.away_;
    }
}

void remote_call::on_home() noexcept {
    if (--away_ == 0) post();
}

// ---- there

void remote_call::on_call(message::fate how) noexcept {
    there_ = &owner_.loop(target_);
    if (how == message::fate::dropped) {
        error_ = make_error_code(std::errc::broken_pipe);
        send_home(call_letter_);
        return;
    }
    try {
        std::string name;
        if constexpr (async_trace) name = fmt::format("called by loop {}", home_->index());
        there_->tasks().spawn(run_(*this), name);
    } catch (const std::bad_alloc&) {
        error_ = make_error_code(std::errc::not_enough_memory);
        send_home(call_letter_);
    }
}

void remote_call::on_cancel(message::fate) noexcept {
    is_stopped_early_ = true;
    if (running_ != nullptr) running_->request_stop();
    send_home(cancel_letter_);
}

void remote_call::begin(stop_source& stop) noexcept {
    running_ = &stop;
    if (is_stopped_early_) stop.request_stop();
}

/// The call is the caller's again: nothing of it may be touched after this.
void remote_call::end() noexcept {
    running_ = nullptr;
    send_home(call_letter_);
}

/// Home takes its answers as long as somebody waits there.
void remote_call::send_home(letter& done) noexcept {
    done.is_returning_ = true;
    [[maybe_unused]] const result<void> sent =
        there_->post(home_->index(), done, mailbox::admission::always);
    assert(sent && "a loop closed its mailbox while a call of its own was away");
}

}  // namespace weft
