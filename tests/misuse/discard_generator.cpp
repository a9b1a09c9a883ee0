// A generator that nobody reads does nothing.
// both: ignoring return(ed)? value
#include <weft/generator.hpp>

weft::generator<int> numbers() { co_yield 1; }

int reads() {
    int sum = 0;
#ifdef MISUSE
    numbers();
#else
    for (const int each : numbers()) sum += each;
#endif
    return sum;
}
