// A ring that does without what came after Linux 6.1, and what is built on it: the ways that are
// taken there. The behaviours of a whole network on it are the suite networks.kernel_6_1.
#include "io_scratch.hpp"
#include "kernel_network_fixture.hpp"

#include <weft/io/file.hpp>

#include <fcntl.h>

#include <algorithm>
#include <cerrno>

namespace {

using namespace weft;
using namespace weft::kernel_test;
using weft::test::scratch_folder;
using access = file_options::access;

constexpr io_context::options as_on_6_1{.abilities = linux_6_1_abilities};

struct recorder : ring_completion {
    recorder() noexcept
        : ring_completion{[](ring_completion& self, int came, unsigned) noexcept {
              static_cast<recorder&>(self).answer = came;
          }} {}
    int answer = 1;
};

int answer_to_truncate(ring& on, int fd, std::uint64_t bytes) {
    recorder cut;
    on.truncate(cut, fd, bytes);
    while (cut.is_in_flight()) {
        on.enter(1s);
        on.reap(64);
    }
    return cut.answer;
}

task<std::uint64_t> grow_and_cut(std::string path) {
    const result<file> opened =
        co_await file::open(std::move(path), {.mode = access::read_write, .create = true});
    const auto grown = co_await opened.value().truncate(10'000);
    CHECK(grown.has_value());
    const auto cut = co_await opened->truncate(3);
    CHECK(cut.has_value());
    const auto impossible = co_await opened->truncate(std::uint64_t{1} << 63);
    CHECK(impossible.error() == std::errc::invalid_argument);
    const auto status = co_await opened->status();
    co_return status.value().size_bytes;
}

task<> write_all_of(kernel::tcp_stream& to, std::span<const std::byte> all, int times) {
    for (int i = 0; i < times; ++i) {
        const result<void> sent = co_await to.write_all(all);
        CHECK(sent.error() == std::error_code{});
    }
}

task<bool> reads(kernel::tcp_stream& from, std::span<const std::byte> expected, int times) {
    bool same = true;
    std::vector<std::byte> into(expected.size());
    for (int i = 0; i < times; ++i) {
        const result<void> got = co_await from.read_exactly(into);
        same = same && got.has_value() && std::ranges::equal(into, expected);
    }
    co_return same;
}

/// Answers of the ring while 20 writes of 100,000 bytes cross a connection that wants to send in
/// place, and the bytes arrive: a send in place has two.
std::uint64_t answers_to_writes(io_context::options ring) {
    constexpr int times = 20;
    fixture on{{}, ring};
    const std::uint64_t before = on.io.ring().statistics().completed;
    on.run([](kernel::network& network) -> task<> {
        kernel::connect_options options;
        options.zero_copy_from_bytes = 1000;
        connected_pair pair = co_await connect_pair(network, options);
        const std::vector<std::byte> bytes = pattern(100'000);
        auto [none, same] = co_await when_all(write_all_of(pair.client, bytes, times),
                                              reads(pair.server, bytes, times));
        CHECK(same);
        (void)none;
    });
    return on.io.ring().statistics().completed - before;
}

}  // namespace

TEST_SUITE("framework.older_kernel") {
TEST_CASE("a ring has no ability that it was not given, and none that the kernel lacks") {
    const ring all;
    CHECK_FALSE(ring{{.abilities = {}}}.abilities().zero_copy_send);
    const ring few{{.abilities = linux_6_1_abilities}};
    CHECK(few.abilities().zero_copy_send == all.abilities().zero_copy_send);
    CHECK_FALSE(few.abilities().zero_copy_report);
    CHECK_FALSE(few.abilities().read_multishot);
    CHECK_FALSE(few.abilities().truncate);
    CHECK_FALSE(few.abilities().receive_limit);
    CHECK_FALSE(few.abilities().busy_poll);
}

TEST_CASE("a file is grown and cut where the ring has no request for it") {
    const scratch_folder folder;
    folder.write("asked", "some text");
    const int fd = ::open((folder / "asked").c_str(), O_RDWR | O_CLOEXEC);
    ring few{{.abilities = linux_6_1_abilities}};
    CHECK(answer_to_truncate(few, fd, 4) == -EINVAL);
    CHECK(folder.read("asked") == "some text");
    ring all;
    if (all.abilities().truncate) {
        CHECK(answer_to_truncate(all, fd, 4) == 0);
        CHECK(folder.read("asked") == "some");
    }
    ::close(fd);
    io_context io{as_on_6_1};
    CHECK(io.run_until_done(grow_and_cut(folder / "file")) == 3);
}

TEST_CASE("busy polling cannot be had where the ring has not the ability") {
    ring few{{.busy_poll = 20us, .abilities = linux_6_1_abilities}};
    CHECK(few.poll_busily(20us) == std::errc::invalid_argument);
    CHECK(few.poll_busily(duration::zero()) == std::errc::invalid_argument);
}

TEST_CASE("a kernel that does not say whether it copied is asked to send in place every time") {
    ring probing;
    if (!probing.abilities().zero_copy_send) return;
    const std::uint64_t never = answers_to_writes({.abilities = {}});
    const std::uint64_t untold = answers_to_writes(as_on_6_1);
    CHECK(untold >= never + 15);  // two answers to each, or nearly
}

TEST_CASE("what lies unread is bounded by the pool where a receive has no limit of its own") {
    kernel::network_options options;
    options.unread_bytes = 32U << 10;
    options.receive_buffers = 64;
    fixture on{options, as_on_6_1};
    on.run([](kernel::network& network) -> task<> {
        connected_pair pair = co_await connect_pair(network);
        const std::vector<std::byte> much = pattern(16U << 20);
        const result<void> sent = co_await pair.client.write_all(bytes_of("x"));
        CHECK(sent.has_value());
        std::array<std::byte, 1> one{};
        const result<std::size_t> first = co_await pair.server.read_some(one);
        CHECK(first.value() == 1);
        const result<void> stuck = co_await with_timeout(50ms, pair.client.write_all(much));
        CHECK(stuck.error() == std::errc::timed_out);
        std::vector<std::byte> into(8U << 20);
        const result<std::size_t> got = co_await pair.server.read_some(into);
        const kernel::network_options& have = network.options();
        CHECK(got.value() > 0);
        CHECK(*got <=
              have.unread_bytes + std::size_t{have.receive_buffers} * have.receive_buffer_bytes);
        CHECK(std::ranges::equal(std::span{into}.first(*got), std::span{much}.first(*got)));
        // And the rest comes when there is room for it.
        std::vector<std::byte> next(1000);
        const result<void> more = co_await with_timeout(5s, pair.server.read_exactly(next));
        CHECK(more.has_value());
        CHECK(std::ranges::equal(next, std::span{much}.subspan(*got, next.size())));
        pair.client.abort();
    });
}
}  // TEST_SUITE("framework.older_kernel")
