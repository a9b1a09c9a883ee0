#pragma once
// Messages from other loops: the only way by which loops touch each other.
//
// A mailbox belongs to one io_context. Any loop's thread puts messages in through a `mail_route`;
// the owner is told through its ring (IORING_OP_MSG_RING), once for any number of messages, and
// delivers them on its own thread, oldest first. It is bounded, in messages and in their bytes. A
// message is a node of the sender's own: nothing is allocated. What the sender wrote before it put
// the message is visible to the delivery. The atomics of this file are the only ones between loops.

#include <weft/base/operation.hpp>
#include <weft/base/result.hpp>
#include <weft/io/io_context.hpp>
#include <weft/io/ring.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace weft {

/// Something on its way to another loop: in one mailbox at a time, and the receiver's to touch from
/// `post` until its delivery.
class message {
public:
    enum class fate : std::uint8_t { delivered, dropped };  ///< dropped: the mailbox was closed
    /// Runs once on the receiver's thread, inside of its turn: may post operations and messages
    /// (this one too), and may destroy the message; must not resume a coroutine.
    using delivery = void (*)(message&, fate) noexcept;

    explicit message(delivery on_delivery, std::uint32_t bytes = 0) noexcept
        : on_delivery_{on_delivery}, bytes_{bytes} {}
    message(const message&) = delete;
    message& operator=(const message&) = delete;

private:
    friend class mailbox;
    delivery on_delivery_;
    message* next_ = nullptr;
    std::uint32_t bytes_;
    bool is_counted_ = false;
};

struct mailbox_limits {
    std::uint32_t messages = 4096;
    std::uint32_t bytes = 4U << 20;
};

class mailbox : ring_notice, operation {
public:
    enum class admission : std::uint8_t {
        bounded,
        always,  ///< an answer, or what there is only one of: the limits do not hold it back
    };
    struct counters {
        std::uint64_t delivered = 0;
        std::uint64_t refused = 0;  ///< did not get in: full, or closed
    };

    /// Made, used and destroyed on the thread of `owner`, but for the routes that lead to it.
    mailbox(io_context& owner, mailbox_limits limits) noexcept;
    /// Precondition: closed, and nobody will use a route to it any more.
    ~mailbox();

    /// Nothing gets in from now on; what has not been delivered is dropped.
    void close() noexcept;

    /// From any thread.
    [[nodiscard]] counters statistics() const noexcept;

private:
    friend class mail_route;
    enum class entry : std::uint8_t { taken, taken_first, full, closed };

    /// From any thread. `taken_first`: the owner has to be told.
    [[nodiscard]] entry put(message& sent, admission how) noexcept;
    [[nodiscard]] bool count_in(message& sent, admission how) noexcept;
    void collect() noexcept;
    void take(message* newest) noexcept;
    void deliver_some() noexcept;
    void deliver_soon() noexcept;

    io_context& owner_;
    const mailbox_limits limits_;
    message closed_mark_;
    std::atomic<message*> newest_ = nullptr;
    std::atomic<std::uint32_t> messages_ = 0;
    std::atomic<std::uint32_t> bytes_ = 0;
    std::atomic<std::uint64_t> delivered_ = 0;
    std::atomic<std::uint64_t> refused_ = 0;
    message* oldest_taken_ = nullptr;  // the owner's: taken off, and not delivered yet
    message* newest_taken_ = nullptr;
    bool is_closed_ = false;
};

/// One loop's way to a mailbox, its own included. Used on the thread of `from`; must outlive the
/// ring of `from`, and the mailbox what was posted.
class mail_route : ring_notice {
public:
    mail_route(io_context& from, mailbox& to) noexcept;

    /// Sends. Errors: `no_buffer_space` (the mailbox is full), `broken_pipe` (it was closed): the
    /// message is the caller's again.
    [[nodiscard]] result<void> post(message& sent,
                                    mailbox::admission how = mailbox::admission::bounded) noexcept;

private:
    void ring_bell() noexcept;

    io_context& from_;
    mailbox& to_;
    const int target_;
};

}  // namespace weft
