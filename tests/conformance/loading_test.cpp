// The object as a guest in another program: what it makes of flags, and of a host that runs in real
// time with its memory locked.

#include "library/profile.hpp"
#include "script.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <sstream>
#include <stdexcept>

namespace weft::conformance {
namespace {

/// Runs this in a process of its own; its exit status and what it said on stderr.
std::pair<int, std::string> in_child(const std::function<int()>& body) {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    std::cout.flush();  // or the child says it once more
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        ::alarm(30);
        ::dup2(ends[1], STDERR_FILENO);
        ::_exit(body());
    }
    ::close(ends[1]);
    std::string said;
    char text[512];
    for (ssize_t count = 0; (count = ::read(ends[0], text, sizeof text)) > 0;) {
        said.append(text, static_cast<std::size_t>(count));
    }
    ::close(ends[0]);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, said};
}

/// How many threads of this process run under a real-time policy.
int real_time_threads() {
    int count = 0;
    for (const auto& entry : std::filesystem::directory_iterator{"/proc/self/task"}) {
        const int policy = ::sched_getscheduler(std::stoi(entry.path().filename()));
        if (policy == SCHED_RR || policy == SCHED_FIFO) ++count;
    }
    return count;
}

std::string complaint(const std::string& flags) {
    try {
        (void)parse_profile(flags);
    } catch (const std::invalid_argument& e) {
        return e.what();
    }
    return "";
}

}  // namespace

TEST_SUITE("conformance.loading") {
TEST_CASE("flags set what they say") {
    const auto o = parse_profile(
        "mtu=1400, sack=off timestamps=0;window_scale=7,receive_buffer=65535 initial_rto=3s "
        "initial_window=2 delayed_ack=0.2s congestion=new_reno local=10.0.0.1:80 remote=10.0.0.2 "
        "min_rto=1000 quick_acks=0 challenge_interval=500ms msl=5s send_buffer=9000 "
        "tail_loss_probe=no");
    CHECK(o.mtu == 1400);
    CHECK_FALSE(o.tcp.selective_acknowledgment);
    CHECK_FALSE(o.tcp.timestamps);
    CHECK_FALSE(o.tcp.tail_loss_probes);
    CHECK(o.tcp.window_scaling);
    CHECK(o.tcp.window_shift == 7);
    CHECK(o.connection.receive_buffer_bytes == 65535);
    CHECK(o.connection.send_buffer_bytes == 9000);
    CHECK(o.tcp.initial_rto == 3s);
    CHECK(o.tcp.min_rto == 1s);
    CHECK(o.tcp.max_segment_lifetime == 5s);
    CHECK(o.tcp.initial_window_segments == 2);
    CHECK(o.tcp.delayed_ack == 200ms);
    CHECK(o.tcp.quick_acks == 0);
    CHECK(o.tcp.challenge_ack_interval == std::chrono::milliseconds{500});
    CHECK(o.connection.congestion == net::tcp::congestion_algorithm::new_reno);
    CHECK(o.address == net::ipv4_address{10, 0, 0, 1});
}

TEST_CASE("no flags, and switches of a scale and a delay, keep the stack's own habits") {
    for (const char* flags :
         {"", " , ;\n", "window_scale=1 delayed_ack=on sack=yes timestamps=true"}) {
        const auto o = parse_profile(flags);
        CHECK(o.tcp.window_scaling);
        CHECK(o.tcp.window_shift == net::tcp::config::shift_by_buffer);
        CHECK(o.tcp.delayed_ack == net::tcp::config{}.delayed_ack);
        CHECK(o.tcp.selective_acknowledgment);
        CHECK(o.tcp.timestamps);
        CHECK(o.mtu == 1500);
    }
    CHECK(parse_profile("delayed_ack=off").tcp.delayed_ack == duration::zero());
    CHECK_FALSE(parse_profile("window_scale=0").tcp.window_scaling);
}

TEST_CASE("a flag that is wrong is named") {
    CHECK(complaint("colour=blue").starts_with("no such key: colour; there are mtu"));
    CHECK(complaint("mtu") == "mtu=: want a value");
    CHECK(complaint("mtu=12") == "mtu=12: want a number from 68 to 65535");
    CHECK(complaint("mtu=1500x") == "mtu=1500x: want a number from 68 to 65535");
    CHECK(complaint("sack=maybe") == "sack=maybe: want on or off");
    CHECK(complaint("window_scale=15") == "window_scale=15: want a number from 2 to 14");
    CHECK(complaint("initial_rto=1") == "initial_rto=1: want a time from 10ms to 60000ms");
    CHECK(complaint("delayed_ack=1s") == "delayed_ack=1s: want a time from 0ms to 500ms");
    CHECK(complaint("msl=nan") == "msl=nan: want a time from 1ms to 300000ms");
    CHECK(complaint("local=224.0.0.1") == "local=224.0.0.1: want the IPv4 address of a host");
    CHECK(complaint("congestion=vegas") == "congestion=vegas: want cubic, new_reno or bbr");
}

TEST_CASE("a wrong flag ends the program that loaded the object, with a word on stderr") {
    const auto [status, said] = in_child([] {
        script s{"sack=maybe"};
        return 0;
    });
    CHECK(status == 2);
    CHECK(said == "weft_packetdrill: sack=maybe: want on or off\n");
}

TEST_CASE("threads of the object are ordinary ones, whatever the program is that loads it") {
    const auto [status, said] = in_child([] {
        const sched_param lowest{.sched_priority = 1};
        if (::sched_setscheduler(0, SCHED_RR, &lowest) != 0) return 77;
#if !defined(__has_feature)
        (void)::mlockall(MCL_FUTURE);
#elif !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer)
        (void)::mlockall(MCL_FUTURE);  // not a sanitizer's terabytes
#endif
        script s;
        // The driver's own two are the main thread and the metronome.
        if (real_time_threads() != 2) return 1;
        const int fd = s.socket();
        s.bind(fd);
        s.listen(fd);
        s.in("S 0 win 32792 <mss 1000>");
        s.out(std::chrono::microseconds{0}, "S. 0 ack 1");
        return 0;
    });
    if (status == 77) {
        MESSAGE("no real-time policy for this user: not tried");
        return;
    }
    CHECK(said == "");
    CHECK(status == 0);
}
}

}  // namespace weft::conformance
