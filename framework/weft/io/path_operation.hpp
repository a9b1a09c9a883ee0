#pragma once
// What changes names rather than contents: remove, rename, link, make a folder. The operation
// behind the functions of `file` and `directory`; nobody else needs it.

#include <weft/awaiter.hpp>
#include <weft/io/io_operation.hpp>

#include <cstdint>
#include <string>
#include <utility>

namespace weft {

class path_operation : public io_operation {
public:
    enum class change : std::uint8_t { remove, rename, link, symlink, make_directory };
    /// A name in a directory; `descriptor` may be AT_FDCWD, and then `name` may be any path.
    class place {
    public:
        place() noexcept = default;
        explicit place(std::string path) noexcept;
        /// One component: with `/` in it, `.` or `..` the operation fails with invalid_argument.
        place(int directory, std::string name) noexcept;

        [[nodiscard]] bool is_valid() const noexcept { return valid_; }
        [[nodiscard]] int directory() const noexcept { return directory_; }
        [[nodiscard]] const char* name() const noexcept { return name_.c_str(); }

    private:
        int directory_ = -1;
        std::string name_;
        bool valid_ = true;
    };

    /// `flags` of the system call, or the permissions of a new directory. A symbolic link lies at
    /// `to`, and what it says is the name of `from`.
    path_operation(completion on_completion, change what, unsigned flags, place from,
                   place to) noexcept
        : io_operation{on_completion, &make},
          what_{what},
          flags_{flags},
          from_{std::move(from)},
          to_{std::move(to)} {}
    ~path_operation() { abandon(); }
    void start(const environment& env);
    [[nodiscard]] result<void> finish() const noexcept;

private:
    static void make(io_operation& self, class ring& ring, ring_completion& done);
    [[nodiscard]] bool is_valid() const noexcept { return from_.is_valid() && to_.is_valid(); }

    change what_;
    unsigned flags_;
    place from_;
    place to_;
};

using path_change = awaiter<path_operation>;

}  // namespace weft
