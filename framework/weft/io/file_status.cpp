#include <weft/io/file_status.hpp>
#include <weft/io/ring.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <utility>

namespace weft {
namespace {

file_status::type kind_of(unsigned mode) noexcept {
    using enum file_status::type;
    switch (mode & S_IFMT) {
        case S_IFREG: return regular;
        case S_IFDIR: return directory;
        case S_IFLNK: return symlink;
        case S_IFIFO: return fifo;
        case S_IFSOCK: return socket;
        case S_IFCHR: return character_device;
        case S_IFBLK: return block_device;
        default: return other;
    }
}

file_status::time_point time_of(const statx_timestamp& stamp) noexcept {
    return file_status::time_point{std::chrono::seconds{stamp.tv_sec} +
                                   std::chrono::nanoseconds{stamp.tv_nsec}};
}

int flags_of(follow what) noexcept { return what == follow::symlinks ? 0 : AT_SYMLINK_NOFOLLOW; }

}  // namespace

status_operation::status_operation(completion on_completion, int fd)
    : io_operation{on_completion, &make},
      directory_{fd},
      flags_{AT_EMPTY_PATH},
      answer_{std::make_unique<struct statx>()} {}

status_operation::status_operation(completion on_completion, std::string path, follow what)
    : status_operation{on_completion, AT_FDCWD, std::move(path), what} {}

status_operation::status_operation(completion on_completion, int directory, std::string path,
                                   follow what)
    : io_operation{on_completion, &make},
      directory_{directory},
      flags_{flags_of(what)},
      path_{std::move(path)},
      answer_{std::make_unique<struct statx>()} {}

status_operation::~status_operation() { abandon(); }

void status_operation::make(io_operation& self, class ring& ring, ring_completion& done) {
    auto& op = static_cast<status_operation&>(self);
    ring.status_of(done, op.directory_, op.path_.c_str(), op.flags_, STATX_BASIC_STATS,
                   *op.answer_);
}

result<file_status> status_operation::finish() noexcept {
    if (const std::error_code error = failure()) return error;
    const struct statx& from = *answer_;
    file_status status;
    status.kind = kind_of(from.stx_mode);
    status.permissions = from.stx_mode & 07777U;
    status.size_bytes = from.stx_size;
    status.allocated_bytes = from.stx_blocks * 512;
    status.inode = from.stx_ino;
    status.device = ::makedev(from.stx_dev_major, from.stx_dev_minor);
    status.links = from.stx_nlink;
    status.user = from.stx_uid;
    status.group = from.stx_gid;
    status.modified = time_of(from.stx_mtime);
    status.changed = time_of(from.stx_ctime);
    return status;
}

}  // namespace weft
