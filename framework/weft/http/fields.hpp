#pragma once
// The fields of one message as views into the buffer it was read to: a fixed number of them, no
// allocation. Order and repetition are kept. Whoever reads the message owns the buffer and must
// not move it while the fields are looked at.

#include <weft/http/text.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

namespace weft::http {

struct field {
    std::string_view name;
    std::string_view value;
};

class fields {
public:
    static constexpr std::size_t max_count = 64;

    void clear() noexcept { count_ = 0; }
    /// False: there are too many.
    [[nodiscard]] bool add(std::string_view name, std::string_view value) noexcept {
        if (count_ == max_count) return false;
        all_[count_++] = field{name, value};
        return true;
    }

    [[nodiscard]] std::span<const field> all() const noexcept { return {all_.data(), count_}; }
    /// The first field of that name.
    [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const noexcept {
        for (const field& each : all()) {
            if (equal_without_case(each.name, name)) return each.value;
        }
        return std::nullopt;
    }
    [[nodiscard]] std::size_t count(std::string_view name) const noexcept {
        return static_cast<std::size_t>(std::ranges::count_if(
            all(), [name](const field& each) { return equal_without_case(each.name, name); }));
    }
    [[nodiscard]] bool has(std::string_view name) const noexcept { return find(name).has_value(); }

private:
    std::array<field, max_count> all_{};
    std::size_t count_ = 0;
};

}  // namespace weft::http
