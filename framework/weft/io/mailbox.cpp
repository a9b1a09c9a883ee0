#include <weft/io/mailbox.hpp>
#include <weft/log.hpp>

#include <cassert>
#include <cerrno>
#include <cstring>

namespace weft {
namespace {

/// Deliveries in one go; then the rest of the loop has its turn.
constexpr int deliveries_a_turn = 256;

}  // namespace

mailbox::mailbox(io_context& owner, mailbox_limits limits) noexcept
    : ring_notice{[](ring_notice& self, int) noexcept { static_cast<mailbox&>(self).collect(); }},
      operation{[](operation& self) noexcept { static_cast<mailbox&>(self).deliver_some(); }},
      owner_{owner},
      limits_{limits},
      closed_mark_{nullptr} {
    owner_.ring().expect_notices(+1);
}

mailbox::~mailbox() {
    assert(is_closed_ && "close() comes first: who is in it has to be told");
    owner_.ring().expect_notices(-1);
}

bool mailbox::count_in(message& sent, admission how) noexcept {
    sent.is_counted_ = how == admission::bounded;
    if (!sent.is_counted_) return true;
    const bool has_room =
        messages_.fetch_add(1, std::memory_order_relaxed) < limits_.messages &&
        bytes_.load(std::memory_order_relaxed) + std::uint64_t{sent.bytes_} <= limits_.bytes;
    if (!has_room) {
        messages_.fetch_sub(1, std::memory_order_relaxed);
        return false;
    }
    bytes_.fetch_add(sent.bytes_, std::memory_order_relaxed);
    return true;
}

auto mailbox::put(message& sent, admission how) noexcept -> entry {
    if (!count_in(sent, how)) {
        refused_.fetch_add(1, std::memory_order_relaxed);
        return entry::full;
    }
    message* before = newest_.load(std::memory_order_relaxed);
    do {
        if (before == &closed_mark_) {
            refused_.fetch_add(1, std::memory_order_relaxed);
            return entry::closed;
        }
        sent.next_ = before;
    } while (!newest_.compare_exchange_weak(before, &sent, std::memory_order_release,
                                            std::memory_order_relaxed));
    return before == nullptr ? entry::taken_first : entry::taken;
}

/// Turned round: the stack has the newest on top.
void mailbox::take(message* newest) noexcept {
    if (newest == nullptr) return;
    message* oldest = nullptr;
    for (message* next = newest; next != nullptr;) {
        message* const below = next->next_;
        next->next_ = oldest;
        oldest = next;
        next = below;
    }
    (oldest_taken_ == nullptr ? oldest_taken_ : newest_taken_->next_) = oldest;
    newest_taken_ = newest;
}

void mailbox::collect() noexcept {
    if (is_closed_) return;
    take(newest_.exchange(nullptr, std::memory_order_acquire));
    if (oldest_taken_ != nullptr) deliver_soon();
}

void mailbox::deliver_soon() noexcept {
    if (current_phase() == phase::posted) return;
    reset();
    post_now(owner_);
}

void mailbox::deliver_some() noexcept {
    const message::fate fate = is_closed_ ? message::fate::dropped : message::fate::delivered;
    for (int left = deliveries_a_turn; oldest_taken_ != nullptr && (is_closed_ || left > 0);
         --left) {
        message& next = *oldest_taken_;
        oldest_taken_ = next.next_;
        if (next.is_counted_) {
            messages_.fetch_sub(1, std::memory_order_relaxed);
            bytes_.fetch_sub(next.bytes_, std::memory_order_relaxed);
        }
        if (!is_closed_) delivered_.fetch_add(1, std::memory_order_relaxed);
        next.on_delivery_(next, fate);
    }
    if (oldest_taken_ != nullptr) deliver_soon();
}

void mailbox::close() noexcept {
    if (is_closed_) return;
    is_closed_ = true;
    take(newest_.exchange(&closed_mark_, std::memory_order_acquire));
    reset();
    deliver_some();
}

auto mailbox::statistics() const noexcept -> counters {
    return {delivered_.load(std::memory_order_relaxed), refused_.load(std::memory_order_relaxed)};
}

mail_route::mail_route(io_context& from, mailbox& to) noexcept
    : ring_notice{[](ring_notice& self, int error) noexcept {
          // No memory for it just now: the message lies there, and its owner has to hear of it.
          if (error == -EAGAIN || error == -ENOMEM || error == -EOVERFLOW || error == -EINTR) {
              static_cast<mail_route&>(self).ring_bell();
          } else {
              log::get("io").error("a loop cannot be told of messages: {}", std::strerror(-error));
          }
      }},
      from_{from},
      to_{to},
      target_{to.owner_.ring().descriptor()} {}

void mail_route::ring_bell() noexcept {
    if (&from_ == &to_.owner_) {
        to_.collect();
    } else {
        from_.ring().notify(target_, to_, *this);
    }
}

result<void> mail_route::post(message& sent, mailbox::admission how) noexcept {
    switch (to_.put(sent, how)) {
        case mailbox::entry::taken_first: ring_bell(); return {};
        case mailbox::entry::taken: return {};
        case mailbox::entry::full: return std::errc::no_buffer_space;
        case mailbox::entry::closed: return std::errc::broken_pipe;
    }
    return {};
}

}  // namespace weft
