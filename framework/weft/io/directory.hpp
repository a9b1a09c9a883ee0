#pragma once
// Folders: what lies in them, page by page, and changes to the names in them.
//
// A `directory` holds an open folder, so its functions mean that folder even when it is renamed
// meanwhile. Names are single components: one with `/` in it, `.` or `..` is an invalid_argument.
// Reading entries has no form in io_uring: it takes a thread of `offload_pool::shared()` for each
// page, all else goes through the ring. Memory is one page (32 KiB) however large the folder is.

#include <weft/io/file.hpp>
#include <weft/io/offload_pool.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weft {

struct directory_entry {
    std::string_view name;  ///< within the page
    std::uint64_t inode = 0;
    /// `other` where the file system does not say; `status_of` does then.
    file_status::type kind = file_status::type::other;
};

class directory {
public:
    using page = std::span<const directory_entry>;

    directory() noexcept = default;  ///< none: every call fails with EBADF
    /// Takes over what `file::open` opened.
    explicit directory(file opened) noexcept : folder_{std::move(opened)} {}

    /// Errors: not_a_directory, no_such_file_or_directory, …
    [[nodiscard]] static task<result<directory>> open(std::string path);
    /// A folder below this one and nowhere else, as file::open_below.
    [[nodiscard]] task<result<directory>> open_directory(std::string path) const;
    [[nodiscard]] auto open_file(std::string path, file_options options = {}) const {
        return folder_.open_below(std::move(path), options);
    }

    /// The next entries, in the order of the file system, without `.` and `..`; an empty page is
    /// the end. The page stays valid until the next call; one call at a time. What is created or
    /// removed meanwhile may be missing or be there, and nothing else comes twice.
    [[nodiscard]] task<result<page>> next_page();
    /// From the first entry again.
    [[nodiscard]] result<void> rewind();

    /// A new folder in this one.
    [[nodiscard]] path_change make_directory(std::string name,
                                             std::uint32_t permissions = 0755) const {
        return path_change{path_operation::change::make_directory, permissions, at(std::move(name)),
                           place{}};
    }
    [[nodiscard]] path_change remove_file(std::string name) const {
        return path_change{path_operation::change::remove, 0U, at(std::move(name)), place{}};
    }
    /// Precondition of the kernel: it is empty, else directory_not_empty.
    [[nodiscard]] path_change remove_directory(std::string name) const {
        return path_change{path_operation::change::remove, remove_directory_flag,
                           at(std::move(name)), place{}};
    }
    /// Gives `name` the name `new_name` in the folder `in`, in one step.
    [[nodiscard]] path_change rename(std::string name, const directory& in,
                                     std::string new_name) const {
        return path_change{path_operation::change::rename, 0U, at(std::move(name)),
                           in.at(std::move(new_name))};
    }
    [[nodiscard]] auto status_of(std::string name, follow what = follow::symlinks) const {
        return awaiter<status_operation>{folder_.descriptor(), std::move(name), what};
    }
    /// Completes when the names in the folder are on the disk: a new file's too.
    [[nodiscard]] auto sync() const { return folder_.sync(); }

    // ---- by path

    [[nodiscard]] static path_change make(std::string path, std::uint32_t permissions = 0755) {
        return path_change{path_operation::change::make_directory, permissions,
                           place{std::move(path)}, place{}};
    }
    [[nodiscard]] static path_change remove(std::string path) {
        return path_change{path_operation::change::remove, remove_directory_flag,
                           place{std::move(path)}, place{}};
    }

    [[nodiscard]] bool is_open() const noexcept { return folder_.is_open(); }
    [[nodiscard]] int descriptor() const noexcept { return folder_.descriptor(); }

private:
    using place = path_operation::place;
    static constexpr unsigned remove_directory_flag = 0x200;  // AT_REMOVEDIR

    [[nodiscard]] place at(std::string name) const noexcept {
        return place{folder_.descriptor(), std::move(name)};
    }
    void parse(std::size_t bytes);

    file folder_;
    std::unique_ptr<std::byte[]> buffer_;  // made by the first page
    std::vector<directory_entry> entries_;
};

}  // namespace weft
