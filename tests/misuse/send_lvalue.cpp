// What is sent is given away: moved, or a copy made for it.
// both: deleted
#include <weft/sync/channel.hpp>
#include <weft/task.hpp>

#include <string>

weft::task<weft::result<void>> sends(weft::channel<std::string>& to, std::string& text) {
#ifdef MISUSE
    co_return co_await to.send(text);
#else
    co_return co_await to.send(std::string{text});
#endif
}
