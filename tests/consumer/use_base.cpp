// weft::base alone: a timer on a clock of our own, and a result.

#include <weft/base/instant.hpp>
#include <weft/base/result.hpp>
#include <weft/base/timer_wheel.hpp>

#include <chrono>

using namespace std::chrono_literals;

namespace {

struct alarm : weft::timer_node {
    alarm() noexcept
        : timer_node{[](timer_node& self, weft::instant) noexcept {
              static_cast<alarm&>(self).rang = true;
          }} {}
    bool rang = false;
};

weft::result<int> half(int number) {
    if (number % 2 != 0) return std::errc::argument_out_of_domain;
    return number / 2;
}

}  // namespace

int main() {
    weft::timer_wheel wheel;
    alarm bell;
    wheel.arm(bell, weft::instant{1s});
    wheel.advance(weft::instant{999ms});
    if (bell.rang) return 1;
    wheel.advance(weft::instant{1001ms});
    if (!bell.rang) return 2;
    return half(42).value() == 21 && !half(1) ? 0 : 3;
}
