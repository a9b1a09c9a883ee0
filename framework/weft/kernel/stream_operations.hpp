#pragma once
// The operations behind a kernel::tcp_stream's awaitables. A front end owns them; their contracts
// are in tcp_stream.hpp.
//
// Those that read or wait for an end park in a slot of the connection, whose own requests bring the
// events: they can be given up at any time. A write's request reads the caller's memory: a stop
// asks the kernel to end it, and the write completes when the kernel has answered.

#include <weft/base/operation.hpp>
#include <weft/base/result.hpp>
#include <weft/errc.hpp>
#include <weft/kernel/connection.hpp>

#include <cstddef>
#include <span>
#include <string_view>
#include <utility>

namespace weft::kernel {

class stream_operation : public operation {
protected:
    using slot = operation* connection::*;

    stream_operation(completion on_event, completion resume, connection* on, slot place) noexcept
        : operation{on_event}, resume_{resume}, connection_{on}, slot_{place} {}

    void wait(const environment& in) noexcept;
    [[nodiscard]] bool has_failed() const noexcept { return static_cast<bool>(wait_error()); }
    /// Why nothing was tried: stopped, a second operation of the kind, or nothing held.
    [[nodiscard]] std::error_code refusal() const noexcept;
    /// What ended the connection; `not_connected` when nothing did.
    [[nodiscard]] std::error_code end_error() const noexcept;

    completion resume_;
    socket_reference<connection> connection_;
    environment in_;

private:
    slot slot_;
};

template <class Derived>
class stream_wait : public stream_operation {
public:
    void start(const environment& in) noexcept { wait(in); }

protected:
    stream_wait(completion resume, connection* on, slot place) noexcept
        : stream_operation{&on_event, resume, on, place} {}

private:
    static void on_event(operation& posted) noexcept {
        Derived& self = static_cast<Derived&>(posted);
        stream_wait& base = self;
        if (base.has_failed() || self.advance()) {
            base.resume_(self);
        } else {
            base.reset();
            base.wait(base.in_);
        }
    }
};

class read_operation : public stream_wait<read_operation> {
public:
    static constexpr std::string_view trace_name = "kernel::tcp_stream::read_some";
    read_operation(completion resume, connection* on, std::span<std::byte> into) noexcept
        : stream_wait{resume, on, &connection::reader}, into_{into} {}

    [[nodiscard]] bool ready() const noexcept {
        return !connection_ || into_.empty() || connection_->can_read();
    }
    [[nodiscard]] bool advance() const noexcept { return connection_->can_read(); }
    result<std::size_t> finish() noexcept;

private:
    std::span<std::byte> into_;
};

class read_exactly_operation : public stream_wait<read_exactly_operation> {
public:
    static constexpr std::string_view trace_name = "kernel::tcp_stream::read_exactly";
    read_exactly_operation(completion resume, connection* on, std::span<std::byte> into) noexcept
        : stream_wait{resume, on, &connection::reader}, rest_{into} {}

    [[nodiscard]] bool ready() const noexcept {
        return !connection_ || connection_->unread_bytes() >= rest_.size();
    }
    void start(const environment& in) noexcept;
    bool advance() noexcept;
    result<void> finish() noexcept;

private:
    std::span<std::byte> rest_;
};

class readable_operation : public stream_wait<readable_operation> {
public:
    static constexpr std::string_view trace_name = "kernel::tcp_stream::readable";
    readable_operation(completion resume, connection* on) noexcept
        : stream_wait{resume, on, &connection::reader} {}

    [[nodiscard]] bool ready() const noexcept { return !connection_ || advance(); }
    [[nodiscard]] bool advance() const noexcept { return connection_->can_read(); }
    result<void> finish() const noexcept;
};

/// A write, of some or of all of the bytes: one request of the ring at a time.
class send_operation : public operation, ring_completion {
public:
    send_operation(completion resume, connection* on, std::span<const std::byte> bytes,
                   ring::sending how) noexcept;
    ~send_operation();

    [[nodiscard]] bool ready() const noexcept { return !connection_ || rest_.empty(); }
    void start(const environment& in) noexcept;
    /// The connection was aborted.
    void give_up() noexcept;

protected:
    [[nodiscard]] std::error_code failure() const noexcept;

    std::size_t sent_ = 0;

private:
    static void answered(ring_completion& done, int answer, unsigned flags) noexcept;
    static void on_stop(operation& stopped) noexcept;
    void send_rest() noexcept;
    void take(int answer) noexcept;

    socket_reference<connection> connection_;
    std::span<const std::byte> rest_;
    std::error_code error_;
    ring::sending how_;
    bool is_stopping_ = false;
};

class write_operation : public send_operation {
public:
    static constexpr std::string_view trace_name = "kernel::tcp_stream::write_some";
    write_operation(completion resume, connection* on, std::span<const std::byte> bytes) noexcept
        : send_operation{resume, on, bytes, ring::sending::some} {}
    result<std::size_t> finish() const noexcept {
        if (const std::error_code why = failure(); why && sent_ == 0) return why;
        return sent_;
    }
};

class write_all_operation : public send_operation {
public:
    static constexpr std::string_view trace_name = "kernel::tcp_stream::write_all";
    write_all_operation(completion resume, connection* on,
                        std::span<const std::byte> bytes) noexcept
        : send_operation{resume, on, bytes, ring::sending::all} {}
    result<void> finish() const noexcept {
        if (const std::error_code why = failure()) return why;
        return {};
    }
};

class shutdown_operation : public stream_wait<shutdown_operation> {
public:
    static constexpr std::string_view trace_name = "kernel::tcp_stream::shutdown";
    shutdown_operation(completion resume, connection* on) noexcept
        : stream_wait{resume, on, &connection::finisher} {}

    [[nodiscard]] bool ready() const noexcept { return !connection_; }
    void start(const environment& in) noexcept;
    [[nodiscard]] bool advance() const noexcept {
        return error_ || connection_->is_fin_acked() || connection_->is_over() ||
               connection_->error();
    }
    result<void> finish() const noexcept;

private:
    std::error_code error_;
};

class closed_operation : public stream_wait<closed_operation> {
public:
    static constexpr std::string_view trace_name = "kernel::tcp_stream::closed";
    closed_operation(completion resume, connection* on) noexcept
        : stream_wait{resume, on, &connection::closer} {}

    [[nodiscard]] bool ready() const noexcept { return !connection_ || advance(); }
    void start(const environment& in) noexcept;
    [[nodiscard]] bool advance() const noexcept { return connection_->is_over(); }
    result<void> finish() const noexcept;
};

}  // namespace weft::kernel
