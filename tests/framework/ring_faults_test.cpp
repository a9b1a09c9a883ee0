// Faults in the ring: what they do to a request, and that what is built on the ring bears them.
#include "io_scratch.hpp"

#include <weft/io/copy.hpp>
#include <weft/io/directory.hpp>
#include <weft/io/file.hpp>
#include <weft/io/process.hpp>
#include <weft/io/ring_buffers.hpp>
#include <weft/task_group.hpp>
#include <weft/test/ring_faults.hpp>
#include <weft/when_all.hpp>
#include <weft/with_timeout.hpp>

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace weft::test;
using weft::file;
using weft::input_stream;
using weft::output_stream;
using weft::result;
using weft::ring_request;
using weft::task;
using access = weft::file_options::access;

task<std::string> read_all(const input_stream& from) {
    std::string all;
    std::string some(20'000, '\0');
    for (;;) {
        const result<std::size_t> got = co_await from.read_some(room_in(some));
        if (got.value() == 0) co_return all;
        all.append(some, 0, *got);
    }
}

task<> feed(output_stream to, const std::string& text) {
    const auto written = co_await to.write_all(bytes_of(text));
    CHECK(written.has_value());
    (void)co_await to.close();
}

task<std::string> through_a_pipe(const std::string& text) {
    result<weft::pipe_ends> pipe = weft::make_pipe();
    const auto [none, read] =
        co_await weft::when_all(feed(std::move(pipe->writer), text), read_all(pipe->reader));
    co_return read;
}

task<std::string> through_a_file(std::string path, const std::string& text) {
    const result<file> opened = co_await file::open(
        std::move(path), {.mode = access::read_write, .create = true, .truncate = true});
    const auto written = co_await opened.value().write_all_at(0, bytes_of(text));
    CHECK(written.has_value());
    std::string back(text.size(), '\0');
    const auto got = co_await opened->read_exactly_at(0, room_in(back));
    CHECK(got.has_value());
    co_return back;
}

task<std::string> through_a_copy(std::string path) {
    const result<file> from = co_await file::open(std::move(path));
    result<weft::pipe_ends> pipe = weft::make_pipe();
    const auto copies = [](int source, output_stream to) -> task<> {
        const auto copied = co_await weft::copy(source, to.descriptor());
        CHECK(copied.has_value());
        (void)co_await to.close();
    };
    const auto [none, read] = co_await weft::when_all(
        copies(from.value().descriptor(), std::move(pipe->writer)), read_all(pipe->reader));
    co_return read;
}

task<std::string> through_cat(const std::string& text) {
    weft::command cat{"cat"};
    cat.input(weft::stdio::pipe).output(weft::stdio::pipe);
    result<weft::process> child = co_await weft::spawn(cat);
    const auto [none, read] = co_await weft::when_all(feed(std::move(child.value().input()), text),
                                                      read_all(child->output()));
    const auto ended = co_await child->wait();
    CHECK(ended.value().is_success());
    co_return read;
}

task<std::error_code> read_error(const input_stream& from) {
    std::string one(1, '\0');
    const auto got = co_await from.read_some(room_in(one));
    co_return got.error();
}

/// What a pipe without faults and with bytes in it would have answered at once.
std::error_code one_fault(std::errc error) {
    weft::io_context io;
    result<weft::pipe_ends> pipe = weft::make_pipe();
    REQUIRE(::write(pipe->writer.descriptor(), "xy", 2) == 2);
    ring_faults faults{io.ring(), 1};
    faults.fail(ring_request::read, error, {.one_in = 1, .times = 1});
    const std::error_code came = io.run_until_done(read_error(pipe->reader));
    CHECK(faults.statistics().failed == 1);
    CHECK_FALSE(io.run_until_done(read_error(pipe->reader)));
    return came;
}

struct recorder : weft::ring_completion {
    recorder() noexcept
        : ring_completion{[](ring_completion& self, int came, unsigned) noexcept {
              auto& mine = static_cast<recorder&>(self);
              mine.answer = came;
              ++mine.times;
          }} {}
    int answer = 0;
    int times = 0;
};

/// The answers of a hundred reads of up to 100 bytes of zeros.
std::vector<int> answers_with(std::uint64_t seed) {
    weft::ring ring;
    const input_stream zeros{::open("/dev/zero", O_RDONLY | O_CLOEXEC)};
    ring_faults faults{ring, seed};
    faults.shorten(ring_request::read, {.one_in = 2})
        .fail(ring_request::read, std::errc::interrupted, {.one_in = 4});
    std::vector<int> answers;
    std::array<std::byte, 100> into{};
    for (int i = 0; i < 100; ++i) {
        recorder reading;
        ring.read(reading, zeros.descriptor(), into, 0);
        while (reading.times == 0) {
            ring.enter(1s);
            ring.reap(64);
        }
        answers.push_back(reading.answer);
    }
    return answers;
}

/// Two ends of a stream of bytes.
class socket_pair {
public:
    socket_pair() { REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends_) == 0); }
    socket_pair(const socket_pair&) = delete;
    socket_pair& operator=(const socket_pair&) = delete;
    ~socket_pair() {
        ::close(ends_[0]);
        close_writer();
    }
    void write(std::string_view text) const {
        REQUIRE(::write(ends_[1], text.data(), text.size()) == static_cast<ssize_t>(text.size()));
    }
    void close_writer() {
        if (ends_[1] >= 0) ::close(ends_[1]);
        ends_[1] = -1;
    }
    [[nodiscard]] int reader() const noexcept { return ends_[0]; }

private:
    int ends_[2] = {-1, -1};
};

/// Receives into buffers that the kernel chooses, and keeps what each answer brought.
class chosen_receive : weft::ring_completion {
public:
    chosen_receive(weft::ring& on, int fd) : ring_completion{&answered}, ring_{on}, fd_{fd} {}
    ~chosen_receive() { ring_.withdraw(*this); }

    void start() { ring_.receive_all(*this, fd_, buffers_.group(), 1U << 20); }
    /// One turn of a loop.
    void turn() {
        ring_.enter(1ms);
        ring_.reap(64);
    }
    using ring_completion::is_in_flight;
    [[nodiscard]] std::string all() const {
        std::string text;
        for (const std::string& part : parts) text += part;
        return text;
    }

    std::vector<std::string> parts;
    bool has_ended = false;  // the answer was 0

private:
    static void answered(ring_completion& done, int answer, unsigned flags) noexcept {
        auto& self = static_cast<chosen_receive&>(done);
        self.has_ended = self.has_ended || answer == 0;
        const std::optional<std::uint16_t> buffer = weft::ring::buffer_of(flags);
        if (!buffer) return;
        const std::span<std::byte> came = self.buffers_.at(*buffer);
        self.parts.emplace_back(reinterpret_cast<const char*>(came.data()),
                                static_cast<std::size_t>(std::max(answer, 0)));
        self.buffers_.give_back(*buffer);
    }

    weft::ring& ring_;
    int fd_;
    weft::ring_buffers buffers_{ring_, 8, 16U << 10};
};

/// What 50,000 bytes come in, each receive made again when it has ended.
std::vector<std::size_t> parts_received(std::uint64_t seed, how_often when) {
    weft::ring ring;
    socket_pair stream;
    ring_faults faults{ring, seed};
    faults.shorten(ring_request::receive, when);
    chosen_receive receive{ring, stream.reader()};
    const std::string text = long_text(50'000);
    stream.write(text);
    stream.close_writer();
    for (int turns = 0; !receive.has_ended && turns < 10'000; ++turns) {
        if (!receive.is_in_flight()) receive.start();
        receive.turn();
    }
    CHECK(receive.all() == text);
    CHECK(faults.statistics().shortened > 0);
    std::vector<std::size_t> sizes;
    for (const std::string& part : receive.parts) sizes.push_back(part.size());
    return sizes;
}

/// Remembers the flags of the answers.
struct flag_recorder : weft::ring_completion {
    flag_recorder() noexcept
        : ring_completion{[](ring_completion& self, int came, unsigned flags) noexcept {
              auto& mine = static_cast<flag_recorder&>(self);
              if (weft::ring::is_release(flags)) {
                  mine.order += 'r';
              } else {
                  mine.order += came >= 0 ? 'a' : 'e';
              }
          }} {}
    std::string order;
};

task<> yields(int times) {
    for (int i = 0; i < times; ++i) (void)co_await weft::sleep_for(100us);
}

task<> many_pipes(weft::task_group& group, const std::string* text) {
    const auto one = [](const std::string* sent) -> task<> {
        const std::string back = co_await through_a_pipe(*sent);
        CHECK(back == *sent);
    };
    for (int i = 0; i < 20; ++i) group.spawn(one(text));
    co_return;
}

}  // namespace

TEST_SUITE("framework.ring_faults") {
TEST_CASE("short reads and writes, interruptions and late answers change no byte") {
    const scratch_folder folder;
    const std::string text = long_text(200'000);
    folder.write("source", text);
    std::uint64_t faults_met = 0;
    for (std::uint64_t seed = 1; seed <= 30; ++seed) {
        CAPTURE(seed);
        weft::io_context io;
        {
            ring_faults faults{io.ring(), seed};
            faults.shorten(ring_request::any, {.one_in = 2})
                .fail(ring_request::read, std::errc::interrupted, {.one_in = 5})
                .fail(ring_request::write, std::errc::interrupted, {.one_in = 5})
                .fail(ring_request::poll, std::errc::interrupted, {.one_in = 5})
                .delay(ring_request::any, {.one_in = 3})
                .refuse_enter({.one_in = 7});
            CHECK(io.run_until_done(through_a_pipe(text)) == text);
            CHECK(io.run_until_done(through_a_file(folder / "file", text)) == text);
            CHECK(io.run_until_done(through_a_copy(folder / "source")) == text);
            faults_met += faults.statistics().shortened + faults.statistics().failed;
            CHECK(faults.statistics().delayed > 0);
            CHECK(faults.statistics().refused_enters > 0);
        }
        CHECK(io.ring().in_flight() == 0);
    }
    CHECK(faults_met > 1000);
}

TEST_CASE("a stream that is told it is not ready asks when it is, and goes on") {
    const std::string text = long_text(300'000);
    weft::io_context io;
    ring_faults faults{io.ring(), 7};
    faults.fail(ring_request::any, std::errc::resource_unavailable_try_again, {.one_in = 3})
        .shorten(ring_request::any, {.one_in = 2});
    CHECK(io.run_until_done(through_a_pipe(text)) == text);
    CHECK(faults.statistics().failed > 10);
}

TEST_CASE("children and offloaded calls bear faults in what wakes the loop for them") {
    const std::string text = long_text(100'000);
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
        CAPTURE(seed);
        weft::io_context io;
        ring_faults faults{io.ring(), seed};
        faults.fail(ring_request::poll, std::errc::interrupted, {.one_in = 2})
            .delay(ring_request::poll, {.one_in = 2})
            .shorten(ring_request::write, {.one_in = 2});
        CHECK(io.run_until_done(through_cat(text)) == text);
    }
}

TEST_CASE("an error that says something is the caller's, once") {
    CHECK(one_fault(std::errc::no_buffer_space) == std::errc::no_buffer_space);
    CHECK(one_fault(std::errc::not_enough_memory) == std::errc::not_enough_memory);
    CHECK(one_fault(std::errc::io_error) == std::errc::io_error);
    CHECK(one_fault(std::errc::operation_canceled) == std::errc::operation_canceled);
    CHECK_FALSE(one_fault(std::errc::interrupted));
}

TEST_CASE("a request that a fault answers is not made") {
    const scratch_folder folder;
    weft::io_context io;
    ring_faults faults{io.ring(), 1};
    faults.fail(ring_request::open, std::errc::too_many_files_open, {.one_in = 1, .times = 1});
    const auto create = [](std::string path) -> task<std::error_code> {
        const result<file> opened =
            co_await file::open(std::move(path), {.mode = access::write, .create = true});
        co_return opened.error();
    };
    CHECK(io.run_until_done(create(folder / "file")) == std::errc::too_many_files_open);
    CHECK_FALSE(std::filesystem::exists(folder / "file"));
    CHECK_FALSE(io.run_until_done(create(folder / "file")));
    CHECK(std::filesystem::exists(folder / "file"));
}

TEST_CASE("a close that fails has closed all the same") {
    weft::io_context io;
    const int before = open_descriptors();
    ring_faults faults{io.ring(), 1};
    faults.fail(ring_request::close, std::errc::io_error);
    const auto closes = []() -> task<std::error_code> {
        result<file> opened = co_await file::open("/dev/null");
        const auto closed = co_await opened.value().close();
        co_return closed.error();
    };
    CHECK(io.run_until_done(closes()) == std::errc::io_error);
    CHECK(open_descriptors() == before);
}

TEST_CASE("a queue of completions that overflows loses none") {
    const std::string text = long_text(50'000);
    weft::io_context io{{.submissions = 8, .completions = 16}};
    ring_faults faults{io.ring(), 3};
    faults.overflow({.one_in = 3}).delay(ring_request::any, {.one_in = 4});
    CHECK(io.run_until_done(weft::with_task_group(&many_pipes, &text)).has_value());
    CHECK(faults.statistics().overflows > 5);
    CHECK(io.ring().statistics().overflows > 5);
    CHECK(io.ring().in_flight() == 0);
}

TEST_CASE("a stop that comes while an answer is late gets that answer") {
    weft::io_context io;
    result<weft::pipe_ends> pipe = weft::make_pipe();
    REQUIRE(::write(pipe->writer.descriptor(), "x", 1) == 1);
    ring_faults faults{io.ring(), 1};
    faults.delay(ring_request::read);
    const auto reads = [](const input_stream& from) -> task<std::size_t> {
        std::string one(1, '\0');
        const auto got = co_await weft::with_timeout(0s, from.read_some(room_in(one)));
        co_return got.value();
    };
    CHECK(io.run_until_done(reads(pipe->reader)) == 1);
    CHECK(io.ring().in_flight() == 0);
}

TEST_CASE("what was late arrives when the faults end, and what was decided holds") {
    weft::ring ring;
    recorder late;
    recorder failed;
    {
        ring_faults faults{ring, 1};
        faults.delay(ring_request::other, {.one_in = 1, .times = 1})
            .fail(ring_request::poll, std::errc::io_error);
        ring.no_operation(late);
        ring.poll(failed, 0, 0);
        ring.enter(0s);
        CHECK(late.times == 0);
    }
    ring.enter(0s);
    ring.reap(64);
    CHECK(late.times == 1);
    CHECK(late.answer == 0);
    CHECK(failed.times == 1);
    CHECK(failed.answer == -EIO);
    CHECK(ring.in_flight() == 0);
}

TEST_CASE("a request whose answer is late can be withdrawn") {
    weft::ring ring;
    ring_faults faults{ring, 1};
    faults.delay(ring_request::any);
    recorder done;
    ring.no_operation(done);
    ring.enter(0s);
    ring.reap(64);
    ring.withdraw(done);
    CHECK_FALSE(done.is_in_flight());
    CHECK(done.times == 0);
    CHECK(ring.in_flight() == 0);
    recorder unsubmitted;
    ring.no_operation(unsubmitted);
    ring.withdraw(unsubmitted);
    CHECK(unsubmitted.times == 0);
    CHECK(ring.in_flight() == 0);
}

TEST_CASE("a seed replays, and another one is another run") {
    const std::vector<int> first = answers_with(11);
    CHECK(answers_with(11) == first);
    CHECK(answers_with(12) != first);
    CHECK(std::ranges::count(first, -EINTR) > 5);
    CHECK(std::ranges::count(first, 100) > 5);
    CHECK(std::ranges::count_if(first, [](int bytes) { return bytes > 0 && bytes < 100; }) > 5);
}

TEST_CASE("a shortened receive into the kernel's buffers ends, and the rest comes to the next") {
    const auto is_short = [](std::size_t bytes) { return bytes < 4096; };
    const std::vector<std::size_t> sizes = parts_received(5, {});
    CHECK(sizes.size() > 12);
    CHECK(std::ranges::all_of(sizes, is_short));
    CHECK(parts_received(5, {}) == sizes);
    CHECK(parts_received(6, {}) != sizes);
    const std::vector<std::size_t> one_short = parts_received(5, {.one_in = 1, .times = 1});
    CHECK(is_short(one_short.front()));
    CHECK(std::ranges::count(one_short, std::size_t{16} << 10) > 0);
}

TEST_CASE("all answers to a request that is late are late, in their order") {
    weft::ring ring;
    socket_pair stream;
    ring_faults faults{ring, 2};
    faults.delay(ring_request::receive);
    chosen_receive receive{ring, stream.reader()};
    receive.start();
    receive.turn();
    int turns_before_first = 0;
    for (const char* word : {"one ", "two ", "three ", "four"}) {
        stream.write(word);
        receive.turn();
        if (receive.parts.empty()) ++turns_before_first;
    }
    for (int i = 0; i < 8; ++i) receive.turn();
    CHECK(turns_before_first > 0);
    CHECK(receive.parts == std::vector<std::string>{"one ", "two ", "three ", "four"});
    CHECK(receive.is_in_flight());
    stream.close_writer();
    receive.turn();
    CHECK_FALSE(receive.has_ended);
    for (int i = 0; i < 8; ++i) receive.turn();
    CHECK(receive.has_ended);
    CHECK(faults.statistics().delayed == 1);
}

TEST_CASE("answers that are late and go on arrive when the faults end, or go with the request") {
    weft::ring ring;
    socket_pair stream;
    chosen_receive receive{ring, stream.reader()};
    for (const bool is_withdrawn : {false, true}) {
        std::optional<ring_faults> faults{std::in_place, ring, 2};
        faults->delay(ring_request::receive);
        chosen_receive other{ring, stream.reader()};
        other.start();
        other.turn();
        stream.write("late");
        other.turn();
        CHECK(other.parts.empty());
        if (is_withdrawn) continue;
        faults.reset();
        other.turn();
        CHECK(other.parts == std::vector<std::string>{"late"});
    }
    CHECK(ring.in_flight() == 0);
    stream.write("next");  // and the ring works on
    receive.start();
    for (int i = 0; i < 100 && receive.parts.empty(); ++i) receive.turn();
    CHECK(receive.all() == "next");
}

TEST_CASE("a send in place that is late says first that it was sent, then that memory is free") {
    weft::ring ring;
    if (!ring.abilities().zero_copy_send) return;
    const int listening = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    REQUIRE(::bind(listening, reinterpret_cast<sockaddr*>(&at), size) == 0);
    REQUIRE(::listen(listening, 1) == 0);
    REQUIRE(::getsockname(listening, reinterpret_cast<sockaddr*>(&at), &size) == 0);
    const int sending = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(::connect(sending, reinterpret_cast<sockaddr*>(&at), size) == 0);
    const std::string text = long_text(1000);
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
        CAPTURE(seed);
        ring_faults faults{ring, seed};
        faults.delay(ring_request::send);
        flag_recorder sent;
        ring.send(sent, sending, bytes_of(text), weft::ring::sending::all_in_place);
        ring.enter(0s);
        ring.reap(64);
        CHECK(sent.order.empty());
        for (int i = 0; i < 1000 && sent.is_in_flight(); ++i) {
            ring.enter(1ms);
            ring.reap(64);
        }
        CHECK(sent.order == "ar");
    }
    ::close(sending);
    ::close(listening);
}

TEST_CASE("timers fire although the kernel refuses the loop again and again") {
    weft::io_context io;
    ring_faults faults{io.ring(), 1};
    faults.refuse_enter({.one_in = 2});
    io.run_until_done(yields(50));
    CHECK(faults.statistics().refused_enters > 10);
}
}  // TEST_SUITE("framework.ring_faults")
