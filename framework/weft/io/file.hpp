#pragma once
// Files through io_uring: open, read, write, size, close, without blocking the loop.
//
// A `file` owns a descriptor and has no position: reads and writes say where. Every awaitable
// resumes on the loop that awaits it; several may be in flight on one file. The caller's buffer
// must stay until the awaitable completed; cancelling waits for the kernel to let go of it. Errors
// are errno values in std::generic_category(), or `std::errc::operation_canceled`.

#include <weft/awaiter.hpp>
#include <weft/io/io_operation.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <utility>

namespace weft {

struct file_options {
    enum class access : std::uint8_t { read, write, read_write };
    access mode = access::read;
    bool create = false;               ///< make the file when it does not exist
    bool exclusive = false;            ///< with `create`: fail when it exists
    bool truncate = false;             ///< begin empty
    bool append = false;               ///< every write goes to the end, wherever it says
    std::uint32_t permissions = 0644;  ///< of a created file, before the umask
};
static_assert(std::is_trivially_destructible_v<file_options>);

struct file_status {
    enum class type : std::uint8_t { regular, directory, other };
    type kind = type::other;
    std::uint64_t size_bytes = 0;
    std::chrono::system_clock::time_point modified;
};

class file;

class open_operation : public io_operation {
public:
    enum class lookup : std::uint8_t { anywhere, below_directory };
    open_operation(completion on_completion, lookup where, int directory, std::string path,
                   file_options options);
    ~open_operation();  // a descriptor nobody asked for is closed
    void start(const environment& env) { start_request(env); }
    [[nodiscard]] result<file> finish();

private:
    static void make(io_operation& self, class ring& ring, ring_completion& done);

    int directory_;
    std::string path_;
    std::unique_ptr<open_how> how_;
    bool taken_ = false;
};

class read_at_operation : public io_operation {
public:
    read_at_operation(completion on_completion, int fd, std::span<std::byte> into,
                      std::uint64_t offset) noexcept
        : io_operation{on_completion, &make}, fd_{fd}, into_{into}, offset_{offset} {}
    void start(const environment& env) { start_request(env); }
    [[nodiscard]] result<std::size_t> finish() noexcept { return count(); }

private:
    static void make(io_operation& self, class ring& ring, ring_completion& done);

    int fd_;
    std::span<std::byte> into_;
    std::uint64_t offset_;
};

class write_at_operation : public io_operation {
public:
    write_at_operation(completion on_completion, int fd, std::span<const std::byte> from,
                       std::uint64_t offset) noexcept
        : io_operation{on_completion, &make, &look}, fd_{fd}, from_{from}, offset_{offset} {}
    void start(const environment& env) { start_request(env); }
    [[nodiscard]] result<void> finish() noexcept;

private:
    static void make(io_operation& self, class ring& ring, ring_completion& done);
    static next_step look(io_operation& self, int answer) noexcept;

    int fd_;
    std::span<const std::byte> from_;
    std::uint64_t offset_;
};

class status_operation : public io_operation {
public:
    status_operation(completion on_completion, int fd) noexcept;
    ~status_operation();
    void start(const environment& env) { start_request(env); }
    [[nodiscard]] result<file_status> finish() noexcept;

private:
    static void make(io_operation& self, class ring& ring, ring_completion& done);

    int fd_;
    std::unique_ptr<struct statx> answer_;
};

class sync_operation : public io_operation {
public:
    sync_operation(completion on_completion, int fd) noexcept
        : io_operation{on_completion, &make}, fd_{fd} {}
    void start(const environment& env) { start_request(env); }
    [[nodiscard]] result<void> finish() noexcept { return nothing(); }

private:
    static void make(io_operation& self, class ring& ring, ring_completion& done);

    int fd_;
};

/// Owns the descriptor until the kernel has closed it; a stop does not keep it from closing.
class close_operation : public io_operation {
public:
    using ignores_stop = void;
    close_operation(completion on_completion, int fd) noexcept
        : io_operation{on_completion, &make}, fd_{fd} {}
    ~close_operation();
    void start(const environment& env) { start_request({env.scheduler, {}}); }
    [[nodiscard]] result<void> finish() noexcept { return nothing(); }

private:
    static void make(io_operation& self, class ring& ring, ring_completion& done);

    int fd_;
    bool handed_over_ = false;
};

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

    /// Reads up to `into.size()` bytes that lie at `offset`; 0 at the end of the file.
    [[nodiscard]] auto read_some_at(std::uint64_t offset, std::span<std::byte> into) const {
        return awaiter<read_at_operation>{fd_, into, offset};
    }
    /// Writes all of `from` at `offset`. After an error, or a cancellation, part may be written.
    [[nodiscard]] auto write_all_at(std::uint64_t offset, std::span<const std::byte> from) const {
        return awaiter<write_at_operation>{fd_, from, offset};
    }
    /// Size, kind and time of the last change of the contents.
    [[nodiscard]] auto status() const { return awaiter<status_operation>{fd_}; }
    /// Completes when contents and metadata are on the disk.
    [[nodiscard]] auto sync() const { return awaiter<sync_operation>{fd_}; }
    /// Closes and reports what a late write has to say; the file is empty from the call on.
    [[nodiscard]] auto close() { return awaiter<close_operation>{std::exchange(fd_, -1)}; }

    [[nodiscard]] bool is_open() const noexcept { return fd_ >= 0; }
    [[nodiscard]] int descriptor() const noexcept { return fd_; }

private:
    int fd_ = -1;
};

}  // namespace weft
