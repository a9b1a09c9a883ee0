// Files, descriptors and the loop, awaited from tasks.
#include "io_scratch.hpp"

#include <doctest/doctest.h>
#include <weft/io/file.hpp>
#include <weft/io/io_context.hpp>
#include <weft/io/wait_fd.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using weft::file;
using weft::file_options;
using weft::task;
using access = weft::file_options::access;
using weft::test::scratch_folder;

/// Requests a stop from inside the loop, when its no-operation completes.
struct stopper : weft::ring_completion {
    explicit stopper(weft::io_context& io) noexcept
        : ring_completion{[](ring_completion& self, int, unsigned) noexcept {
              static_cast<stopper&>(self).source.request_stop();
          }} {
        io.ring().no_operation(*this);
    }
    weft::stop_source source;
};

std::span<const std::byte> bytes_of(const std::string& text) {
    return std::as_bytes(std::span{text});
}

task<std::string> round_trip(std::string path, std::string text) {
    auto written = co_await file::open(path, {.mode = access::write, .create = true});
    const auto put = co_await written->write_all_at(0, bytes_of(text));
    if (!put) co_return "not written: " + put.error().message();
    const auto synced = co_await written->sync();
    const auto closed = co_await written->close();
    if (!synced || !closed || written->is_open()) co_return "not closed";

    auto opened = co_await file::open(path);
    const auto status = co_await opened->status();
    std::string back(status->size_bytes, '\0');
    const auto got = co_await opened->read_some_at(0, std::as_writable_bytes(std::span{back}));
    if (!got) co_return "not read: " + got.error().message();
    back.resize(*got);
    co_return back;
}

task<std::error_code> open_error(std::string path, file_options options) {
    const auto opened = co_await file::open(path, options);
    co_return opened.error();
}

task<std::error_code> open_below_error(std::string folder, std::string path) {
    const auto directory = co_await file::open(folder);
    const auto opened = co_await directory->open_below(path);
    co_return opened.error();
}

task<std::error_code> open_below_nothing(std::string path) {
    const file none;
    const auto opened = co_await none.open_below(path);
    co_return opened.error();
}

task<std::error_code> wait_error(int fd, weft::fd_event awaited) {
    const auto waited = co_await weft::wait_fd(fd, awaited);
    co_return waited.error();
}

task<std::error_code> read_error(int fd, std::span<std::byte> into) {
    const file owned{::dup(fd)};
    const auto got = co_await owned.read_some_at(0, into);
    co_return got.error();
}

task<int> read_many(std::string path, int times) {
    const auto opened = co_await file::open(path);
    std::array<std::byte, 1> one{};
    int bytes = 0;
    for (int i = 0; i < times; ++i) {
        const auto got = co_await opened->read_some_at(0, one);
        bytes += static_cast<int>(got.value());
    }
    co_return bytes;
}

task<> close_only(file owned) {
    const auto closed = co_await owned.close();
    if (!closed) throw std::runtime_error{closed.error().message()};
}

}  // namespace

TEST_SUITE("framework.file") {
TEST_CASE("what is written to a file is read back, and its size is known") {
    const scratch_folder folder;
    weft::io_context io;
    std::string text(300'000, 'x');
    text.back() = 'y';
    CHECK(io.run_until_done(round_trip(folder / "file", text)) == text);
}

TEST_CASE("an error of open is the errno of open(2)") {
    const scratch_folder folder;
    weft::io_context io;
    CHECK(io.run_until_done(open_error(folder / "none", {})) ==
          std::errc::no_such_file_or_directory);
    std::ofstream{folder / "there"} << "x";
    const file_options exclusive{.mode = access::write, .create = true, .exclusive = true};
    CHECK(io.run_until_done(open_error(folder / "there", exclusive)) == std::errc::file_exists);
}

TEST_CASE("a folder confines what is opened below it") {
    const scratch_folder folder;
    std::filesystem::create_directory(folder / "public");
    std::ofstream{folder / "secret"} << "x";
    std::ofstream{folder / "public/page"} << "x";
    std::filesystem::create_symlink("../secret", folder / "public/link");
    std::filesystem::create_symlink("page", folder / "public/inner");
    weft::io_context io;
    const auto error = [&](std::string path) {
        return io.run_until_done(open_below_error(folder / "public", std::move(path)));
    };
    CHECK_FALSE(error("page"));
    CHECK_FALSE(error("./inner"));
    CHECK(error("../secret") == std::errc::cross_device_link);
    CHECK(error(folder / "secret") == std::errc::cross_device_link);
    CHECK(error("link") == std::errc::cross_device_link);
}

TEST_CASE("a file that is not open fails with EBADF, also for what is below it") {
    weft::io_context io;
    CHECK(io.run_until_done(open_below_nothing("etc/passwd")) == std::errc::bad_file_descriptor);
    std::array<std::byte, 1> into{};
    CHECK(io.run_until_done(read_error(-1, into)) == std::errc::bad_file_descriptor);
}

TEST_CASE("a stop ends a wait that is in flight") {
    std::array<int, 2> pipe{};
    REQUIRE(::pipe(pipe.data()) == 0);
    weft::io_context io;
    {
        stopper stop{io};
        CHECK(io.run_until_done(wait_error(pipe[0], weft::fd_event::readable),
                                stop.source.token()) == std::errc::operation_canceled);
    }
    {
        stopper stop{io};
        std::array<std::byte, 16> into{};
        CHECK(io.run_until_done(read_error(pipe[0], into), stop.source.token()) ==
              std::errc::operation_canceled);
    }
    CHECK(io.ring().in_flight() == 0);
    ::close(pipe[0]);
    ::close(pipe[1]);
}

TEST_CASE("a stop that was requested before ends an operation before it starts") {
    weft::io_context io;
    weft::stop_source stop;
    stop.request_stop();
    CHECK(io.run_until_done(open_error("/dev/null", {}), stop.token()) ==
          std::errc::operation_canceled);
    CHECK(io.ring().statistics().submitted == 0);
}

TEST_CASE("a stop does not keep a file from being closed") {
    std::array<int, 2> pipe{};
    REQUIRE(::pipe(pipe.data()) == 0);
    weft::io_context io;
    weft::stop_source stop;
    stop.request_stop();
    io.run_until_done(close_only(file{pipe[1]}), stop.token());
    CHECK(::fcntl(pipe[1], F_GETFD) == -1);
    ::close(pipe[0]);
}

TEST_CASE("a descriptor that is ready ends the wait at once") {
    std::array<int, 2> pipe{};
    REQUIRE(::pipe(pipe.data()) == 0);
    weft::io_context io;
    CHECK_FALSE(io.run_until_done(wait_error(pipe[1], weft::fd_event::writable)));
    REQUIRE(::write(pipe[1], "x", 1) == 1);
    CHECK_FALSE(io.run_until_done(wait_error(pipe[0], weft::fd_event::readable)));
    ::close(pipe[0]);
    ::close(pipe[1]);
}

TEST_CASE("100,000 reads one after the other keep the stack and the ring as they were") {
    weft::io_context io;
    CHECK(io.run_until_done(read_many("/dev/zero", 100'000)) == 100'000);
    CHECK(io.ring().in_flight() == 0);
    CHECK(io.ring().statistics().completed >= 100'000);
}

TEST_CASE("without a ring, as in a simulation, files are not supported") {
    weft::scheduler simulated{weft::scheduler::clock::virtual_time};
    CHECK(simulated.run_until_done(open_error("/dev/null", {})) ==
          std::errc::operation_not_supported);
}

TEST_CASE("a frame that is destroyed while the kernel reads waits for the kernel first") {
    std::array<int, 2> pipe{};
    REQUIRE(::pipe(pipe.data()) == 0);
    weft::io_context io;
    {
        struct listener : weft::task_listener {
            listener() noexcept
                : task_listener{[](task_listener&) noexcept -> std::coroutine_handle<> {
                      return std::noop_coroutine();
                  }} {}
        } nobody;
        std::vector<std::byte> into(64);
        const weft::environment in{&io, {}};
        weft::running_task<std::error_code> reading{read_error(pipe[0], into)};
        CHECK_FALSE(reading.start(in, nobody));
        io.turn();
        CHECK(io.ring().in_flight() == 1);
    }
    CHECK(io.ring().in_flight() == 0);
    ::close(pipe[0]);
    ::close(pipe[1]);
}
}  // TEST_SUITE("framework.file")
