#pragma once
// Faults in the ring, for tests: short reads and writes, errors out of nowhere, late answers, a
// completion queue that overflows, an enter that the kernel refuses.
//
//     weft::io_context io;
//     weft::test::ring_faults faults{io.ring(), seed};
//     faults.shorten(weft::ring_request::read, {.one_in = 2})
//         .fail(weft::ring_request::write, std::errc::interrupted, {.one_in = 5})
//         .delay(weft::ring_request::any, {.one_in = 3});
//
// What happens depends on the seed and on the requests in their order, on nothing else: print the
// seed of a test that fails. Rules are looked at in the order they were made; the first one that
// fails a request wins. Faults end when the object goes, which is before its ring does.

#include <weft/base/random_source.hpp>
#include <weft/io/ring.hpp>
#include <weft/io/ring_injector.hpp>

#include <cstdint>
#include <system_error>
#include <type_traits>
#include <vector>

namespace weft::test {

struct how_often {
    unsigned one_in = 1;                      ///< of the requests a rule is for, on average
    std::uint64_t times = ~std::uint64_t{0};  ///< and no more than this
};
static_assert(std::is_trivially_destructible_v<how_often>);

class ring_faults final : ring_injector {
public:
    struct counters {
        std::uint64_t requests = 0;  ///< that passed by
        std::uint64_t shortened = 0;
        std::uint64_t failed = 0;
        std::uint64_t delayed = 0;
        std::uint64_t overflows = 0;
        std::uint64_t refused_enters = 0;
    };

    /// Requests that are in flight already meet no faults. One at a time a ring.
    ring_faults(ring& on, std::uint64_t seed);
    ring_faults(const ring_faults&) = delete;
    ring_faults& operator=(const ring_faults&) = delete;
    ~ring_faults();

    /// Such requests ask for fewer bytes than they were told, one at least: reads, writes, sends
    /// and splices with one buffer of the program's, and streams' receives. One into buffers that
    /// the kernel chooses ends with an answer of fewer than 4096 bytes; what is left comes to the
    /// next. Vectors and datagrams are spared: the kernel does not cut those.
    ring_faults& shorten(ring_request which, how_often when = {});
    /// Such requests are not made; they are answered with `error`: interrupted,
    /// resource_unavailable_try_again, no_buffer_space, operation_canceled, not_enough_memory, …
    ring_faults& fail(ring_request which, std::errc error, how_often when = {});
    /// The answers to such requests come one to eight turns late, behind those of others; those to
    /// one request are equally late, and stay in their order.
    ring_faults& delay(ring_request which, how_often when = {});
    /// The completion queue overflows, by answers that nobody asked for; of enters, one in …
    ring_faults& overflow(how_often when);
    /// The kernel takes nothing in (EAGAIN, EBUSY) and the loop has to come again; of enters, one
    /// in …, which has to be two at least.
    ring_faults& refuse_enter(how_often when);

    [[nodiscard]] const counters& statistics() const noexcept { return counters_; }
    [[nodiscard]] std::uint64_t seed() const noexcept { return seed_; }

private:
    struct rule {
        enum class effect : std::uint8_t { shorten, fail, delay, overflow, refuse };
        effect what;
        ring_request which;
        int error;
        how_often when;
    };

    ring_fault on_request(ring_request kind, std::size_t bytes) noexcept override;
    bool overflows() noexcept override {
        return meets(rule::effect::overflow, counters_.overflows);
    }
    bool refuses_enter() noexcept override {
        return meets(rule::effect::refuse, counters_.refused_enters);
    }

    bool meets(rule::effect what, std::uint64_t& count) noexcept;
    bool strikes(rule& one) noexcept;
    ring_faults& add(rule one);

    ring& ring_;
    const std::uint64_t seed_;
    random_source random_;
    std::vector<rule> rules_;
    counters counters_;
};

}  // namespace weft::test
