#pragma once
// What the tests of coroutines share: the public loop for tests, and a look at how a program dies.

#include <weft/test/manual_loop.hpp>

#include <string>

namespace weft::test {

/// Whether assertions are on: only then can misuse be seen to die of one.
inline constexpr bool has_assertions =
#ifdef NDEBUG
    false;
#else
    true;
#endif

/// Runs `body` in a child process: what it wrote to standard error when it died of SIGABRT, and
/// nothing if it ended otherwise.
std::string last_words(void (*body)());

}  // namespace weft::test
