// A result is looked at, or thrown away in so many words.
// both: ignoring return(ed)? value
#include <weft/sync/channel.hpp>

void offers(weft::channel<int>& to) {
#ifdef MISUSE
    to.try_send(1);
#else
    (void)to.try_send(1);
#endif
}
