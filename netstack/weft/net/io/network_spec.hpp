#pragma once
// Which network a program is to run on, as text: what `--net` takes.
//
//     kernel:                                             the system's sockets
//     tap:name=weft0,addr=10.0.0.2/24,gw=10.0.0.1         Weft's own stack on a TAP
//
// A value; it opens nothing. with_network.hpp does.

#include <weft/net/address.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weft::net {

class network_spec {
public:
    enum class kind : std::uint8_t { kernel, tap };

    /// `tap:` with nothing behind it.
    network_spec() = default;

    /// Reads a spec. The keys of `tap:` are `name` (of the interface; default weft0), `addr` (ours,
    /// IPv4, with the network's prefix; default 10.0.0.2/24), `gw` (the gateway, in that network),
    /// `mac`, `offload` (on or off: whether the kernel may hand over frames of up to 64 KiB;
    /// default on), `steer` (auto, or software: how several shards get their segments; default
    /// auto, see sharded_host), each at most once, in any order. `kernel:` has none. What is wrong
    /// with it is then in problem().
    [[nodiscard]] static network_spec parse(std::string_view text);

    /// One line that names the part that is wrong; empty: nothing is.
    [[nodiscard]] const std::string& problem() const noexcept { return problem_; }
    /// A spec that parse() reads to the same.
    [[nodiscard]] std::string to_string() const;

    kind on = kind::tap;
    // Of `tap:`.
    std::string name = "weft0";
    ip_prefix address{ipv4_address{10, 0, 0, 2}, 24};
    std::optional<ip_address> gateway;
    std::optional<mac_address> mac;
    bool offload = true;
    bool software_steering = false;
    std::string pcap;  ///< records every frame there; empty: nowhere. Has no key.

private:
    void take(std::string_view key, std::string_view value);
    [[nodiscard]] std::string check_gateway() const;

    std::string problem_;
};

}  // namespace weft::net
