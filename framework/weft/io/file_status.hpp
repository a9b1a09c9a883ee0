#pragma once
// What stat(2) tells about a file, and the awaitable that asks.

#include <weft/io/io_operation.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

namespace weft {

struct file_status {
    enum class type : std::uint8_t {
        regular,
        directory,
        symlink,
        fifo,
        socket,
        character_device,
        block_device,
        other
    };
    using time_point = std::chrono::system_clock::time_point;

    type kind = type::other;
    std::uint32_t permissions = 0;  ///< the lowest twelve bits of the mode
    std::uint64_t size_bytes = 0;
    std::uint64_t allocated_bytes = 0;
    std::uint64_t inode = 0;
    std::uint64_t device = 0;  ///< with `inode`: which file it is
    std::uint32_t links = 0;
    std::uint32_t user = 0;
    std::uint32_t group = 0;
    time_point modified;  ///< the contents
    time_point changed;   ///< contents, name or attributes

    [[nodiscard]] bool is_same_file(const file_status& other) const noexcept {
        return inode == other.inode && device == other.device;
    }
};

enum class follow : std::uint8_t { symlinks, nothing };

class status_operation : public io_operation {
public:
    status_operation(completion on_completion, int fd);
    status_operation(completion on_completion, std::string path, follow what);
    status_operation(completion on_completion, int directory, std::string path, follow what);
    ~status_operation();
    void start(const environment& env) { start_request(env); }
    [[nodiscard]] result<file_status> finish() noexcept;

private:
    static void make(io_operation& self, class ring& ring, ring_completion& done);

    int directory_;
    int flags_;
    std::string path_;
    std::unique_ptr<struct statx> answer_;
};

}  // namespace weft
