#include "behaviours.hpp"
#include "full_port.hpp"

#include <weft/io/io_context.hpp>
#include <weft/kernel/network.hpp>
#include <weft/test/ring_faults.hpp>

#include <dirent.h>

// The kernel's sockets while their ring meets faults that a program must not notice: every
// behaviour once with each kind of fault, and no descriptor or buffer left behind.

namespace weft::networks::test::on_faulty_kernel {

using weft::ring_request;
using weft::test::ring_faults;

/// Constructed first and destroyed last: what was opened in between has been closed.
class descriptor_balance {
public:
    descriptor_balance() : before_{open()} {}
    descriptor_balance(const descriptor_balance&) = delete;
    descriptor_balance& operator=(const descriptor_balance&) = delete;
    ~descriptor_balance() { CHECK(open() == before_); }

private:
    static int open() {
        int count = 0;
        ::DIR* const folder = ::opendir("/proc/self/fd");
        while (::readdir(folder) != nullptr) ++count;
        ::closedir(folder);
        return count;
    }

    const int before_;
};

class setup {
public:
    setup() {
        SUBCASE("short sends") { faults_.shorten(ring_request::send, {.one_in = 2}); }
        SUBCASE("short receives") { faults_.shorten(ring_request::receive, {.one_in = 2}); }
        SUBCASE("interruptions") {
            for (const ring_request which :
                 {ring_request::receive, ring_request::send, ring_request::receive_message,
                  ring_request::send_message, ring_request::accept, ring_request::poll}) {
                faults_.fail(which, std::errc::interrupted, {.one_in = 3});
            }
        }
        SUBCASE("not ready") {
            faults_
                .fail(ring_request::receive, std::errc::resource_unavailable_try_again,
                      {.one_in = 3})
                .fail(ring_request::poll, std::errc::resource_unavailable_try_again, {.one_in = 3})
                .fail(ring_request::accept, std::errc::resource_unavailable_try_again,
                      {.one_in = 3});
        }
        SUBCASE("no buffers, no memory, no descriptors") {
            faults_.fail(ring_request::receive, std::errc::no_buffer_space, {.one_in = 3})
                .fail(ring_request::receive, std::errc::not_enough_memory, {.one_in = 4})
                .fail(ring_request::poll, std::errc::not_enough_memory, {.one_in = 3})
                .fail(ring_request::accept, std::errc::too_many_files_open, {.one_in = 3});
        }
        SUBCASE("canceled by nobody") {
            faults_.fail(ring_request::receive, std::errc::operation_canceled, {.one_in = 3})
                .fail(ring_request::poll, std::errc::operation_canceled, {.one_in = 3})
                .fail(ring_request::accept, std::errc::operation_canceled, {.one_in = 3});
        }
        SUBCASE("late answers") { faults_.delay(ring_request::any, {.one_in = 2}); }
        SUBCASE("a queue of completions that overflows") { faults_.overflow({.one_in = 3}); }
        SUBCASE("an enter that is refused") { faults_.refuse_enter({.one_in = 3}); }
        SUBCASE("a little of everything") {
            faults_.shorten(ring_request::any, {.one_in = 4})
                .fail(ring_request::receive, std::errc::interrupted, {.one_in = 9})
                .fail(ring_request::receive, std::errc::no_buffer_space, {.one_in = 9})
                .fail(ring_request::accept, std::errc::too_many_files_open, {.one_in = 9})
                .fail(ring_request::poll, std::errc::operation_canceled, {.one_in = 9})
                .delay(ring_request::any, {.one_in = 4})
                .overflow({.one_in = 20})
                .refuse_enter({.one_in = 7});
        }
    }

    [[nodiscard]] kernel::network& client() noexcept { return network_; }
    [[nodiscard]] kernel::network& server() noexcept { return network_; }
    [[nodiscard]] endpoint server_at(std::uint16_t port) const {
        return {ipv4_address{127, 0, 0, 1}, port};
    }
    [[nodiscard]] endpoint silent() const { return server_at(full_.port()); }
    [[nodiscard]] const ring_faults::counters& faults() const { return faults_.statistics(); }
    void run(task<> main) {
        io_.run_until_done(std::move(main));
        CHECK(network_.pool().held() == 0);
    }

private:
    // Few entries and buffers, so that they run out as well.
    static constexpr kernel::network_options scarce{.receive_buffers = 16, .accept_pause = 5ms};

    descriptor_balance balance_;
    full_port full_;
    io_context io_{{.submissions = 8, .completions = 64}};
    ring_faults faults_{io_.ring(), 20'261'123};
    kernel::network network_{io_, scarce};
};

TEST_SUITE("networks.kernel_faults") {
#include "../../tests/networks/../networks/behaviours.inc"

TEST_CASE("each of these faults is met, again and again, by a connection that does its work") {
    setup with;
    with.run([](setup& on) -> task<> {
        const std::string text = pattern(20'000);
        for (int i = 0; i < 20; ++i) {
            both_ends<setup> ends;
            co_await open(on, ends);
            const auto [wrote, read] =
                co_await when_all(write_and_close(ends.client, text), read_to_end(ends.server));
            CHECK_MESSAGE(wrote.has_value(), wrote.error().message());
            REQUIRE_MESSAGE(read.has_value(), read.error().message());
            CHECK(*read == text);
        }
    }(with));
    const ring_faults::counters& met = with.faults();
    CHECK(met.shortened + met.failed + met.delayed + met.overflows + met.refused_enters > 5);
}
}

}  // namespace weft::networks::test::on_faulty_kernel
