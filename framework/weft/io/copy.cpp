#include <weft/io/copy.hpp>
#include <weft/io/offload_pool.hpp>
#include <weft/io/ring.hpp>
#include <weft/io/splice_operation.hpp>

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <span>

namespace weft {
namespace {

constexpr std::size_t wanted_pipe_bytes = std::size_t{1} << 20;  // what anybody may have
constexpr std::size_t default_pipe_bytes = std::size_t{64} << 10;
constexpr std::size_t buffer_bytes = std::size_t{256} << 10;

// As much as a stop may have to wait for.
constexpr std::size_t range_bytes = std::size_t{8} << 20;

bool is_pipe(int fd) noexcept {
    struct stat status{};
    return ::fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode);
}

bool is_file(int fd) noexcept {
    struct stat status{};
    return ::fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
}

result<std::size_t> move_range(int from, std::uint64_t from_offset, int to, std::uint64_t to_offset,
                               std::size_t bytes) {
    auto in = static_cast<off64_t>(from_offset);
    auto out = static_cast<off64_t>(to_offset);
    const ssize_t moved =
        ::copy_file_range(from, from_offset == copy_options::its_position ? nullptr : &in, to,
                          to_offset == copy_options::its_position ? nullptr : &out, bytes, 0);
    if (moved < 0) return std::error_code{errno, std::generic_category()};
    return static_cast<std::size_t>(moved);
}

std::int64_t spliced_from(std::uint64_t offset) noexcept {
    return offset == copy_options::its_position ? -1 : static_cast<std::int64_t>(offset);
}

void advance(std::uint64_t& offset, std::size_t bytes) noexcept {
    if (offset != copy_options::its_position) offset += bytes;
}

}  // namespace

void splice_operation::make(io_operation& self, class ring& ring, ring_completion& done) {
    const auto& op = static_cast<const splice_operation&>(self);
    if (!op.polling_) {
        ring.splice(done, op.from_.fd, op.from_.offset, op.to_.fd, op.to_.offset, op.bytes_);
    } else if (op.side_ == waits_for::source) {
        ring.poll(done, op.from_.fd, POLLIN);
    } else {
        ring.poll(done, op.to_.fd, POLLOUT);
    }
}

auto splice_operation::look(io_operation& self, int answer) noexcept -> next_step {
    auto& op = static_cast<splice_operation&>(self);
    if (!op.polling_ && answer >= 0) return next_step::finish;
    op.polling_ = answer < 0;
    return next_step::again;
}

result<void> copy_job::prepare() {
    if (prepared_) return {};
    prepared_ = true;
    ignore_broken_pipes();
    straight_ = wanted_.splices && (is_pipe(from_) || is_pipe(to_));
    ranges_ = wanted_.splices && is_file(from_) && is_file(to_);
    if (ranges_ || straight_ || !wanted_.splices) return {};
    return make_way();
}

result<void> copy_job::make_way() {
    result<pipe_ends> made = make_pipe();
    if (!made) {
        prepared_ = ranges_;
        return made.error();
    }
    ranges_ = false;
    between_ = *std::move(made);
    const int given =
        ::fcntl(between_.writer.descriptor(), F_SETPIPE_SZ, static_cast<int>(wanted_pipe_bytes));
    pipe_bytes_ = given > 0 ? static_cast<std::size_t>(given) : default_pipe_bytes;
    return {};
}

std::size_t copy_job::next_bytes() const noexcept {
    const std::size_t most = is_buffered() ? buffer_bytes
                             : straight_   ? wanted_pipe_bytes
                                           : pipe_bytes_;
    return static_cast<std::size_t>(std::min<std::uint64_t>(wanted_.bytes, most));
}

void copy_job::taken(std::size_t bytes) noexcept {
    wanted_.bytes -= bytes;
    advance(wanted_.from_offset, bytes);
}

void copy_job::delivered(std::size_t bytes) noexcept {
    copied_ += bytes;
    advance(wanted_.to_offset, bytes);
}

task<result<void>> copy_job::run() {
    if (const result<void> prepared = prepare(); !prepared) co_return prepared;
    for (;;) {
        if (held() == 0 && wanted_.bytes == 0) co_return result<void>{};
        task<result<progress>> step = ranges_         ? copy_range()
                                      : is_buffered() ? move_buffered()
                                      : straight_     ? splice_straight()
                                                      : splice_once();
        const result<progress> made = co_await std::move(step);
        if (!made) co_return made.error();
        if (*made == progress::ended) co_return result<void>{};
        if (*made == progress::moved) continue;
        if (*made == progress::cannot_copy_ranges) {
            if (const result<void> way = make_way(); !way) co_return way;
            continue;
        }
        const result<void> emptied = co_await empty_pipe();
        if (!emptied) co_return emptied;
        wanted_.splices = false;
    }
}

/// Whatever keeps it from working, splicing tells for sure: another file system, a file in append
/// mode, no thread to be had; and 0 bytes may be the end, or a file whose text is made while it is
/// read (/proc).
auto copy_job::copy_range() -> task<result<progress>> {
    const auto bytes =
        static_cast<std::size_t>(std::min<std::uint64_t>(wanted_.bytes, range_bytes));
    const result<std::size_t> moved = co_await offload_pool::shared().run(
        &move_range, int{from_}, std::uint64_t{wanted_.from_offset}, int{to_},
        std::uint64_t{wanted_.to_offset}, bytes);
    if (moved.error() == std::errc::operation_canceled) co_return moved.error();
    if (!moved) co_return progress::cannot_copy_ranges;
    if (*moved == 0) {
        co_return copied_ == 0 ? progress::cannot_copy_ranges : progress::ended;
    }
    taken(*moved);
    delivered(*moved);
    co_return progress::moved;
}

/// One pipe's fill in, or one piece of it out.
auto copy_job::splice_once() -> task<result<progress>> {
    if (in_pipe_ == 0) {
        const splice_side from{from_, spliced_from(wanted_.from_offset)};
        const splice_side pipe{between_.writer.descriptor()};
        const result<std::size_t> got = co_await awaiter<splice_operation>{
            from, pipe, next_bytes(), splice_operation::waits_for::source};
        if (got.error() == std::errc::invalid_argument) co_return progress::cannot_splice;
        if (!got) co_return got.error();
        if (*got == 0) co_return progress::ended;
        taken(*got);
        in_pipe_ = *got;
    }
    const splice_side pipe{between_.reader.descriptor()};
    const splice_side to{to_, spliced_from(wanted_.to_offset)};
    const result<std::size_t> put =
        co_await awaiter<splice_operation>{pipe, to, in_pipe_, splice_operation::waits_for::target};
    if (put.error() == std::errc::invalid_argument) co_return progress::cannot_splice;
    if (!put) co_return put.error();
    if (*put == 0) co_return std::errc::io_error;  // it took nothing, and says no reason
    in_pipe_ -= *put;
    delivered(*put);
    co_return progress::moved;
}

auto copy_job::splice_straight() -> task<result<progress>> {
    const splice_side from{from_, spliced_from(wanted_.from_offset)};
    const splice_side to{to_, spliced_from(wanted_.to_offset)};
    const result<std::size_t> moved = co_await awaiter<splice_operation>{
        from, to, next_bytes(), splice_operation::waits_for::source};
    if (moved.error() == std::errc::invalid_argument) co_return progress::cannot_splice;
    if (!moved) co_return moved.error();
    if (*moved == 0) co_return progress::ended;
    taken(*moved);
    delivered(*moved);
    co_return progress::moved;
}

/// What a target that cannot be spliced to has left in the pipe goes into the buffer.
task<result<void>> copy_job::empty_pipe() {
    buffer_.resize(std::max(buffer_bytes, in_pipe_));
    buffer_begin_ = 0;
    while (in_pipe_ != 0) {
        const std::span<std::byte> room = std::span{buffer_}.subspan(in_buffer_, in_pipe_);
        const result<std::size_t> got = co_await between_.reader.read_some(room);
        if (!got) co_return got.error();
        in_pipe_ -= *got;
        in_buffer_ += *got;
    }
    co_return result<void>{};
}

auto copy_job::move_buffered() -> task<result<progress>> {
    buffer_.resize(std::max(buffer_bytes, buffer_.size()));
    if (in_buffer_ == 0) {
        const std::span<std::byte> room = std::span{buffer_}.first(next_bytes());
        const result<std::size_t> got =
            co_await awaiter<stream_read_operation>{from_, room, wanted_.from_offset};
        if (!got) co_return got.error();
        if (*got == 0) co_return progress::ended;
        taken(*got);
        buffer_begin_ = 0;
        in_buffer_ = *got;
    }
    const std::span<const std::byte> rest = std::span{buffer_}.subspan(buffer_begin_, in_buffer_);
    const result<std::size_t> put =
        co_await awaiter<stream_write_operation>{to_, rest, wanted_.to_offset};
    if (!put) co_return put.error();
    if (*put == 0) co_return std::errc::io_error;
    buffer_begin_ += *put;
    in_buffer_ -= *put;
    delivered(*put);
    co_return progress::moved;
}

task<result<std::uint64_t>> copy(int from, int to, copy_options wanted) {
    copy_job job{from, to, wanted};
    const result<void> done = co_await job.run();
    if (!done) co_return done.error();
    co_return job.copied();
}

}  // namespace weft
