#pragma once
// Bytes in a row through a descriptor: the ends of a pipe, standard input and output.
//
// An `input_stream` or an `output_stream` owns a descriptor and has no offset; the functions are
// named as those of every stream. One read and one write at a time is what makes sense; more are
// served in the kernel's order. Everything resumes on the awaiting loop; a buffer stays until its
// awaitable completed; a stop moves nothing of a read, and of a write_all what was written by then.
// Descriptors in O_NONBLOCK mode work too: the stream polls. Errors are errno values.
//
// A pipe whose reader is gone answers with EPIPE: the first output_stream makes the process ignore
// SIGPIPE, unless it has a handler for it.

#include <weft/awaiter.hpp>
#include <weft/base/result.hpp>
#include <weft/errc.hpp>
#include <weft/io/file_operations.hpp>
#include <weft/io/stream_operations.hpp>
#include <weft/io/wait_fd.hpp>

#include <cstddef>
#include <span>
#include <utility>

namespace weft {

/// A descriptor that is closed, on the spot, by whoever owns it last.
class owned_descriptor {
public:
    owned_descriptor() noexcept = default;
    explicit owned_descriptor(int fd) noexcept : fd_{fd} {}
    owned_descriptor(owned_descriptor&& other) noexcept : fd_{other.release()} {}
    owned_descriptor& operator=(owned_descriptor&& other) noexcept {
        const owned_descriptor closed{std::exchange(fd_, other.release())};
        return *this;
    }
    ~owned_descriptor();

    [[nodiscard]] int get() const noexcept { return fd_; }
    [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }
    explicit operator bool() const noexcept { return fd_ >= 0; }

private:
    int fd_ = -1;
};

class input_stream {
public:
    input_stream() noexcept = default;  ///< none: every call fails with EBADF
    /// Takes over an open descriptor.
    explicit input_stream(int fd) noexcept : fd_{fd} {}

    /// Reads what is there, at most `into.size()` bytes, at least one; 0 at the end.
    [[nodiscard]] auto read_some(std::span<std::byte> into) const {
        return awaiter<stream_read_operation>{fd_.get(), into};
    }
    /// Fills all of `into`, or fails with `errc::end_of_stream`. After an error or a stop nothing
    /// says how much was read.
    [[nodiscard]] auto read_exactly(std::span<std::byte> into) const {
        return awaiter<stream_read_exactly_operation>{fd_.get(), into};
    }
    /// Completes with success when a read would not wait: bytes are there, or the end.
    [[nodiscard]] auto readable() const { return wait_fd(fd_.get(), fd_event::readable); }
    /// Closes; the stream is empty from the call on.
    [[nodiscard]] auto close() { return awaiter<close_operation>{fd_.release()}; }

    [[nodiscard]] int descriptor() const noexcept { return fd_.get(); }
    [[nodiscard]] int release() noexcept { return fd_.release(); }
    explicit operator bool() const noexcept { return static_cast<bool>(fd_); }

private:
    owned_descriptor fd_;
};

class output_stream {
public:
    output_stream() noexcept = default;
    explicit output_stream(int fd) noexcept;

    /// Writes as much as fits, at least one byte of a `from` that is not empty.
    [[nodiscard]] auto write_some(std::span<const std::byte> from) const {
        return awaiter<stream_write_operation>{fd_.get(), from};
    }
    /// Writes all. Completes when the kernel has taken the last byte.
    [[nodiscard]] auto write_all(std::span<const std::byte> from) const {
        return awaiter<stream_write_all_operation>{fd_.get(), from};
    }
    /// Closes, which a reader sees as the end; the stream is empty from the call on.
    [[nodiscard]] auto close() { return awaiter<close_operation>{fd_.release()}; }

    [[nodiscard]] int descriptor() const noexcept { return fd_.get(); }
    [[nodiscard]] int release() noexcept { return fd_.release(); }
    explicit operator bool() const noexcept { return static_cast<bool>(fd_); }

private:
    owned_descriptor fd_;
};

struct pipe_ends {
    input_stream reader;
    output_stream writer;
};

/// A pipe within the process, or for a child. Errors: too_many_files_open, …
[[nodiscard]] result<pipe_ends> make_pipe();

/// The process's standard streams, through descriptors of their own: closing one leaves 0, 1 and 2
/// open. Errors: too_many_files_open, bad_file_descriptor where the process was given none.
[[nodiscard]] result<input_stream> standard_input();
[[nodiscard]] result<output_stream> standard_output();
[[nodiscard]] result<output_stream> standard_error();

/// Makes the process ignore SIGPIPE, once, if it has its default action.
void ignore_broken_pipes() noexcept;

}  // namespace weft
