#pragma once
// The operations behind a tcp_stream's awaitables: what each waits for and what it does then. A
// front end (coroutine, fiber, callback) owns them; their contracts are in tcp_stream.hpp.

#include <weft/net/io/stream_operation.hpp>

#include <cstddef>
#include <span>
#include <string_view>

namespace weft::net {

class read_operation : public stream_wait<read_operation> {
public:
    static constexpr std::string_view trace_name = "tcp_stream::read_some";
    read_operation(completion resume, host* owner, tcp::connection* on,
                   std::span<std::byte> into) noexcept
        : stream_wait{resume, owner, on, tcp::wait::readable}, into_{into} {}

    [[nodiscard]] bool ready() const noexcept {
        return connection_ == nullptr || into_.empty() || connection_->can_read();
    }
    [[nodiscard]] bool advance() const noexcept { return connection_->can_read(); }
    result<std::size_t> finish() noexcept;

private:
    std::span<std::byte> into_;
};

class read_exactly_operation : public stream_wait<read_exactly_operation> {
public:
    static constexpr std::string_view trace_name = "tcp_stream::read_exactly";
    read_exactly_operation(completion resume, host* owner, tcp::connection* on,
                           std::span<std::byte> into) noexcept
        : stream_wait{resume, owner, on, tcp::wait::readable}, rest_{into} {}

    [[nodiscard]] bool ready() const noexcept;
    void start(const environment& in) noexcept;
    bool advance() noexcept;
    result<void> finish() noexcept;

private:
    std::span<std::byte> rest_;
};

class readable_operation : public stream_wait<readable_operation> {
public:
    static constexpr std::string_view trace_name = "tcp_stream::readable";
    readable_operation(completion resume, host* owner, tcp::connection* on) noexcept
        : stream_wait{resume, owner, on, tcp::wait::readable} {}

    [[nodiscard]] bool ready() const noexcept { return connection_ == nullptr || advance(); }
    [[nodiscard]] bool advance() const noexcept { return connection_->can_read(); }
    result<void> finish() const noexcept;
};

class write_operation : public stream_wait<write_operation> {
public:
    static constexpr std::string_view trace_name = "tcp_stream::write_some";
    write_operation(completion resume, host* owner, tcp::connection* on,
                    std::span<const std::byte> bytes,
                    tcp::urgency how = tcp::urgency::normal) noexcept
        : stream_wait{resume, owner, on, tcp::wait::writable}, bytes_{bytes}, how_{how} {}

    [[nodiscard]] bool ready() const noexcept {
        return connection_ == nullptr || bytes_.empty() || advance();
    }
    [[nodiscard]] bool advance() const noexcept {
        return connection_->can_write() || connection_->write_room() >= bytes_.size();
    }
    result<std::size_t> finish() noexcept;

private:
    std::span<const std::byte> bytes_;
    tcp::urgency how_;
};

class write_all_operation : public stream_wait<write_all_operation> {
public:
    static constexpr std::string_view trace_name = "tcp_stream::write_all";
    write_all_operation(completion resume, host* owner, tcp::connection* on,
                        std::span<const std::byte> bytes) noexcept
        : stream_wait{resume, owner, on, tcp::wait::writable}, rest_{bytes} {}

    [[nodiscard]] bool ready() const noexcept {
        return connection_ == nullptr || rest_.empty() || connection_->write_room() >= rest_.size();
    }
    void start(const environment& in) noexcept;
    bool advance() noexcept;
    result<void> finish() noexcept;

private:
    std::span<const std::byte> rest_;
    std::error_code error_;
};

class urgent_operation : public stream_wait<urgent_operation> {
public:
    static constexpr std::string_view trace_name = "tcp_stream::urgent";
    urgent_operation(completion resume, host* owner, tcp::connection* on) noexcept
        : stream_wait{resume, owner, on, tcp::wait::urgent} {}

    [[nodiscard]] bool ready() const noexcept { return connection_ == nullptr || advance(); }
    [[nodiscard]] bool advance() const noexcept {
        return connection_->has_urgent_news() || connection_->is_fin_received() ||
               connection_->state() == tcp::state::closed;
    }
    result<std::size_t> finish() noexcept;
};

class shutdown_operation : public stream_wait<shutdown_operation> {
public:
    static constexpr std::string_view trace_name = "tcp_stream::shutdown";
    shutdown_operation(completion resume, host* owner, tcp::connection* on) noexcept
        : stream_wait{resume, owner, on, tcp::wait::fin_acked} {}

    [[nodiscard]] bool ready() const noexcept { return connection_ == nullptr; }
    void start(const environment& in) noexcept;
    [[nodiscard]] bool advance() const noexcept {
        return static_cast<bool>(error_) || connection_->is_fin_acked() ||
               connection_->state() == tcp::state::closed;
    }
    result<void> finish() const noexcept;

private:
    std::error_code error_;
};

class closed_operation : public stream_wait<closed_operation> {
public:
    static constexpr std::string_view trace_name = "tcp_stream::closed";
    closed_operation(completion resume, host* owner, tcp::connection* on) noexcept
        : stream_wait{resume, owner, on, tcp::wait::finished} {}

    [[nodiscard]] bool ready() const noexcept { return connection_ == nullptr || advance(); }
    [[nodiscard]] bool advance() const noexcept { return connection_->is_finished(); }
    result<void> finish() const noexcept;
};

class reached_operation : public stream_wait<reached_operation> {
public:
    static constexpr std::string_view trace_name = "tcp_stream::reached";
    reached_operation(completion resume, host* owner, tcp::connection* on,
                      tcp::state awaited) noexcept
        : stream_wait{resume, owner, on, tcp::wait::visited}, awaited_{awaited} {}

    [[nodiscard]] bool ready() const noexcept { return connection_ == nullptr || advance(); }
    [[nodiscard]] bool advance() const noexcept { return was_reached() || !can_be_reached(); }
    result<void> finish() const noexcept;

private:
    [[nodiscard]] bool was_reached() const noexcept;
    [[nodiscard]] bool can_be_reached() const noexcept;

    tcp::state awaited_;
};

}  // namespace weft::net
