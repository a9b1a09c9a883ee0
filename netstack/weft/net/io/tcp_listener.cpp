#include <weft/net/io/host.hpp>
#include <weft/net/io/tcp_listener.hpp>

#include <cassert>

namespace weft::net {

listening::listening(host& owner, tcp::listener& opened) noexcept
    : host_{owner}, listener_{&opened}, local_{opened.local()} {
    host_.count_handle(+1);
}

listening::~listening() {
    close();
    while (!accepts_.empty()) accepts_.pop_front().listening_ = nullptr;
    host_.count_handle(-1);
}

void listening::close() noexcept {
    if (listener_ == nullptr) return;
    tcp::listener& ended = *std::exchange(listener_, nullptr);
    while (!ended.waiters().empty()) ended.waiters().front().post();
    host_.stack().close(ended, host_.now());
    host_.settle_later();
}

accept_operation::accept_operation(completion resume, listening* on) noexcept
    : operation{&on_event}, resume_{resume}, listening_{on} {
    if (listening_ != nullptr) listening_->accepts_.push_back(*this);
}

bool accept_operation::ready() const noexcept {
    if (is_closed()) return true;
    return listening_->listener_->can_accept_at_once();
}

void accept_operation::start(const environment& in) noexcept {
    assert(in.scheduler == &listening_->host_.scheduler() &&
           "a listener is awaited on the loop of its host");
    stop_ = in.stop;
    park(listening_->host_.scheduler(), stop_, listening_->listener_->waiters());
}

accept_operation::~accept_operation() {
    if (current_phase() != phase::posted) return;
    answer_call();
    if (!is_closed()) listening_->listener_->call_next();
}

/// A stop and a closed listener post without a promise.
void accept_operation::answer_call() noexcept {
    if (!is_canceled() && !is_closed()) listening_->listener_->on_called();
}

/// The connection may have been reset meanwhile.
void accept_operation::on_event(operation& posted) noexcept {
    accept_operation& self = static_cast<accept_operation&>(posted);
    self.answer_call();
    if (self.is_canceled() || self.is_closed() || self.listening_->listener_->can_accept()) {
        self.resume_(self);
        return;
    }
    self.reset();
    self.park(self.listening_->host_.scheduler(), self.stop_,
              self.listening_->listener_->waiters());
}

result<tcp_stream> accept_operation::finish() noexcept {
    if (is_canceled()) return weft::errc::canceled;
    if (is_closed()) return errc::closing;
    tcp::listener& from = *listening_->listener_;
    tcp_stream accepted{listening_->host_, from.accept()};
    from.call_next();
    return accepted;
}

}  // namespace weft::net
