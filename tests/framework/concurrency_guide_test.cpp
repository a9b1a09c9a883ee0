// The programs of docs/concurrency.md.
#include "loop.hpp"

#include <doctest/doctest.h>
#include <weft/shielded.hpp>
#include <weft/sleep.hpp>
#include <weft/sync/channel.hpp>
#include <weft/task_group.hpp>

#include <string>

using namespace std::chrono_literals;

namespace {

weft::task<weft::result<void>> produce(weft::channel<std::string>& lines) {
    for (int i = 0; i < 100; ++i) {
        const auto sent = co_await lines.send(std::to_string(i));
        if (!sent) co_return sent.error();
    }
    lines.close();
    co_return weft::result<void>{};
}

weft::task<weft::result<void>> consume(weft::channel<std::string>& lines, std::size_t& bytes) {
    for (;;) {
        const auto line = co_await lines.receive();
        if (line.error() == weft::errc::closed) co_return weft::result<void>{};
        if (!line) co_return line.error();
        bytes += line->size();
    }
}

weft::task<weft::result<void>> work(weft::task_group& group, weft::channel<std::string>* lines,
                                    std::size_t* bytes) {
    group.spawn(consume(*lines, *bytes));
    group.spawn(produce(*lines));
    co_return weft::result<void>{};
}

weft::task<weft::result<void>> cleans_up() {
    const auto worked = co_await weft::sleep_for(1h);
    const auto closed = co_await weft::shielded(2s, weft::sleep_for(1ms));
    co_return worked ? closed : worked;
}

TEST_SUITE("framework.concurrency_guide") {
TEST_CASE("the programs of the guide do what it says") {
    weft::channel<std::string> lines{8};
    std::size_t bytes = 0;
    CHECK(weft::test::run(weft::with_task_group(work, &lines, &bytes)).has_value());
    CHECK(bytes == 190);
    CHECK(weft::test::run(cleans_up()).has_value());
}
}

}  // namespace
