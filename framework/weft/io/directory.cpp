#include <weft/io/directory.hpp>

#include <dirent.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace weft {
namespace {

static_assert(AT_REMOVEDIR == 0x200);

constexpr std::size_t page_bytes = 32 * 1024;  // what getdents64 fills in one call

/// The fixed part of the kernel's linux_dirent64; the name follows it.
struct entry_head {
    std::uint64_t inode;
    std::int64_t next;
    std::uint16_t length;
    std::uint8_t type;
};
constexpr std::size_t name_offset = 19;

file_status::type kind_of(std::uint8_t type) noexcept {
    using enum file_status::type;
    switch (type) {
        case DT_REG: return regular;
        case DT_DIR: return directory;
        case DT_LNK: return symlink;
        case DT_FIFO: return fifo;
        case DT_SOCK: return socket;
        case DT_CHR: return character_device;
        case DT_BLK: return block_device;
        default: return other;
    }
}

result<std::size_t> read_entries(int fd, std::byte* into) {
    const long got = ::syscall(SYS_getdents64, fd, into, page_bytes);
    if (got < 0) return std::error_code{errno, std::generic_category()};
    return static_cast<std::size_t>(got);
}

}  // namespace

task<result<directory>> directory::open(std::string path) {
    result<file> opened = co_await file::open(std::move(path));
    if (!opened) co_return opened.error();
    directory made{*std::move(opened)};
    const result<file_status> status = co_await made.folder_.status();
    if (!status) co_return status.error();
    if (status->kind != file_status::type::directory) co_return std::errc::not_a_directory;
    co_return made;
}

task<result<directory>> directory::open_directory(std::string path) const {
    result<file> opened = co_await folder_.open_below(std::move(path));
    if (!opened) co_return opened.error();
    directory made{*std::move(opened)};
    const result<file_status> status = co_await made.folder_.status();
    if (!status) co_return status.error();
    if (status->kind != file_status::type::directory) co_return std::errc::not_a_directory;
    co_return made;
}

task<result<directory::page>> directory::next_page() {
    if (!buffer_) buffer_ = std::make_unique<std::byte[]>(page_bytes);
    entries_.clear();
    while (entries_.empty()) {  // a page may hold nothing but `.` and `..`
        const result<std::size_t> got =
            co_await offload_pool::shared().run(&read_entries, folder_.descriptor(), buffer_.get());
        if (!got) co_return got.error();
        if (*got == 0) break;
        parse(*got);
    }
    co_return page{entries_};
}

void directory::parse(std::size_t bytes) {
    const std::byte* at = buffer_.get();
    const std::byte* const end = at + bytes;
    while (at < end) {
        entry_head head{};
        std::memcpy(&head, at, name_offset);
        const std::string_view name{reinterpret_cast<const char*>(at + name_offset)};
        if (name != "." && name != "..") {
            entries_.push_back({name, head.inode, kind_of(head.type)});
        }
        at += head.length;
    }
}

result<void> directory::rewind() {
    if (::lseek(folder_.descriptor(), 0, SEEK_SET) == 0) return {};
    return std::error_code{errno, std::generic_category()};
}

}  // namespace weft
