#include <weft/io/file.hpp>

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <unistd.h>

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
    return static_cast<std::uint64_t>(flags);
}

file_status::type kind_of(unsigned mode) noexcept {
    if (S_ISREG(mode)) return file_status::type::regular;
    if (S_ISDIR(mode)) return file_status::type::directory;
    return file_status::type::other;
}

}  // namespace

open_operation::open_operation(completion on_completion, lookup where, int directory,
                               std::string path, file_options options)
    : io_operation{on_completion, &make},
      directory_{where == lookup::anywhere ? AT_FDCWD : directory},
      path_{std::move(path)},
      how_{std::make_unique<open_how>()} {
    how_->flags = flags_of(options);
    if (options.create) how_->mode = options.permissions & 07777U;
    if (where == lookup::below_directory) how_->resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
}

open_operation::~open_operation() {
    abandon();
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

status_operation::status_operation(completion on_completion, int fd) noexcept
    : io_operation{on_completion, &make}, fd_{fd}, answer_{std::make_unique<struct statx>()} {}

status_operation::~status_operation() { abandon(); }

void status_operation::make(io_operation& self, class ring& ring, ring_completion& done) {
    auto& op = static_cast<status_operation&>(self);
    ring.status(done, op.fd_, STATX_TYPE | STATX_SIZE | STATX_MTIME, *op.answer_);
}

result<file_status> status_operation::finish() noexcept {
    if (const std::error_code error = failure()) return error;
    const auto since_epoch = std::chrono::seconds{answer_->stx_mtime.tv_sec} +
                             std::chrono::nanoseconds{answer_->stx_mtime.tv_nsec};
    return file_status{kind_of(answer_->stx_mode), answer_->stx_size,
                       std::chrono::system_clock::time_point{since_epoch}};
}

void sync_operation::make(io_operation& self, class ring& ring, ring_completion& done) {
    ring.sync(done, static_cast<sync_operation&>(self).fd_);
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

file::~file() {
    if (fd_ >= 0) ::close(fd_);
}

}  // namespace weft
