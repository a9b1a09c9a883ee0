#pragma once
// The scalar objects of the TCP MIB (RFC 4022), read from what the stack counts: for whoever
// watches hosts by names that are the same everywhere.
//
// A copy, made when it is asked for; the numbers are `stack_counters`', which says more. Counters
// are 64 bits wide, so tcpInSegs and tcpOutSegs are tcpHCInSegs and tcpHCOutSegs as well. The
// table of connections is `demux::for_each_connection` with `connection::info()`, and
// `for_each_time_wait` for those in TIME-WAIT that nobody holds.

#include <weft/net/counters.hpp>
#include <weft/net/tcp/options.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <string_view>

namespace weft::net::tcp {

struct mib {
    std::uint64_t rto_algorithm = 5;    ///< rfc2988(5): RFC 6298 made it obsolete without a number
    std::uint64_t rto_min_ms = 0;       ///< milliseconds
    std::uint64_t rto_max_ms = 0;       ///< milliseconds
    std::uint64_t max_connections = 0;  ///< as many as the stack will hold
    std::uint64_t active_opens = 0;     ///< CLOSED → SYN-SENT
    std::uint64_t passive_opens = 0;    ///< LISTEN → SYN-RECEIVED
    std::uint64_t attempt_fails = 0;    ///< SYN-SENT, SYN-RECEIVED → CLOSED or LISTEN
    std::uint64_t established_resets = 0;   ///< ESTABLISHED, CLOSE-WAIT → CLOSED
    std::uint64_t current_established = 0;  ///< a gauge: in ESTABLISHED or CLOSE-WAIT
    std::uint64_t in_segments = 0;          ///< with those in error
    std::uint64_t out_segments = 0;         ///< without those that were only sent again
    std::uint64_t retransmitted_segments = 0;
    std::uint64_t in_errors = 0;  ///< too short, a wrong checksum, a bad offset or option
    std::uint64_t out_resets = 0;

    [[nodiscard]] static mib of(const stack_counters& counters, const config& settings) noexcept {
        const auto ms = [](duration d) {
            return static_cast<std::uint64_t>(
                std::chrono::duration_cast<std::chrono::milliseconds>(d).count());
        };
        mib m;
        m.rto_min_ms = ms(settings.min_rto);
        m.rto_max_ms = ms(settings.max_rto);
        m.max_connections = settings.max_connections;
        m.active_opens = counters.tcp_active_opens;
        m.passive_opens = counters.tcp_passive_opens;
        m.attempt_fails = counters.tcp_attempt_fails;
        m.established_resets = counters.tcp_established_resets;
        m.current_established = counters.tcp_current_established;
        m.in_segments = counters.tcp_segments_received;
        // What is counted as sent again may be waiting for a device that is not there yet.
        m.out_segments = counters.tcp_segments_sent -
                         std::min(counters.tcp_segments_sent, counters.tcp_retransmitted_segments);
        m.retransmitted_segments = counters.tcp_retransmitted_segments;
        m.in_errors = counters.tcp_too_short + counters.tcp_bad_checksum +
                      counters.tcp_bad_data_offset + counters.tcp_bad_options;
        m.out_resets = counters.tcp_resets_sent;
        return m;
    }

    /// Calls f(std::string_view name, std::uint64_t value) for each object, by its name in RFC
    /// 4022.
    template <class Function>
    void for_each(Function&& f) const;
};

struct mib_object {
    std::string_view name;
    std::uint64_t mib::* field;
};

inline constexpr auto mib_objects = std::to_array<mib_object>({
    {"tcpRtoAlgorithm", &mib::rto_algorithm},
    {"tcpRtoMin", &mib::rto_min_ms},
    {"tcpRtoMax", &mib::rto_max_ms},
    {"tcpMaxConn", &mib::max_connections},
    {"tcpActiveOpens", &mib::active_opens},
    {"tcpPassiveOpens", &mib::passive_opens},
    {"tcpAttemptFails", &mib::attempt_fails},
    {"tcpEstabResets", &mib::established_resets},
    {"tcpCurrEstab", &mib::current_established},
    {"tcpInSegs", &mib::in_segments},
    {"tcpOutSegs", &mib::out_segments},
    {"tcpRetransSegs", &mib::retransmitted_segments},
    {"tcpInErrs", &mib::in_errors},
    {"tcpOutRsts", &mib::out_resets},
    {"tcpHCInSegs", &mib::in_segments},
    {"tcpHCOutSegs", &mib::out_segments},
});

template <class Function>
void mib::for_each(Function&& f) const {
    for (const mib_object& object : mib_objects) f(object.name, this->*object.field);
}

}  // namespace weft::net::tcp
