#pragma once
// Files through io_uring: open, read, write, size, close, names, without blocking the loop.
//
// A `file` owns a descriptor and has no position: reads and writes say where. Every awaitable
// resumes on the loop that awaits it; several may be in flight on one file. The caller's buffer
// must stay until the awaitable completed; cancelling waits for the kernel to let go of it. Errors
// are errno values in std::generic_category(), or `std::errc::operation_canceled`. Folders and what
// is in them: directory.hpp; bytes in a row: byte_stream.hpp; from here to there: copy.hpp.

#include <weft/awaiter.hpp>
#include <weft/errc.hpp>
#include <weft/io/file_operations.hpp>
#include <weft/io/file_status.hpp>
#include <weft/io/path_operation.hpp>
#include <weft/task.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

namespace weft {

class file {
public:
    file() noexcept = default;  ///< none: every call fails with EBADF
    /// Takes over an open descriptor.
    explicit file(int fd) noexcept : fd_{fd} {}
    file(file&& other) noexcept : fd_{std::exchange(other.fd_, -1)} {}
    file& operator=(file&& other) noexcept {
        const file closed{std::exchange(fd_, std::exchange(other.fd_, -1))};
        return *this;
    }
    ~file();  ///< closes, on the spot

    /// A file or a directory by its path; directories open for reading only.
    [[nodiscard]] static auto open(std::string path, file_options options = {}) {
        return awaiter<open_operation>{open_operation::lookup::anywhere, -1, std::move(path),
                                       options};
    }
    /// A path below this directory, and nowhere else: `..`, absolute paths and symbolic links that
    /// lead out fail with EXDEV, in the kernel and without a race.
    [[nodiscard]] auto open_below(std::string path, file_options options = {}) const {
        return awaiter<open_operation>{open_operation::lookup::below_directory, fd_,
                                       std::move(path), options};
    }
    /// A new file without a name in `folder`: it goes when it is closed. For reading and writing.
    /// `operation_not_supported` where the file system has no such files.
    [[nodiscard]] static auto open_unnamed(std::string folder) {
        return awaiter<open_operation>{
            open_operation::lookup::unnamed_in, -1, std::move(folder),
            file_options{.mode = file_options::access::read_write, .permissions = 0600}};
    }

    /// Gives a file of `open_unnamed` a name, complete as it is by then; file_exists when another
    /// has that name.
    [[nodiscard]] path_change publish(std::string name) const;

    /// Reads up to `into.size()` bytes that lie at `offset`; 0 at the end of the file.
    [[nodiscard]] auto read_some_at(std::uint64_t offset, std::span<std::byte> into) const {
        return awaiter<read_at_operation>{fd_, into, offset};
    }
    /// Fills all of `into` from `offset` on, or fails with `errc::end_of_stream`. After an error
    /// the first bytes may have been read.
    [[nodiscard]] auto read_exactly_at(std::uint64_t offset, std::span<std::byte> into) const {
        return awaiter<read_exactly_at_operation>{fd_, into, offset};
    }
    /// Writes all of `from` at `offset`. After an error, or a cancellation, part may be written.
    [[nodiscard]] auto write_all_at(std::uint64_t offset, std::span<const std::byte> from) const {
        return awaiter<write_at_operation>{fd_, from, offset};
    }
    /// Makes the file `size_bytes` long: what is cut is gone, what is new reads as zeros.
    [[nodiscard]] task<result<void>> truncate(std::uint64_t size_bytes) const;
    /// Size, kind, owner, and the times of the last changes.
    [[nodiscard]] auto status() const { return awaiter<status_operation>{fd_}; }
    /// Completes when contents and metadata are on the disk.
    [[nodiscard]] auto sync() const {
        return awaiter<sync_operation>{fd_, sync_operation::extent::everything};
    }
    /// Completes when the contents are on the disk, and of the metadata what reading them needs.
    [[nodiscard]] auto sync_data() const {
        return awaiter<sync_operation>{fd_, sync_operation::extent::data};
    }
    /// Closes and reports what a late write has to say; the file is empty from the call on.
    [[nodiscard]] auto close() { return awaiter<close_operation>{std::exchange(fd_, -1)}; }

    // ---- by path, as the system calls of these names

    [[nodiscard]] static auto status_of(std::string path, follow what = follow::symlinks) {
        return awaiter<status_operation>{std::move(path), what};
    }
    /// Removes a name; the file goes with its last name and its last descriptor.
    [[nodiscard]] static path_change remove(std::string path) {
        return path_change{path_operation::change::remove, 0U, place{std::move(path)}, place{}};
    }
    /// Gives a file or folder another name, in one step; what had that name before is gone.
    [[nodiscard]] static path_change rename(std::string from, std::string to) {
        return path_change{path_operation::change::rename, 0U, place{std::move(from)},
                           place{std::move(to)}};
    }
    /// A second name for the file `existing`.
    [[nodiscard]] static path_change link(std::string existing, std::string name) {
        return path_change{path_operation::change::link, 0U, place{std::move(existing)},
                           place{std::move(name)}};
    }
    /// A name that stands for the path `target`, which need not exist.
    [[nodiscard]] static path_change symlink(std::string target, std::string name) {
        return path_change{path_operation::change::symlink, 0U, place{std::move(target)},
                           place{std::move(name)}};
    }

    [[nodiscard]] bool is_open() const noexcept { return fd_ >= 0; }
    [[nodiscard]] int descriptor() const noexcept { return fd_; }
    /// Hands the descriptor over; the file is empty afterwards.
    [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }

private:
    using place = path_operation::place;

    int fd_ = -1;
};

}  // namespace weft
