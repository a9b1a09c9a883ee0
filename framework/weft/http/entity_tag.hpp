#pragma once
// Entity tags (RFC 9110 §8.8.3): made from what a file system knows, compared strongly or weakly,
// looked up in the lists of If-Match and If-None-Match. No allocation.

#include <array>
#include <cstdint>
#include <string_view>

namespace weft::http {

enum class comparison : std::uint8_t {
    strong,  ///< byte for byte the same: both strong, same text (ranges, If-Match)
    weak,    ///< good enough for a cache: same text (If-None-Match)
};

/// The tag of a file, quotes included: strong, from the time of its last change and its size.
class file_tag {
public:
    file_tag() noexcept = default;
    file_tag(std::uint64_t modified_ns, std::uint64_t size_bytes) noexcept;
    [[nodiscard]] std::string_view view() const noexcept { return {text_.data(), length_}; }

private:
    std::array<char, 36> text_{};
    std::size_t length_ = 0;
};

/// Whether two tags, as they stand in fields (`"x"` or `W/"x"`), are equal.
[[nodiscard]] bool tags_match(std::string_view a, std::string_view b, comparison how) noexcept;

/// Whether a field's list of tags names `tag`; `*` names every tag. What follows a malformed
/// member is not looked at.
[[nodiscard]] bool list_names_tag(std::string_view list, std::string_view tag,
                                  comparison how) noexcept;

}  // namespace weft::http
