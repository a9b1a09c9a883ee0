#include "http_server/site.hpp"

#include <weft/http/content_type.hpp>

#include <algorithm>

namespace examples {
namespace {

using kind = lookup_result::kind;

std::uint64_t nanoseconds_of(const weft::file_status& status) noexcept {
    const auto since_1970 = status.modified.time_since_epoch();
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::nanoseconds>(since_1970).count());
}

kind kind_of(std::error_code error) noexcept {
    if (error == std::errc::no_such_file_or_directory || error == std::errc::not_a_directory ||
        error == std::errc::filename_too_long) {
        return kind::missing;
    }
    if (error == std::errc::permission_denied || error == std::errc::operation_not_permitted ||
        error == std::errc::cross_device_link ||  // it leads out of the folder
        error == std::errc::timed_out ||          // it is no file
        error == std::errc::too_many_symbolic_link_levels) {
        return kind::forbidden;
    }
    return kind::failed;
}

}  // namespace

page::page(weft::file opened, const weft::file_status& status, std::string_view path)
    : contents{std::move(opened)},
      size_bytes{status.size_bytes},
      modified{std::chrono::floor<std::chrono::seconds>(status.modified)},
      last_modified{modified},
      tag{nanoseconds_of(status), status.size_bytes},
      content_type{weft::http::content_type_of(path)} {}

weft::task<weft::result<weft::file>> site::open_folder(std::string path) {
    weft::result<weft::file> opened = co_await weft::file::open(std::move(path));
    if (!opened) co_return opened.error();
    const weft::result<weft::file_status> status = co_await opened->status();
    if (!status) co_return status.error();
    if (status->kind != weft::file_status::type::directory) co_return std::errc::not_a_directory;
    co_return std::move(*opened);
}

std::string_view site::redirect_of(std::string_view path) const noexcept {
    const auto found = redirects_.find(path);
    return found == redirects_.end() ? std::string_view{} : std::string_view{found->second};
}

std::shared_ptr<const page> site::find_kept(std::string_view path, weft::instant now) {
    const auto known = pages_.find(path);
    if (known == pages_.end()) return nullptr;
    if (now - known->second.at < kept_for) return known->second.opened_page;
    pages_.erase(known);
    return nullptr;
}

lookup_result site::refusal(std::error_code error) noexcept {
    return lookup_result{kind_of(error)};
}

lookup_result site::examine(std::string_view path, weft::file opened,
                            const weft::result<weft::file_status>& status, weft::instant now) {
    if (!status) return lookup_result{kind::failed};
    using type = weft::file_status::type;
    if (status->kind == type::directory) return lookup_result{kind::directory};
    if (status->kind != type::regular) return lookup_result{kind::forbidden};
    auto found = std::make_shared<const page>(std::move(opened), *status, path);
    keep(path, found, now);
    return lookup_result{std::move(found)};
}

void site::keep(std::string_view path, std::shared_ptr<const page> opened, weft::instant now) {
    if (pages_.size() >= max_kept) {
        const auto oldest =
            std::ranges::min_element(pages_, {}, [](const auto& each) { return each.second.at; });
        pages_.erase(oldest);
    }
    pages_.insert_or_assign(std::string{path}, kept{std::move(opened), now});
}

}  // namespace examples
