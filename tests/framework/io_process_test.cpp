// Children: started, fed, read, waited for, ended; and none left behind.
#include "io_scratch.hpp"

#include <weft/io/process.hpp>
#include <weft/io/signals.hpp>
#include <weft/task_group.hpp>
#include <weft/when_all.hpp>
#include <weft/with_timeout.hpp>

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <sstream>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace weft::test;
using weft::command;
using weft::exit_status;
using weft::process;
using weft::result;
using weft::stdio;
using weft::task;

command shell(const std::string& script) {
    command made{"/bin/sh"};
    made.argument("-c").argument(script);
    return made;
}

/// No child of this process is left, dead or alive.
bool has_no_child() { return ::waitpid(-1, nullptr, WNOHANG) == -1 && errno == ECHILD; }

task<std::string> read_all(const weft::input_stream& from) {
    std::string all;
    std::string some(4096, '\0');
    for (;;) {
        const result<std::size_t> got = co_await from.read_some(room_in(some));
        if (got.value() == 0) co_return all;
        all.append(some, 0, *got);
    }
}

struct finished {
    exit_status status;
    std::string output;
    std::string error;
};

task<finished> run_to_end(command wanted) {
    wanted.input(stdio::null).output(stdio::pipe).error(stdio::pipe);
    result<process> child = co_await weft::spawn(wanted);
    finished all;
    auto [output, error] =
        co_await weft::when_all(read_all(child.value().output()), read_all(child->error()));
    all.output = std::move(output);
    all.error = std::move(error);
    const result<exit_status> ended = co_await child->wait();
    all.status = ended.value();
    const result<exit_status> again = co_await child->wait();
    CHECK(again.value() == all.status);
    CHECK(child->send_signal(SIGTERM).error() == std::errc::no_such_process);
    co_return all;
}

task<result<void>> feed(weft::output_stream& to, std::string_view text) {
    const result<void> written = co_await to.write_all(bytes_of(text));
    const result<void> closed = co_await to.close();
    co_return written ? closed : written;
}

task<bool> through_cat(std::string text) {
    command cat{"cat"};
    cat.input(stdio::pipe).output(stdio::pipe);
    result<process> child = co_await weft::spawn(cat);
    const auto [fed, back] =
        co_await weft::when_all(feed(child.value().input(), text), read_all(child->output()));
    const result<exit_status> ended = co_await child->wait();
    co_return fed.has_value() && back == text&& ended.value().is_success();
}

task<std::error_code> spawn_error(command wanted) {
    const result<process> child = co_await weft::spawn(std::move(wanted));
    co_return child.error();
}

task<exit_status> status_of(command wanted) {
    result<process> child = co_await weft::spawn(std::move(wanted));
    const result<exit_status> ended = co_await child.value().wait();
    co_return ended.value();
}

/// Starts a child and waits until it has said that it is ready.
task<process> ready_child(std::string script) {
    result<process> child = co_await weft::spawn(shell(script).output(stdio::pipe));
    std::string letter(1, '\0');
    const auto got = co_await child.value().output().read_exactly(room_in(letter));
    CHECK(got.has_value());
    co_return *std::move(child);
}

task<exit_status> supervised(std::string script, weft::duration grace) {
    process child = co_await ready_child(std::move(script));
    const result<exit_status> ended =
        co_await weft::with_timeout(5ms, child.wait_or_terminate(grace));
    co_return ended.value();
}

task<exit_status> terminated(std::string script, weft::duration grace) {
    process child = co_await ready_child(std::move(script));
    const result<exit_status> ended = co_await child.terminate(grace);
    co_return ended.value();
}

task<> a_child_of_many(int code) {
    const exit_status ended = co_await status_of(shell("exit " + std::to_string(code)));
    CHECK(ended == exit_status{code, 0});
}

task<> many_in(weft::task_group& group, int count) {
    for (int i = 0; i < count; ++i) group.spawn(a_child_of_many(i));
    co_return;
}

constexpr const char* obstinate = "trap '' TERM; echo; while :; do sleep 0.01; done";

}  // namespace

TEST_SUITE("framework.process") {
TEST_CASE("a child's output, error and exit code come back") {
    weft::io_context io;
    const finished all = io.run_until_done(run_to_end(shell("echo out; echo err >&2; exit 7")));
    CHECK(all.status == exit_status{7, 0});
    CHECK(all.output == "out\n");
    CHECK(all.error == "err\n");
    CHECK(has_no_child());
    CHECK(io.ring().in_flight() == 0);
}

TEST_CASE("a child reads its input and answers while it is fed") {
    weft::io_context io;
    CHECK(io.run_until_done(through_cat(long_text(1'000'000))));
    CHECK(has_no_child());
}

TEST_CASE("arguments, variables, folder and name reach the child as they were given") {
    const scratch_folder folder;
    weft::io_context io;
    command told = shell("echo \"$0|$1|$2|$WEFT_A|$WEFT_B|$PWD\"; exec pwd -P");
    told.arguments({"zero", "a b", "$HOME"}).variable("WEFT_A", "x=y").directory(folder.path());
    ::setenv("WEFT_B", "taken away", 1);
    told.variable("WEFT_B", std::nullopt);
    const finished all = io.run_until_done(run_to_end(told));
    ::unsetenv("WEFT_B");
    const std::string real = std::filesystem::canonical(folder.path()).string();
    CHECK(all.output == "zero|a b|$HOME|x=y||" + real + "\n" + real + "\n");
    const finished bare = io.run_until_done(
        run_to_end(command{"/usr/bin/env"}.without_environment().variable("ONLY", "1")));
    CHECK(bare.output == "ONLY=1\n");
    const finished named =
        io.run_until_done(run_to_end(shell("echo \"$0\"").called("another-name")));
    CHECK(named.output == "another-name\n");
}

TEST_CASE("streams go to files, to each other and to nowhere") {
    const scratch_folder folder;
    weft::io_context io;
    const int fd = ::open((folder / "log").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    REQUIRE(fd >= 0);
    command both = shell("echo one; echo two >&2; cat");
    both.input(stdio::null).output(command::redirection{fd}).error_to_output();
    CHECK(io.run_until_done(status_of(both)).is_success());
    ::close(fd);
    CHECK(folder.read("log") == "one\ntwo\n");
    CHECK(io.run_until_done(spawn_error(shell("true").input(command::redirection{9999}))) ==
          std::errc::bad_file_descriptor);
}

TEST_CASE("a child gets three descriptors, no blocked signal, and SIGPIPE as usual") {
    weft::io_context io;
    weft::ignore_broken_pipes();
    const weft::signal_set blocked{SIGUSR1, SIGTERM};
    const finished descriptors = io.run_until_done(run_to_end(shell("ls /proc/self/fd | wc -l")));
    CHECK(descriptors.output == "4\n");  // with that of ls itself
    const finished signals =
        io.run_until_done(run_to_end(shell("sed -nE 's/Sig(Blk|Ign):\\s*//p' /proc/self/status")));
    std::istringstream numbers{signals.output};
    std::uint64_t is_blocked = ~0ULL;
    std::uint64_t is_ignored = ~0ULL;
    numbers >> std::hex >> is_blocked >> is_ignored;
    CHECK(is_blocked == 0);
    CHECK((is_ignored & (1ULL << (SIGPIPE - 1))) == 0);
}

TEST_CASE("what cannot be run is an error of spawn, and leaves nothing") {
    const scratch_folder folder;
    folder.write("text", "not a program");
    weft::io_context io;
    const int before = open_descriptors();
    const auto error = [&](const command& wanted) {
        return io.run_until_done(spawn_error(wanted));
    };
    command piped{"/nowhere/program"};
    piped.input(stdio::pipe).output(stdio::pipe).error(stdio::pipe);
    CHECK(error(piped) == std::errc::no_such_file_or_directory);
    CHECK(error(command{"no-such-program-in-path"}) == std::errc::no_such_file_or_directory);
    CHECK(error(command{folder / "text"}) == std::errc::permission_denied);
    std::filesystem::permissions(folder / "text", std::filesystem::perms::owner_all);
    CHECK(error(command{folder / "text"}) == std::errc::executable_format_error);
    CHECK(error(command{"true"}.directory(folder / "none")) ==
          std::errc::no_such_file_or_directory);
    CHECK(has_no_child());
    CHECK(open_descriptors() <= before + 1);  // the pool's eventfd, where this test came first
}

TEST_CASE("out of descriptors, spawn is an error, leaves no child, and the next one runs") {
    weft::io_context io;
    CHECK(io.run_until_done(status_of(shell("true"))).is_success());
    {
        const no_descriptors_left scarce;
        CHECK(io.run_until_done(spawn_error(shell("true").output(stdio::pipe))) ==
              std::errc::too_many_files_open);
        CHECK(io.run_until_done(spawn_error(shell("true"))) == std::errc::too_many_files_open);
    }
    CHECK(has_no_child());
    CHECK(io.run_until_done(status_of(shell("true"))).is_success());
}

TEST_CASE("a stop ends the wait for a child and not the child") {
    weft::io_context io;
    const auto waits = []() -> task<> {
        process child = co_await ready_child("echo; exec sleep 100");
        const result<exit_status> waited = co_await weft::with_timeout(5ms, child.wait());
        CHECK(waited.error() == weft::errc::timed_out);
        CHECK(child.send_signal(0).has_value());
        CHECK(child.send_signal(SIGKILL).has_value());
        const result<exit_status> ended = co_await child.wait();
        CHECK(ended.value() == exit_status{0, SIGKILL});
    };
    io.run_until_done(waits());
    CHECK(has_no_child());
}

TEST_CASE("a stop ends a supervised child politely, and one that refuses after its grace") {
    weft::io_context io;
    CHECK(io.run_until_done(supervised("trap 'exit 3' TERM; echo; while :; do sleep 0.01; done",
                                       10s)) == exit_status{3, 0});
    CHECK(io.run_until_done(supervised(obstinate, 20ms)) == exit_status{0, SIGKILL});
    CHECK(has_no_child());
    CHECK(io.ring().in_flight() == 0);
}

TEST_CASE("a child that is told to end ends, politely or not") {
    weft::io_context io;
    CHECK(io.run_until_done(terminated("echo; exec sleep 100", 10s)) == exit_status{0, SIGTERM});
    CHECK(io.run_until_done(terminated(obstinate, 20ms)) == exit_status{0, SIGKILL});
    weft::stop_source stop;
    const auto with_stop = [](weft::stop_source& source) -> task<exit_status> {
        process child = co_await ready_child(obstinate);
        source.request_stop();
        const result<exit_status> ended = co_await child.terminate(20ms);
        co_return ended.value();
    };
    CHECK(io.run_until_done(with_stop(stop), stop.token()) == exit_status{0, SIGKILL});
    CHECK(has_no_child());
}

TEST_CASE("a process that goes takes its child with it") {
    weft::io_context io;
    const auto drops = []() -> task<pid_t> {
        const process child = co_await ready_child(obstinate);
        co_return child.id();
    };
    const pid_t child = io.run_until_done(drops());
    CHECK(::kill(child, 0) == -1);
    CHECK(errno == ESRCH);
    CHECK(has_no_child());
}

TEST_CASE("signals reach the whole group of a child that has its own") {
    weft::io_context io;
    const auto group = []() -> task<std::string> {
        result<process> child =
            co_await weft::spawn(shell("sleep 100 & echo; wait").own_group().output(stdio::pipe));
        std::string letter(1, '\0');
        const auto got = co_await child.value().output().read_exactly(room_in(letter));
        CHECK(got.has_value());
        const result<exit_status> ended = co_await child->terminate(10s);
        CHECK(ended.value() == exit_status{0, SIGTERM});
        co_return co_await read_all(child->output());  // ends when `sleep` is gone too
    };
    CHECK(io.run_until_done(group()).empty());
}

TEST_CASE("fifty children side by side each report their own end") {
    weft::io_context io;
    CHECK(io.run_until_done(weft::with_task_group(&many_in, 50)).has_value());
    CHECK(has_no_child());
}

TEST_CASE("a child that somebody else waited for is told, not waited for") {
    weft::io_context io;
    const auto stolen = []() -> task<std::error_code> {
        result<process> child = co_await weft::spawn(shell("true"));
        while (::waitpid(child.value().id(), nullptr, 0) != child->id()) {
        }
        const result<exit_status> ended = co_await child->wait();
        co_return ended.error();
    };
    CHECK(io.run_until_done(stolen()) == std::errc::no_child_process);
}
}  // TEST_SUITE("framework.process")
