// A value that could be lost on its way does not go through a channel.
// both: moving it must not throw
#include <weft/sync/channel.hpp>

class throws_when_moved {
public:
    throws_when_moved() = default;
    throws_when_moved(const throws_when_moved&) {}
    throws_when_moved& operator=(const throws_when_moved&) { return *this; }
};

#ifdef MISUSE
weft::channel<throws_when_moved> values{1};
#else
weft::channel<throws_when_moved*> values{1};
#endif
