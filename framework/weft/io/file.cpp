#include <weft/errc.hpp>
#include <weft/io/file.hpp>
#include <weft/io/offload_pool.hpp>

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/types.h>
#include <unistd.h>

#include <cerrno>

namespace weft {
namespace {

std::uint64_t flags_of(const file_options& options) noexcept {
    int flags = O_CLOEXEC;
    switch (options.mode) {
        case file_options::access::read: flags |= O_RDONLY; break;
        case file_options::access::write: flags |= O_WRONLY; break;
        case file_options::access::read_write: flags |= O_RDWR; break;
    }
    if (options.create) flags |= O_CREAT;
    if (options.exclusive) flags |= O_EXCL;
    if (options.truncate) flags |= O_TRUNC;
    if (options.append) flags |= O_APPEND;
    if (options.no_follow) flags |= O_NOFOLLOW;
    if (options.synchronous) flags |= O_DSYNC;
    if (options.direct) flags |= O_DIRECT;
    return static_cast<std::uint64_t>(flags);
}

}  // namespace

open_operation::open_operation(completion on_completion, lookup where, int directory,
                               std::string path, file_options options)
    : io_operation{on_completion, &make},
      directory_{where == lookup::below_directory ? directory : AT_FDCWD},
      path_{std::move(path)},
      how_{std::make_unique<open_how>()} {
    how_->flags = flags_of(options);
    if (options.create) how_->mode = options.permissions & 07777U;
    if (where == lookup::unnamed_in) {
        how_->flags |= O_TMPFILE;
        how_->mode = options.permissions & 07777U;
    }
    if (where == lookup::below_directory) how_->resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
}

open_operation::~open_operation() {
    abandon(ring::answers::close_unwanted);
    if (!taken_ && answer() >= 0) ::close(answer());
}

void open_operation::make(io_operation& self, class ring& ring, ring_completion& done) {
    auto& op = static_cast<open_operation&>(self);
    ring.open(done, op.directory_, op.path_.c_str(), *op.how_);
}

result<file> open_operation::finish() {
    if (const std::error_code error = failure()) return error;
    taken_ = true;
    return file{answer()};
}

void read_at_operation::make(io_operation& self, class ring& ring, ring_completion& done) {
    auto& op = static_cast<read_at_operation&>(self);
    ring.read(done, op.fd_, op.into_, op.offset_);
}

void read_exactly_at_operation::make(io_operation& self, class ring& ring, ring_completion& done) {
    auto& op = static_cast<read_exactly_at_operation&>(self);
    ring.read(done, op.fd_, op.into_, op.offset_);
}

auto read_exactly_at_operation::look(io_operation& self, int answer) noexcept -> next_step {
    auto& op = static_cast<read_exactly_at_operation&>(self);
    const auto got = static_cast<std::size_t>(answer);
    op.into_ = op.into_.subspan(got);
    op.offset_ += got;
    return op.into_.empty() || got == 0 ? next_step::finish : next_step::again;
}

result<void> read_exactly_at_operation::finish() noexcept {
    if (const std::error_code error = failure()) return error;
    if (!into_.empty()) return errc::end_of_stream;
    return {};
}

void write_at_operation::make(io_operation& self, class ring& ring, ring_completion& done) {
    auto& op = static_cast<write_at_operation&>(self);
    ring.write(done, op.fd_, op.from_, op.offset_);
}

result<void> write_at_operation::finish() noexcept {
    if (const std::error_code error = failure()) return error;
    if (!from_.empty()) return std::errc::io_error;  // the kernel took nothing more, and no reason
    return {};
}

/// A short write goes on where it ended. A write that moves nothing would do so for ever.
auto write_at_operation::look(io_operation& self, int answer) noexcept -> next_step {
    auto& op = static_cast<write_at_operation&>(self);
    const auto written = static_cast<std::size_t>(answer);
    op.from_ = op.from_.subspan(written);
    op.offset_ += written;
    return op.from_.empty() || written == 0 ? next_step::finish : next_step::again;
}

void sync_operation::make(io_operation& self, class ring& ring, ring_completion& done) {
    const auto& op = static_cast<const sync_operation&>(self);
    if (op.what_ == extent::everything) {
        ring.sync(done, op.fd_);
    } else {
        ring.sync_data(done, op.fd_);
    }
}

void truncate_operation::make(io_operation& self, class ring& ring, ring_completion& done) {
    const auto& op = static_cast<const truncate_operation&>(self);
    ring.truncate(done, op.fd_, op.size_bytes_);
}

/// EINVAL may come from a kernel that does not know the request: the system call tells for sure.
task<result<void>> file::truncate(std::uint64_t size_bytes) const {
    const result<void> truncated = co_await awaiter<truncate_operation>{fd_, size_bytes};
    if (truncated.error() != std::errc::invalid_argument) co_return truncated;
    co_return co_await offload_pool::shared().run([fd = fd_, size_bytes]() -> result<void> {
        if (::ftruncate(fd, static_cast<off_t>(size_bytes)) == 0) return {};
        return std::error_code{errno, std::generic_category()};
    });
}

close_operation::~close_operation() {
    abandon();
    if (!handed_over_ && fd_ >= 0) ::close(fd_);
}

void close_operation::make(io_operation& self, class ring& ring, ring_completion& done) {
    auto& op = static_cast<close_operation&>(self);
    op.handed_over_ = true;
    ring.close(done, op.fd_);
}

/// By the name that every open file has; linking a descriptor itself takes a privilege.
path_change file::publish(std::string name) const {
    place unnamed{"/proc/self/fd/" + std::to_string(fd_)};
    return path_change{path_operation::change::link, unsigned{AT_SYMLINK_FOLLOW},
                       std::move(unnamed), place{std::move(name)}};
}

file::~file() {
    if (fd_ >= 0) ::close(fd_);
}

}  // namespace weft
