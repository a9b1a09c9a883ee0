// Without memory the calls of kernel sockets fail with not_enough_memory, and the loop goes on.
#include "io_scratch.hpp"
#include "kernel_network_fixture.hpp"

#include <sys/resource.h>

#include <array>
#include <cstdlib>
#include <fstream>

using namespace weft;
using kernel_test::fixture;
using kernel_test::here;

namespace {

// A sanitizer's allocator ends the process instead.
constexpr bool can_run_out =
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    false;
#elif defined(__has_feature)
    #if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
    false;
    #else
    true;
    #endif
#else
    true;
#endif

/// Until it goes, the process gets no memory: no more address space, and all that lay free is
/// taken.
class no_memory_left {
public:
    no_memory_left() {
        std::size_t pages = 0;
        std::ifstream{"/proc/self/statm"} >> pages;
        REQUIRE(pages != 0);
        REQUIRE(::getrlimit(RLIMIT_AS, &before_) == 0);
        rlimit now = before_;
        now.rlim_cur = pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
        REQUIRE(::setrlimit(RLIMIT_AS, &now) == 0);
        for (std::size_t bytes = std::size_t{1} << 20; bytes >= 16; bytes -= step(bytes)) {
            while (void* const more = std::malloc(bytes)) {
                *static_cast<void**>(more) = taken_;
                taken_ = more;
            }
        }
    }
    no_memory_left(const no_memory_left&) = delete;
    no_memory_left& operator=(const no_memory_left&) = delete;
    ~no_memory_left() { end(); }
    void end() {
        (void)::setrlimit(RLIMIT_AS, &before_);
        while (taken_ != nullptr) {
            void* const next = *static_cast<void**>(taken_);
            std::free(taken_);
            taken_ = next;
        }
    }

private:
    static std::size_t step(std::size_t bytes) { return bytes > 2048 ? bytes / 2 : 16; }

    rlimit before_{};
    void* taken_ = nullptr;
};

}  // namespace

TEST_SUITE("framework.kernel.memory" * doctest::skip(!can_run_out)) {
TEST_CASE("listen, bind, connect and accept fail without memory, and work when there is some") {
    fixture on;
    on.run([](kernel::network& network) -> task<> {
        auto listening = network.listen(endpoint{here, 0});
        const endpoint at = listening.value().local_endpoint();
        const auto warm = co_await network.connect(at);
        const auto first = co_await listening->accept();
        CHECK(first.has_value());
        const auto waiting = co_await network.connect(at);
        CHECK(waiting.has_value());
        const int before = test::open_descriptors();
        std::error_code listened;
        std::error_code bound;
        std::error_code connected;
        std::error_code accepted;
        {
            no_memory_left scarce;
            listened = network.listen(endpoint{here, 0}).error();
            bound = network.bind(endpoint{here, 0}).error();
            auto made = co_await network.connect(at);
            connected = made.error();
            auto come = co_await listening->accept();
            accepted = come.error();
            scarce.end();
        }
        CHECK(listened == std::errc::not_enough_memory);
        CHECK(bound == std::errc::not_enough_memory);
        CHECK(connected == std::errc::not_enough_memory);
        CHECK(accepted == std::errc::not_enough_memory);
        const auto again = co_await network.connect(at);
        CHECK(again.has_value());
        const int after = test::open_descriptors();
        CHECK(after <= before + 2);  // the one just made, and at most one accepted ahead
        CHECK(network.bind(endpoint{here, 0}).has_value());
    });
}
}
