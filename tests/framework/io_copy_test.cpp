// Bytes from one descriptor to another: spliced or buffered, all of them and each once.
#include "io_scratch.hpp"

#include <weft/io/copy.hpp>
#include <weft/io/file.hpp>
#include <weft/io/offload_pool.hpp>
#include <weft/when_all.hpp>
#include <weft/with_timeout.hpp>

#include <fcntl.h>
#include <sys/socket.h>

#include <chrono>

namespace {

using namespace std::chrono_literals;
using namespace weft::test;
using weft::copy_job;
using weft::copy_options;
using weft::file;
using weft::input_stream;
using weft::output_stream;
using weft::result;
using weft::task;
using access = weft::file_options::access;

/// Two connected sockets as streams.
struct socket_pair {
    explicit socket_pair(int flags = 0) {
        std::array<int, 2> ends{};
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0, ends.data()) == 0);
        reader = input_stream{ends[0]};
        writer = output_stream{ends[1]};
    }
    input_stream reader;
    output_stream writer;
};

task<std::string> read_all(const input_stream& from) {
    std::string all;
    std::string some(100'000, '\0');
    for (;;) {
        const result<std::size_t> got = co_await from.read_some(room_in(some));
        if (got.value() == 0) co_return all;
        all.append(some, 0, *got);
    }
}

task<result<std::uint64_t>> copy_and_close(int from, output_stream to, copy_options wanted) {
    const auto copied = co_await weft::copy(from, to.descriptor(), wanted);
    (void)co_await to.close();
    co_return copied;
}

task<> to_socket(std::string path, std::string text, int flags, copy_options wanted) {
    const result<file> from = co_await file::open(std::move(path));
    socket_pair sockets{flags};
    const auto [copied, received] = co_await weft::when_all(
        copy_and_close(from.value().descriptor(), std::move(sockets.writer), wanted),
        read_all(sockets.reader));
    CHECK(copied.value() == text.size());
    CHECK(received == text);
}

task<result<std::uint64_t>> between_files(std::string from, std::string to, weft::file_options how,
                                          copy_options wanted) {
    const result<file> source = co_await file::open(std::move(from));
    const result<file> target = co_await file::open(std::move(to), how);
    co_return co_await weft::copy(source.value().descriptor(), target.value().descriptor(), wanted);
}

task<> feed(output_stream to, const std::string& text) {
    const auto written = co_await to.write_all(bytes_of(text));
    CHECK(written.has_value());
    (void)co_await to.close();
}

/// A copy that its receiver does not take in is stopped, told, and gone on with.
task<> stopped_at_target(std::string path, std::string text, bool splices) {
    const result<file> from = co_await file::open(std::move(path));
    socket_pair sockets;
    copy_job job{from.value().descriptor(),
                 sockets.writer.descriptor(),
                 {.from_offset = 0, .splices = splices}};
    for (std::uint64_t before = 0; job.copied() == 0 || job.copied() != before;) {  // until full
        before = job.copied();
        const auto stopped = co_await weft::with_timeout(20ms, job.run());
        CHECK(stopped.error() == weft::errc::timed_out);
    }
    CHECK(job.copied() < text.size());
    std::string first(job.copied(), '\0');
    const auto got = co_await sockets.reader.read_exactly(room_in(first));
    CHECK(got.has_value());
    CHECK(text.compare(0, first.size(), first) == 0);
    const auto nothing_more =
        co_await weft::with_timeout(5ms, sockets.reader.read_some(room_in(first)));
    CHECK(nothing_more.error() == weft::errc::timed_out);

    const auto rest_of = [](copy_job& goes_on, output_stream to) -> task<result<void>> {
        const auto done = co_await goes_on.run();
        (void)co_await to.close();
        co_return done;
    };
    const auto [done, rest] =
        co_await weft::when_all(rest_of(job, std::move(sockets.writer)), read_all(sockets.reader));
    CHECK(done.has_value());
    CHECK(job.copied() == text.size());
    CHECK(job.held() == 0);
    CHECK(text.substr(text.size() - rest.size()) == rest);
}

task<std::error_code> limited(copy_job& copying) {
    const auto ran = co_await weft::with_timeout(20ms, copying.run());
    co_return ran.error();
}

/// What was taken from a stream and not delivered is not lost by a stop.
task<> stopped_at_stream(const std::string& text, bool splices) {
    socket_pair source;
    socket_pair target;
    copy_job job{source.reader.descriptor(), target.writer.descriptor(), {.splices = splices}};
    const auto later = [](copy_job& copying, output_stream to) -> task<int> {
        int stops = 0;
        std::error_code came = co_await limited(copying);
        for (; came == weft::errc::timed_out; ++stops) came = co_await limited(copying);
        CHECK(came == std::error_code{});
        (void)co_await to.close();
        co_return stops;
    };
    const auto slowly = [](const input_stream& from) -> task<std::string> {
        std::string all;
        std::string some(50'000, '\0');
        for (;;) {
            (void)co_await weft::sleep_for(2ms);
            const result<std::size_t> got = co_await from.read_some(room_in(some));
            if (got.value() == 0) co_return all;
            all.append(some, 0, *got);
        }
    };
    const auto [none, stops, received] =
        co_await weft::when_all(feed(std::move(source.writer), text),
                                later(job, std::move(target.writer)), slowly(target.reader));
    CHECK(stops > 0);
    CHECK(received == text);
    CHECK(job.copied() == text.size());
}

}  // namespace

TEST_SUITE("framework.copy") {
TEST_CASE("a file goes to a socket, whether that blocks or not, spliced or buffered") {
    const scratch_folder folder;
    const std::string text = long_text(3'000'001);
    folder.write("file", text);
    weft::io_context io;
    for (const int flags : {0, static_cast<int>(SOCK_NONBLOCK)}) {
        io.run_until_done(to_socket(folder / "file", text, flags, {}));
        io.run_until_done(to_socket(folder / "file", text, flags, {.splices = false}));
    }
    CHECK(io.ring().in_flight() == 0);
}

TEST_CASE("a part of a file goes to a place in another, and as much as there is") {
    const scratch_folder folder;
    const std::string text = long_text(1'500'000);
    folder.write("file", text);
    weft::io_context io;
    for (const bool splices : {true, false}) {
        folder.write("target", "0123456789");
        const weft::file_options how{.mode = access::write};
        const auto part = io.run_until_done(between_files(
            folder / "file", folder / "target", how,
            {.from_offset = 1000, .to_offset = 4, .bytes = 1'200'000, .splices = splices}));
        CHECK(part.value() == 1'200'000);
        CHECK(folder.read("target") == "0123" + text.substr(1000, 1'200'000));
        const auto rest = io.run_until_done(
            between_files(folder / "file", folder / "target", how,
                          {.from_offset = text.size() - 3, .to_offset = 0, .splices = splices}));
        CHECK(rest.value() == 3);
        const auto none = io.run_until_done(between_files(folder / "file", folder / "target", how,
                                                          {.bytes = 0, .splices = splices}));
        CHECK(none.value() == 0);
    }
}

TEST_CASE("what cannot be spliced to is written, from the byte that was due") {
    const scratch_folder folder;
    const std::string text = long_text(2'500'000);
    folder.write("file", text);
    folder.write("log", "log:");
    weft::io_context io;
    const auto appended = io.run_until_done(between_files(
        folder / "file", folder / "log", {.mode = access::write, .append = true}, {}));
    CHECK(appended.value() == text.size());
    CHECK(folder.read("log") == "log:" + text);
}

TEST_CASE("pipes are spliced straight, and a job needs none of its own then") {
    const scratch_folder folder;
    const std::string text = long_text(1'000'000);
    weft::io_context io;
    const auto through = [](std::string path, const std::string& sent) -> task<> {
        result<weft::pipe_ends> pipe = weft::make_pipe();
        const result<file> target = co_await file::open(
            std::move(path), {.mode = access::write, .create = true, .truncate = true});
        const int before = open_descriptors();
        copy_job job{pipe->reader.descriptor(), target.value().descriptor()};
        const auto [none, done] =
            co_await weft::when_all(feed(std::move(pipe->writer), sent), job.run());
        CHECK(done.has_value());
        CHECK(job.copied() == sent.size());
        CHECK(open_descriptors() == before - 1);  // the writer that was closed
    };
    io.run_until_done(through(folder / "file", text));
    CHECK(folder.read("file") == text);
}

TEST_CASE("a copy that is stopped tells exactly how far it came, and goes on there") {
    const scratch_folder folder;
    const std::string text = long_text(3'000'000);
    folder.write("file", text);
    weft::io_context io;
    io.run_until_done(stopped_at_target(folder / "file", text, true));
    io.run_until_done(stopped_at_target(folder / "file", text, false));
    io.run_until_done(stopped_at_stream(text, true));
    io.run_until_done(stopped_at_stream(text, false));
    CHECK(io.ring().in_flight() == 0);
}

TEST_CASE("errors of either side come out, and no signal with them") {
    const scratch_folder folder;
    folder.write("file", "text");
    weft::io_context io;
    const auto to_nobody = [](std::string path) -> task<std::error_code> {
        const result<file> from = co_await file::open(std::move(path));
        socket_pair sockets;
        (void)co_await sockets.reader.close();
        const auto copied =
            co_await weft::copy(from.value().descriptor(), sockets.writer.descriptor());
        co_return copied.error();
    };
    CHECK(io.run_until_done(to_nobody(folder / "file")) == std::errc::broken_pipe);
    const auto from_folder = [](std::string path) -> task<std::error_code> {
        const result<file> from = co_await file::open(std::move(path));
        socket_pair sockets;
        const auto copied =
            co_await weft::copy(from.value().descriptor(), sockets.writer.descriptor());
        co_return copied.error();
    };
    CHECK(io.run_until_done(from_folder(folder.path())) == std::errc::is_a_directory);
}

TEST_CASE("out of descriptors, a copy is an error that moved nothing, and runs later") {
    const scratch_folder folder;
    folder.write("file", "text");
    weft::io_context io;
    const auto scarce_then_not = [](std::string path) -> task<> {
        const result<file> from = co_await file::open(path);
        socket_pair sockets;
        copy_job job{from.value().descriptor(), sockets.writer.descriptor()};
        {
            const no_descriptors_left scarce;
            const auto failed = co_await job.run();
            CHECK(failed.error() == std::errc::too_many_files_open);
        }
        CHECK(job.copied() == 0);
        const auto done = co_await job.run();
        CHECK(done.has_value());
        (void)co_await sockets.writer.close();
        CHECK((co_await read_all(sockets.reader)) == "text");
    };
    io.run_until_done(scarce_then_not(folder / "file"));
}

TEST_CASE("from file to file a stop tells exactly how far a copy came, and no pipe is needed") {
    const scratch_folder folder;
    const std::string text = long_text(30'000'000);  // several calls of the kernel's
    folder.write("file", text);
    weft::io_context io;
    const auto in_steps = [](std::string path, std::size_t whole) -> task<> {
        const result<file> from = co_await file::open(path);
        const result<file> to =
            co_await file::open(path + ".copy", {.mode = access::write, .create = true});
        copy_job job{from.value().descriptor(), to.value().descriptor()};
        (void)co_await weft::offload_pool::shared().run([] { return 0; });  // its threads are there
        const no_descriptors_left scarce;
        std::uint64_t before = 0;
        int stops = 0;
        for (;; ++stops) {
            const auto ran = co_await weft::with_timeout(1ms, job.run());
            const auto status = co_await to->status();
            CHECK(status.value().size_bytes == job.copied());
            CHECK(job.held() == 0);
            if (ran.has_value()) break;
            REQUIRE(ran.error() == weft::errc::timed_out);
            CHECK(job.copied() >= before);
            before = job.copied();
        }
        CHECK(stops > 0);
        CHECK(job.copied() == whole);
    };
    io.run_until_done(in_steps(folder / "file", text.size()));
    CHECK(folder.read("file.copy") == text);
}

TEST_CASE("a file without a size, whose text is made while it is read, is copied whole") {
    const scratch_folder folder;
    weft::io_context io;
    const auto copied = io.run_until_done(between_files(
        "/proc/version", folder / "copy", {.mode = access::write, .create = true}, {}));
    CHECK(copied.value() > 0);
    CHECK(folder.read("copy").starts_with("Linux version"));
    CHECK(folder.read("copy").size() == copied.value());
}

TEST_CASE("a file that is copied over itself further on is what splicing makes of it") {
    const scratch_folder folder;
    folder.write("file", "0123456789");
    weft::io_context io;
    const auto copied = io.run_until_done(
        between_files(folder / "file", folder / "file", {.mode = access::read_write},
                      {.from_offset = 0, .to_offset = 5, .bytes = 5}));
    CHECK(copied.value() == 5);
    CHECK(folder.read("file") == "0123401234");
}
}  // TEST_SUITE("framework.copy")
