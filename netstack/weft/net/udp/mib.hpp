#pragma once
// The scalar objects of the UDP MIB (RFC 4113), read from what the stack counts.
//
// A copy, made when it is asked for. Counters are 64 bits wide, so udpInDatagrams and
// udpOutDatagrams are udpHCInDatagrams and udpHCOutDatagrams as well.

#include <weft/net/counters.hpp>

#include <array>
#include <cstdint>
#include <string_view>

namespace weft::net::udp {

struct mib {
    std::uint64_t in_datagrams = 0;  ///< queued for their user
    std::uint64_t no_ports = 0;      ///< for no socket
    std::uint64_t in_errors = 0;     ///< not delivered for another reason
    std::uint64_t out_datagrams = 0;

    [[nodiscard]] static mib of(const stack_counters& counters) noexcept {
        mib m;
        m.in_datagrams = counters.udp_received;
        m.no_ports = counters.udp_no_port;
        m.in_errors = counters.udp_malformed + counters.udp_bad_checksum +
                      counters.udp_bad_address + counters.udp_queue_overflow +
                      counters.udp_memory_dropped;
        m.out_datagrams = counters.udp_sent;
        return m;
    }

    /// Calls f(std::string_view name, std::uint64_t value) for each object, by its name in RFC
    /// 4113.
    template <class Function>
    void for_each(Function&& f) const;
};

struct mib_object {
    std::string_view name;
    std::uint64_t mib::* field;
};

inline constexpr auto mib_objects = std::to_array<mib_object>({
    {"udpInDatagrams", &mib::in_datagrams},
    {"udpNoPorts", &mib::no_ports},
    {"udpInErrors", &mib::in_errors},
    {"udpOutDatagrams", &mib::out_datagrams},
    {"udpHCInDatagrams", &mib::in_datagrams},
    {"udpHCOutDatagrams", &mib::out_datagrams},
});

template <class Function>
void mib::for_each(Function&& f) const {
    for (const mib_object& object : mib_objects) f(object.name, this->*object.field);
}

}  // namespace weft::net::udp
