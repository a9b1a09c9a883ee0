#pragma once
// The folder that is served: paths to open files, and redirects that were configured.
//
// Files are opened below the folder and nowhere else: the kernel refuses `..` and symbolic links
// that lead out. An open file and what is told about it are kept for a second, so that a page that
// is asked for often costs no system call but its reading. Whoever looks something up waits in its
// own way, this class does not. One thread.

#include <weft/base/instant.hpp>
#include <weft/base/result.hpp>
#include <weft/http/date.hpp>
#include <weft/http/entity_tag.hpp>
#include <weft/io/file.hpp>
#include <weft/task.hpp>

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace examples {

/// A regular file and the fields that describe it.
struct page {
    page(weft::file opened, const weft::file_status& status, std::string_view path);

    weft::file contents;
    std::uint64_t size_bytes;
    weft::http::date modified;
    weft::http::date_text last_modified;
    weft::http::file_tag tag;
    std::string_view content_type;
};

struct lookup_result {
    enum class kind : std::uint8_t { file, directory, missing, forbidden, failed };
    explicit lookup_result(kind outcome) noexcept : what{outcome} {}
    explicit lookup_result(std::shared_ptr<const page> opened) noexcept
        : what{kind::file}, found{std::move(opened)} {}

    kind what;
    std::shared_ptr<const page> found;  // of a file
};

class site {
public:
    /// `folder` is an open directory. `redirects` maps decoded paths without their first slash.
    site(weft::file folder, std::map<std::string, std::string, std::less<>> redirects)
        : folder_{std::move(folder)}, redirects_{std::move(redirects)} {}

    /// Opens the folder. Errors: those of open(2); ENOTDIR when it is none.
    static weft::task<weft::result<weft::file>> open_folder(std::string path);

    /// Where `path` is redirected to; empty: nowhere.
    [[nodiscard]] std::string_view redirect_of(std::string_view path) const noexcept;

    // What lies at a path, which is decoded and has no first slash: find_kept(), and when that
    // finds nothing open(), the file's status(), and examine().

    /// A page that was opened within the last second; null when there is none.
    [[nodiscard]] std::shared_ptr<const page> find_kept(std::string_view path, weft::instant now);

    /// Opening something that is no file (a pipe without a writer) may take for ever.
    static constexpr weft::duration open_limit = std::chrono::seconds{5};
    [[nodiscard]] auto open(std::string_view path) const {
        return folder_.open_below(std::string{path.empty() ? "." : path});
    }
    /// What it means that it could not be opened.
    [[nodiscard]] static lookup_result refusal(std::error_code error) noexcept;

    /// What was opened, by its status. A page is kept.
    [[nodiscard]] lookup_result examine(std::string_view path, weft::file opened,
                                        const weft::result<weft::file_status>& status,
                                        weft::instant now);

private:
    struct kept {
        kept(std::shared_ptr<const page> opened, weft::instant when) noexcept
            : opened_page{std::move(opened)}, at{when} {}
        std::shared_ptr<const page> opened_page;
        weft::instant at;
    };
    struct hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const noexcept {
            return std::hash<std::string_view>{}(text);
        }
    };

    static constexpr std::size_t max_kept = 128;
    static constexpr weft::duration kept_for = std::chrono::seconds{1};

    void keep(std::string_view path, std::shared_ptr<const page> opened, weft::instant now);

    weft::file folder_;
    std::map<std::string, std::string, std::less<>> redirects_;
    std::unordered_map<std::string, kept, hash, std::equal_to<>> pages_;
};

}  // namespace examples
