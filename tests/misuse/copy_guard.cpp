// A lock has one owner.
// both: deleted
#include <weft/sync/mutex.hpp>

#include <utility>

void keeps(weft::mutex::guard& lock) {
#ifdef MISUSE
    const weft::mutex::guard mine = lock;
#else
    const weft::mutex::guard mine = std::move(lock);
#endif
}
