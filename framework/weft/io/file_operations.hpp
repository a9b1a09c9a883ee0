#pragma once
// The operations behind `file` (file.hpp): open, read, write, sync, close. Nobody else needs them.

#include <weft/io/io_operation.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <type_traits>

namespace weft {

class file;

struct file_options {
    enum class access : std::uint8_t { read, write, read_write };
    access mode = access::read;
    bool create = false;               ///< make the file when it does not exist
    bool exclusive = false;            ///< with `create`: fail when it exists
    bool truncate = false;             ///< begin empty
    bool append = false;               ///< every write goes to the end, wherever it says
    std::uint32_t permissions = 0644;  ///< of a created file, before the umask
    bool no_follow = false;            ///< fail with ELOOP when the path is a symbolic link
    bool synchronous = false;          ///< a write completes when its data is on the disk
    bool direct = false;  ///< around the page cache: buffer, offset and length as the disk wants
};
static_assert(std::is_trivially_destructible_v<file_options>);

class open_operation : public io_operation {
public:
    enum class lookup : std::uint8_t { anywhere, below_directory, unnamed_in };
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
        : io_operation{on_completion, &make, nullptr, tolerates::interrupted},
          fd_{fd},
          into_{into},
          offset_{offset} {}
    void start(const environment& env) { start_request(env); }
    [[nodiscard]] result<std::size_t> finish() noexcept { return count(); }

private:
    static void make(io_operation& self, class ring& ring, ring_completion& done);

    int fd_;
    std::span<std::byte> into_;
    std::uint64_t offset_;
};

class read_exactly_at_operation : public io_operation {
public:
    read_exactly_at_operation(completion on_completion, int fd, std::span<std::byte> into,
                              std::uint64_t offset) noexcept
        : io_operation{on_completion, &make, &look, tolerates::interrupted},
          fd_{fd},
          into_{into},
          offset_{offset} {}
    void start(const environment& env) { start_request(env); }
    [[nodiscard]] result<void> finish() noexcept;

private:
    static void make(io_operation& self, class ring& ring, ring_completion& done);
    static next_step look(io_operation& self, int answer) noexcept;

    int fd_;
    std::span<std::byte> into_;
    std::uint64_t offset_;
};

class write_at_operation : public io_operation {
public:
    write_at_operation(completion on_completion, int fd, std::span<const std::byte> from,
                       std::uint64_t offset) noexcept
        : io_operation{on_completion, &make, &look, tolerates::interrupted},
          fd_{fd},
          from_{from},
          offset_{offset} {}
    void start(const environment& env) { start_request(env); }
    [[nodiscard]] result<void> finish() noexcept;

private:
    static void make(io_operation& self, class ring& ring, ring_completion& done);
    static next_step look(io_operation& self, int answer) noexcept;

    int fd_;
    std::span<const std::byte> from_;
    std::uint64_t offset_;
};

class sync_operation : public io_operation {
public:
    enum class extent : std::uint8_t { everything, data };
    sync_operation(completion on_completion, int fd, extent what) noexcept
        : io_operation{on_completion, &make}, fd_{fd}, what_{what} {}
    void start(const environment& env) { start_request(env); }
    [[nodiscard]] result<void> finish() noexcept { return nothing(); }

private:
    static void make(io_operation& self, class ring& ring, ring_completion& done);

    int fd_;
    extent what_;
};

class truncate_operation : public io_operation {
public:
    truncate_operation(completion on_completion, int fd, std::uint64_t size_bytes) noexcept
        : io_operation{on_completion, &make}, fd_{fd}, size_bytes_{size_bytes} {}
    void start(const environment& env) { start_request(env); }
    [[nodiscard]] result<void> finish() noexcept { return nothing(); }

private:
    static void make(io_operation& self, class ring& ring, ring_completion& done);

    int fd_;
    std::uint64_t size_bytes_;
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

}  // namespace weft
