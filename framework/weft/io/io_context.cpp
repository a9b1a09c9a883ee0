#include <weft/io/io_context.hpp>

#include <optional>

namespace weft {
namespace {

constexpr std::size_t completions_a_turn = 64;

}  // namespace

void io_context::feed() noexcept { ring_.reap(completions_a_turn); }

void io_context::wait(instant until) noexcept {
    if (until == never) {
        ring_.enter(std::nullopt);
        return;
    }
    if (until > now()) refresh();  // the turn took its time
    ring_.enter(until - now());
}

}  // namespace weft
