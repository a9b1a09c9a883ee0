#include <weft/test/ring_faults.hpp>

#include <cassert>
#include <cstddef>

namespace weft::test {
namespace {

constexpr unsigned longest_delay_turns = 8;

}  // namespace

ring_faults::ring_faults(ring& on, std::uint64_t seed) : ring_{on}, seed_{seed}, random_{seed} {
    ring_.inject(this);
}

ring_faults::~ring_faults() { ring_.inject(nullptr); }

ring_faults& ring_faults::add(rule one) {
    assert(one.when.one_in != 0);
    rules_.push_back(one);
    return *this;
}

ring_faults& ring_faults::shorten(ring_request which, how_often when) {
    return add({rule::effect::shorten, which, 0, when});
}

ring_faults& ring_faults::fail(ring_request which, std::errc error, how_often when) {
    return add({rule::effect::fail, which, static_cast<int>(error), when});
}

ring_faults& ring_faults::delay(ring_request which, how_often when) {
    return add({rule::effect::delay, which, 0, when});
}

ring_faults& ring_faults::overflow(how_often when) {
    return add({rule::effect::overflow, ring_request::any, 0, when});
}

ring_faults& ring_faults::refuse_enter(how_often when) {
    assert((when.one_in > 1 || when.times != how_often{}.times) && "the loop would never go on");
    return add({rule::effect::refuse, ring_request::any, 0, when});
}

ring_fault ring_faults::on_request(ring_request kind, std::size_t bytes) noexcept {
    ring_fault fault;
    ++counters_.requests;
    for (rule& one : rules_) {
        if (one.which != kind && one.which != ring_request::any) continue;
        switch (one.what) {
            case rule::effect::shorten:
                if (bytes < 2 || fault.moves != 0 || !strikes(one)) break;
                fault.moves = 1 + random_.next() % (bytes - 1);
                ++counters_.shortened;
                break;
            case rule::effect::fail:
                if (fault.error != 0 || !strikes(one)) break;
                fault.error = one.error;
                ++counters_.failed;
                break;
            case rule::effect::delay:
                if (fault.delay_turns != 0 || !strikes(one)) break;
                fault.delay_turns = 1 + static_cast<unsigned>(random_.next() % longest_delay_turns);
                ++counters_.delayed;
                break;
            case rule::effect::overflow:
            case rule::effect::refuse: break;  // of enters, not of requests
        }
    }
    return fault;
}

bool ring_faults::meets(rule::effect what, std::uint64_t& count) noexcept {
    for (rule& one : rules_) {
        if (one.what != what || !strikes(one)) continue;
        ++count;
        return true;
    }
    return false;
}

bool ring_faults::strikes(rule& one) noexcept {
    if (one.when.times == 0 || random_.next() % one.when.one_in != 0) return false;
    --one.when.times;
    return true;
}

}  // namespace weft::test
