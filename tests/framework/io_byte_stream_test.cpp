// Pipes and standard streams.
#include "io_scratch.hpp"

#include <weft/io/byte_stream.hpp>
#include <weft/when_all.hpp>
#include <weft/with_timeout.hpp>

#include <fcntl.h>

#include <chrono>

namespace {

using namespace std::chrono_literals;
using namespace weft::test;
using weft::input_stream;
using weft::output_stream;
using weft::pipe_ends;
using weft::result;
using weft::task;

task<result<void>> write_and_close(output_stream to, std::string_view text) {
    const result<void> written = co_await to.write_all(bytes_of(text));
    const result<void> closed = co_await to.close();
    co_return written ? closed : written;
}

task<std::string> read_all(const input_stream& from) {
    std::string all;
    std::string some(4096, '\0');
    for (;;) {
        const result<std::size_t> got = co_await from.read_some(room_in(some));
        if (got.value() == 0) co_return all;
        all.append(some, 0, *got);
    }
}

task<bool> through_a_pipe(std::string text, int flags) {
    result<pipe_ends> pipe = weft::make_pipe();
    ::fcntl(pipe->reader.descriptor(), F_SETFL, flags);
    ::fcntl(pipe->writer.descriptor(), F_SETFL, flags);
    const input_stream reader = std::move(pipe->reader);
    const auto [written, read] =
        co_await weft::when_all(write_and_close(std::move(pipe->writer), text), read_all(reader));
    co_return written.has_value() && read == text;
}

task<> exactly() {
    result<pipe_ends> pipe = weft::make_pipe();
    const auto twice = [](const output_stream& to) -> task<> {
        for (const char* part : {"abc", "de"}) {
            const auto put = co_await to.write_some(bytes_of(part));
            CHECK(put.value() == std::string_view{part}.size());
            (void)co_await weft::sleep_for(1ms);
        }
    };
    std::string five(5, '\0');
    const auto fill = [](const input_stream& from, std::string& into) -> task<result<void>> {
        co_return co_await from.read_exactly(room_in(into));
    };
    const auto [none, filled] =
        co_await weft::when_all(twice(pipe->writer), fill(pipe->reader, five));
    CHECK(filled.has_value());
    CHECK(five == "abcde");
    const auto put = co_await pipe->writer.write_all(bytes_of("xy"));
    CHECK(put.has_value());
    const auto closed = co_await pipe->writer.close();
    CHECK(closed.has_value());
    CHECK_FALSE(pipe->writer);
    const auto cut = co_await pipe->reader.read_exactly(room_in(five));
    CHECK(cut.error() == weft::errc::end_of_stream);
}

task<> waits_for_room() {
    result<pipe_ends> pipe = weft::make_pipe();
    std::string more(1 << 20, 'x');
    const auto limited = co_await weft::with_timeout(5ms, pipe->writer.write_all(bytes_of(more)));
    CHECK(limited.error() == weft::errc::timed_out);
    const auto ready = co_await pipe->reader.readable();
    CHECK(ready.has_value());
    // What was written by then is there: whole pages of a pipe of 64 KiB.
    const auto got = co_await pipe->reader.read_some(room_in(more));
    CHECK(got.value() == 65'536);
    const auto idle = co_await weft::with_timeout(5ms, pipe->reader.read_some(room_in(more)));
    CHECK(idle.error() == weft::errc::timed_out);
}

task<std::error_code> write_to_nobody() {
    result<pipe_ends> pipe = weft::make_pipe();
    const auto closed = co_await pipe->reader.close();
    CHECK(closed.has_value());
    const auto put = co_await pipe->writer.write_all(bytes_of("x"));
    co_return put.error();
}

task<> standard_streams() {
    result<output_stream> out = weft::standard_output();
    result<output_stream> error = weft::standard_error();
    CHECK(out.value().descriptor() > 2);
    CHECK(error.value().descriptor() > 2);
    const auto put = co_await out->write_all(bytes_of(""));
    CHECK(put.has_value());
    const auto closed = co_await out->close();
    CHECK(closed.has_value());
    CHECK(::fcntl(STDOUT_FILENO, F_GETFD) >= 0);
}

}  // namespace

TEST_SUITE("framework.byte_stream") {
TEST_CASE("a million bytes go through a pipe, whether its ends block or not") {
    weft::io_context io;
    CHECK(io.run_until_done(through_a_pipe(long_text(1'000'000), 0)));
    CHECK(io.run_until_done(through_a_pipe(long_text(1'000'000, 2), O_NONBLOCK)));
    CHECK(io.ring().in_flight() == 0);
}

TEST_CASE("reading exactly collects parts, and the end before all came is an error") {
    weft::io_context io;
    io.run_until_done(exactly());
}

TEST_CASE("a full pipe makes its writer wait, and a stop leaves what was written") {
    weft::io_context io;
    io.run_until_done(waits_for_room());
    CHECK(io.ring().in_flight() == 0);
}

TEST_CASE("writing to a pipe that nobody reads is EPIPE and ends no process") {
    weft::io_context io;
    CHECK(io.run_until_done(write_to_nobody()) == std::errc::broken_pipe);
}

TEST_CASE("standard streams have descriptors of their own") {
    weft::io_context io;
    io.run_until_done(standard_streams());
}

TEST_CASE("a stream that is none fails with EBADF") {
    weft::io_context io;
    const auto reads = []() -> task<std::error_code> {
        const input_stream none;
        std::string text(1, '\0');
        const auto got = co_await none.read_some(room_in(text));
        co_return got.error();
    };
    CHECK(io.run_until_done(reads()) == std::errc::bad_file_descriptor);
}

TEST_CASE("streams close what they own, once") {
    const int before = open_descriptors();
    {
        result<pipe_ends> pipe = weft::make_pipe();
        REQUIRE(pipe.has_value());
        CHECK(open_descriptors() == before + 2);
        pipe->reader = input_stream{};
        CHECK(open_descriptors() == before + 1);
        const output_stream moved = std::move(pipe->writer);
        CHECK(open_descriptors() == before + 1);
    }
    CHECK(open_descriptors() == before);
    const no_descriptors_left scarce;
    CHECK(weft::make_pipe().error() == std::errc::too_many_files_open);
    CHECK(weft::standard_output().error() == std::errc::invalid_argument);
}
}  // TEST_SUITE("framework.byte_stream")
