// What tests/framework/gdb_test.py looks at: some tasks that wait, some values, and a place to
// stop.
#include <weft/async_generator.hpp>
#include <weft/base/intrusive_list.hpp>
#include <weft/base/result.hpp>
#include <weft/callback.hpp>
#include <weft/debug.hpp>
#include <weft/fiber/run.hpp>
#include <weft/io/scheduler.hpp>
#include <weft/shielded.hpp>
#include <weft/sleep.hpp>
#include <weft/sync/channel.hpp>
#include <weft/sync/event.hpp>
#include <weft/sync/mutex.hpp>
#include <weft/task_group.hpp>
#include <weft/when_all_settled.hpp>
#include <weft/when_any.hpp>
#include <weft/with_timeout.hpp>

#include <chrono>
#include <functional>
#include <optional>
#include <system_error>

namespace {

using namespace std::chrono_literals;

struct element : weft::list_hook<element> {
    explicit element(int of) noexcept : value{of} {}
    int value;
};

weft::task<weft::result<void>> patient(weft::event& over) { co_return co_await over.wait(); }

weft::task<> waits_long(weft::event& over) {
    (void)co_await weft::with_timeout(90s, patient(over));
}

weft::task<> waits_for_one_of_two(weft::event& over) {
    co_await weft::set_task_name("the second");
    (void)co_await weft::when_any(over.wait(), weft::sleep_for(60s));
}

weft::task<> children(weft::task_group& group, weft::event& over) {
    group.spawn(waits_long(over), "the first");
    group.spawn(waits_for_one_of_two(over));
    (void)co_await over.wait();
}

weft::task<> main_task(weft::event& over) {
    (void)co_await weft::with_task_group(children, std::ref(over));
}

weft::async_generator<int> numbers(weft::event& over) {
    (void)co_await weft::shielded(over.wait());
    co_yield 1;
}

weft::task<> reads(weft::event& over) {
    weft::async_generator<int> all = numbers(over);
    (void)co_await all.next();
}

weft::task<> waits_for_a_lock(weft::mutex& lock) {
    const auto held = co_await lock.lock();
    (void)held;
}

weft::task<> waits_for_a_value(weft::channel<int>& values) { (void)co_await values.receive(); }

void in_a_fiber(weft::event* awaited) {
    weft::fiber::set_name("fiber");
    (void)weft::fiber::await(awaited->wait());
}

/// Callbacks, a fiber and tasks, below one that joins or settles them.
weft::task<> many_ways(weft::event& over, weft::mutex& lock, weft::channel<int>& values) {
    co_await weft::set_task_name("many ways");
    weft::callback_group callbacks{co_await weft::current_environment()};
    const auto waits = weft::start(callbacks, [&] { return over.wait(); }, [](auto) {});
    (void)co_await weft::when_all_settled(callbacks.join(), weft::fiber::run(&in_a_fiber, &over),
                                          reads(over), waits_for_a_lock(lock),
                                          waits_for_a_value(values));
}

weft::task<> look(weft::scheduler& loop, weft::event& over, std::optional<weft::mutex::guard>& held,
                  weft::channel<int>& values) {
    (void)co_await weft::sleep_for(1s);
    weft::debug::print_tasks(loop, stdout);
    over.set();
    held.reset();
    values.close();
}

}  // namespace

int stop_here(weft::scheduler&, weft::task<>& unstarted, weft::result<int>& good,
              weft::result<int>& bad, weft::intrusive_list<element, element>& list) {
    return good.has_value() && !bad.has_value() && !list.empty() && sizeof(unstarted) != 0 ? 0 : 1;
}

int main() {
    weft::scheduler loop{weft::scheduler::clock::virtual_time};
    weft::event over;
    weft::task_group group{weft::environment{&loop, {}}};
    group.spawn(main_task(over), "main");
    weft::mutex lock;
    std::optional<weft::mutex::guard> held = lock.try_lock();
    weft::channel<int> values{1};
    group.spawn(many_ways(over, lock, values));
    group.spawn(look(loop, over, held, values), "look");
    loop.run_for(500ms);

    weft::task<> unstarted = main_task(over);
    weft::result<int> good = 42;
    weft::result<int> bad = std::errc::connection_reset;
    weft::intrusive_list<element, element> list;
    element one{1};
    element two{2};
    list.push_back(one);
    list.push_back(two);
    const int status = stop_here(loop, unstarted, good, bad, list);
    loop.run();
    return status;
}
