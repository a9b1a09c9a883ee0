// Where there is no io_uring, or too old a one, the error says so and says what to do. The kernel's
// refusal is real: a seccomp filter on this thread gives it.
#include <doctest/doctest.h>
#include <weft/io/ring.hpp>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <string>
#include <system_error>
#include <thread>

namespace {

/// From now on this thread's io_uring_setup fails with `error`. There is no way back.
bool refuse_rings(int error) {
    const auto answer = SECCOMP_RET_ERRNO | static_cast<unsigned>(error);
    std::array filter{
        sock_filter{BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, nr)},
        sock_filter{BPF_JMP | BPF_JEQ | BPF_K, 0, 1, __NR_io_uring_setup},
        sock_filter{BPF_RET | BPF_K, 0, 0, answer},
        sock_filter{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW},
    };
    const sock_fprog program{static_cast<unsigned short>(filter.size()), filter.data()};
    return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

struct refusal {
    bool is_filtered = false;
    std::error_code code;
    std::string text;
};

refusal refused_with(int error) {
    refusal told;
    std::thread elsewhere{[&] {
        told.is_filtered = refuse_rings(error);
        if (!told.is_filtered) return;
        try {
            const weft::ring ring;
        } catch (const std::system_error& why) {
            told.code = why.code();
            told.text = why.what();
        }
    }};
    elsewhere.join();
    return told;
}

bool has(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_SUITE("framework.ring_refusal") {
TEST_CASE("too old a kernel, none at all and one that forbids it are told apart") {
    const refusal old = refused_with(EINVAL);
    if (!old.is_filtered) {
        MESSAGE("not tested: no seccomp filters here");
        return;
    }
    CHECK(old.code == std::errc::invalid_argument);
    CHECK(has(old.text, "is too old, Linux 6.1 or newer is needed"));
    const refusal none = refused_with(ENOSYS);
    CHECK(none.code == std::errc::function_not_supported);
    CHECK(has(none.text, "not available"));
    CHECK(has(none.text, "6.1"));
    CHECK(has(none.text, "seccomp"));
    const refusal forbidden = refused_with(EPERM);
    CHECK(forbidden.code == std::errc::operation_not_permitted);
    CHECK(has(forbidden.text, "kernel.io_uring_disabled"));
    CHECK(has(forbidden.text, "seccomp"));
    CHECK(has(refused_with(ENOMEM).text, "ulimit -l"));
    CHECK(has(refused_with(EMFILE).text, "ulimit -n"));
}

TEST_CASE("the text names the kernel that was found") {
    CHECK(
        has(weft::why_no_ring(EINVAL, "5.15.0-91-generic"), "Linux 5.15.0-91-generic is too old"));
}

TEST_CASE("sizes that no ring can have are not called an old kernel") {
    CHECK_THROWS_AS((weft::ring{{.submissions = 0}}), std::invalid_argument);
    CHECK_THROWS_AS((weft::ring{{.submissions = 64, .completions = 32}}), std::invalid_argument);
    CHECK_NOTHROW((weft::ring{{.submissions = 1, .completions = 1}}));
}
}
