#include <weft/fiber/group.hpp>

#include <cassert>
#include <exception>

namespace weft::fiber {

group::~group() {
    assert(empty() && "a group of fibers was destroyed before it was joined");
    if (!empty()) std::terminate();
}

void group::left(stack&& used, std::exception_ptr exception, std::error_code error) noexcept {
    stacks_.give_back(std::move(used));
    child_ended(std::move(exception), error);
}

}  // namespace weft::fiber
