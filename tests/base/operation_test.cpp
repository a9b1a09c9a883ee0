#include <doctest/doctest.h>
#include <weft/base/operation.hpp>

#include <memory>
#include <system_error>
#include <vector>

using weft::operation;
using weft::run_queue;
using weft::stop_source;
using weft::stop_token;
using phase = weft::operation::phase;

namespace {

/// Waits in a slot or on a list, and counts its completions.
struct probe : operation {
    probe() noexcept
        : operation{[](operation& self) noexcept { ++static_cast<probe&>(self).completed; }} {}
    void wait_in(operation*& slot, run_queue& queue, stop_token stop = {}) {
        park(queue, stop, slot);
    }
    void wait_on(weft::intrusive_list<operation>& list, run_queue& queue, stop_token stop = {}) {
        park(queue, stop, list);
    }
    void wait_for_source(run_queue& queue, stop_token stop) {
        park(queue, stop,
             [](operation& self) noexcept { ++static_cast<probe&>(self).asked_to_stop; });
    }
    int completed = 0;
    int asked_to_stop = 0;
};

TEST_SUITE("base.operation") {
TEST_CASE("an event moves a parked operation to the run queue and does not complete it there") {
    run_queue queue;
    operation* slot = nullptr;
    probe waiting;
    CHECK(waiting.current_phase() == phase::idle);
    waiting.wait_in(slot, queue);
    CHECK(slot == &waiting);
    CHECK(waiting.current_phase() == phase::parked);
    slot->post();
    CHECK(slot == nullptr);
    CHECK(waiting.current_phase() == phase::posted);
    CHECK(waiting.completed == 0);
    CHECK(queue.run(10) == 1);
    CHECK(waiting.completed == 1);
    CHECK(waiting.current_phase() == phase::done);
    CHECK_FALSE(waiting.is_canceled());
}

TEST_CASE("stop on a parked operation unlinks and posts it as canceled") {
    run_queue queue;
    stop_source stop;
    operation* slot = nullptr;
    probe waiting;
    waiting.wait_in(slot, queue, stop.token());
    stop.request_stop();
    CHECK(slot == nullptr);
    CHECK(waiting.current_phase() == phase::posted);
    queue.run(10);
    CHECK(waiting.completed == 1);
    CHECK(waiting.is_canceled());
    CHECK(waiting.wait_error() == std::errc::operation_canceled);
}

TEST_CASE("stop on a posted operation neither posts it again nor cancels it") {
    run_queue queue;
    stop_source stop;
    operation* slot = nullptr;
    probe waiting;
    waiting.wait_in(slot, queue, stop.token());
    slot->post();
    stop.request_stop();
    CHECK(queue.run(10) == 1);
    CHECK(waiting.completed == 1);
    CHECK_FALSE(waiting.is_canceled());
}

TEST_CASE("stop on a done operation does nothing") {
    run_queue queue;
    stop_source stop;
    operation* slot = nullptr;
    probe waiting;
    waiting.wait_in(slot, queue, stop.token());
    slot->post();
    queue.run(10);
    stop.request_stop();
    CHECK(queue.empty());
    CHECK_FALSE(waiting.is_canceled());
}

TEST_CASE("parking under a token that has stopped ends the wait as canceled") {
    run_queue queue;
    stop_source stop;
    stop.request_stop();
    operation* slot = nullptr;
    probe waiting;
    waiting.wait_in(slot, queue, stop.token());
    CHECK(slot == nullptr);
    queue.run(10);
    CHECK(waiting.is_canceled());
    CHECK(waiting.completed == 1);
}

TEST_CASE("an operation that has to be cancelled at its source is only told") {
    run_queue queue;
    stop_source stop;
    probe waiting;
    waiting.wait_for_source(queue, stop.token());
    stop.request_stop();
    CHECK(waiting.asked_to_stop == 1);
    CHECK(waiting.current_phase() == phase::parked);
    waiting.post();
    CHECK(queue.run(10) == 1);
}

TEST_CASE("an operation that is destroyed leaves its slot, list, queue and stop token") {
    run_queue queue;
    stop_source stop;
    operation* slot = nullptr;
    weft::intrusive_list<operation> list;
    {
        probe in_slot;
        probe on_list;
        probe posted;
        operation* other_slot = nullptr;
        in_slot.wait_in(slot, queue, stop.token());
        on_list.wait_on(list, queue, stop.token());
        posted.wait_in(other_slot, queue, stop.token());
        posted.post();
    }
    CHECK(slot == nullptr);
    CHECK(list.empty());
    CHECK(queue.empty());
    CHECK(stop.request_stop());
}

TEST_CASE("waiters on a list are posted first come first served, a stopped one leaves the middle") {
    run_queue queue;
    stop_source stop;
    weft::intrusive_list<operation> list;
    probe first, second, third;
    first.wait_on(list, queue);
    second.wait_on(list, queue, stop.token());
    third.wait_on(list, queue);
    stop.request_stop();
    CHECK(&list.front() == &first);
    CHECK(&list.back() == &third);
    list.front().post();
    CHECK(&list.front() == &third);
    list.front().post();
    CHECK(queue.run(10) == 3);
    CHECK(second.is_canceled());
}

TEST_CASE("an operation waits again after reset") {
    run_queue queue;
    stop_source stop;
    operation* slot = nullptr;
    probe waiting;
    for (int round = 1; round <= 3; ++round) {
        waiting.wait_in(slot, queue, stop.token());
        slot->post();
        queue.run(10);
        CHECK(waiting.completed == round);
        waiting.reset();
    }
}

#ifdef NDEBUG  // with assertions on, it is one
TEST_CASE("a second operation on an occupied slot ends as busy and leaves the first alone") {
    run_queue queue;
    operation* slot = nullptr;
    probe first, second;
    first.wait_in(slot, queue);
    second.wait_in(slot, queue);
    CHECK(slot == &first);
    CHECK(queue.run(10) == 1);
    CHECK(second.completed == 1);
    CHECK(second.wait_error() == std::errc::device_or_resource_busy);
    slot->post();
    queue.run(10);
    CHECK_FALSE(first.wait_error());
}
#endif

TEST_CASE("the run queue completes no more than its budget") {
    run_queue queue;
    std::vector<probe> many(10);
    std::vector<operation*> slots(10);
    for (std::size_t i = 0; i < many.size(); ++i) {
        many[i].wait_in(slots[i], queue);
        many[i].post();
    }
    CHECK(queue.run(4) == 4);
    CHECK(many[3].completed == 1);
    CHECK(many[4].completed == 0);
    CHECK(queue.run(100) == 6);
}
}

TEST_SUITE("base.stop_token") {
struct note : weft::stop_callback {
    note() noexcept
        : stop_callback{[](stop_callback& self) noexcept { ++static_cast<note&>(self).called; }} {}
    int called = 0;
};

TEST_CASE("an empty token never stops") {
    const stop_token none;
    CHECK_FALSE(none.stop_possible());
    CHECK_FALSE(none.stop_requested());
}

TEST_CASE("callbacks are called once, those destroyed before are not") {
    stop_source stop;
    note kept;
    stop.token().attach(kept);
    {
        note gone;
        stop.token().attach(gone);
    }
    CHECK(stop.request_stop());
    CHECK_FALSE(stop.request_stop());
    CHECK(kept.called == 1);
    CHECK(stop.token().stop_requested());
}

TEST_CASE("a source stops with its parent, and not the other way round") {
    stop_source parent;
    stop_source child{parent.token()};
    stop_source sibling{parent.token()};
    note heard;
    child.token().attach(heard);
    sibling.request_stop();
    CHECK_FALSE(parent.stop_requested());
    parent.request_stop();
    CHECK(child.stop_requested());
    CHECK(heard.called == 1);
    const stop_source late{parent.token()};
    CHECK(late.stop_requested());
}

TEST_CASE("a callback may destroy another one that hangs on the same source") {
    struct breaker : weft::stop_callback {
        breaker() noexcept
            : stop_callback{[](stop_callback& self) noexcept {
                  static_cast<breaker&>(self).victim.reset();
              }} {}
        std::unique_ptr<note> victim;
    };
    stop_source stop;
    breaker first;
    stop.token().attach(first);
    first.victim = std::make_unique<note>();
    stop.token().attach(*first.victim);
    stop.request_stop();
    CHECK(first.victim == nullptr);
}
}

}  // namespace
