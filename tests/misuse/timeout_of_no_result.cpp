// What can time out has a place for the error.
// both: what may time out returns a result<T>
#include <weft/with_timeout.hpp>

weft::task<int> counts() { co_return 1; }
weft::task<weft::result<int>> counts_or_fails() { co_return 1; }

weft::task<weft::result<int>> parent() {
    constexpr weft::duration limit = std::chrono::seconds{1};
#ifdef MISUSE
    co_return co_await weft::with_timeout(limit, counts());
#else
    co_return co_await weft::with_timeout(limit, counts_or_fails());
#endif
}
