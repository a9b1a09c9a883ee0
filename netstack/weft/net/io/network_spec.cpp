#include <weft/net/io/network_spec.hpp>

#include <algorithm>
#include <array>

namespace weft::net {
namespace {

constexpr std::array<std::string_view, 6> tap_keys{"name", "addr", "gw", "mac", "offload", "steer"};
constexpr std::size_t longest_name = 15;  // IFNAMSIZ, less its end

std::string quoted(std::string_view text) { return "'" + std::string{text} + "'"; }

bool is_interface_name(std::string_view text) noexcept {
    return !text.empty() && text.size() <= longest_name && text != "." && text != ".." &&
           std::ranges::none_of(text, [](char c) { return c == '/' || c == ':' || c <= ' '; });
}

bool is_host_address(const ip_prefix& prefix) noexcept {
    return prefix.address().is_v4() && prefix.address().v4().is_unicast() &&
           prefix.address() != prefix.broadcast() &&
           (prefix.length() > 30 || prefix.address() != prefix.network());
}

}  // namespace

network_spec network_spec::parse(std::string_view text) {
    network_spec made;
    const std::size_t colon = text.find(':');
    const std::string_view kind_name = text.substr(0, colon);
    std::string_view rest = colon == std::string_view::npos ? "" : text.substr(colon + 1);
    if (colon == std::string_view::npos || (kind_name != "kernel" && kind_name != "tap")) {
        made.problem_ = quoted(text) + " is no network: it begins with kernel: or with tap:";
        return made;
    }
    if (kind_name == "kernel") {
        made.on = kind::kernel;
        if (!rest.empty()) made.problem_ = quoted(rest) + ": kernel: takes no options";
        return made;
    }
    std::array<bool, tap_keys.size()> seen{};
    while (!rest.empty() && made.problem_.empty()) {
        const std::size_t comma = rest.find(',');
        const std::string_view part = rest.substr(0, comma);
        const bool is_last = comma == std::string_view::npos;
        rest = is_last ? "" : rest.substr(comma + 1);
        const std::size_t equals = part.find('=');
        if (equals == std::string_view::npos || (rest.empty() && !is_last)) {
            made.problem_ = quoted(is_last        ? part
                                   : rest.empty() ? ","
                                                  : part) +
                            " is not KEY=VALUE, as in tap:name=weft0,addr=10.0.0.2/24";
            return made;
        }
        const auto key = std::ranges::find(tap_keys, part.substr(0, equals));
        if (key == tap_keys.end()) {
            made.problem_ =
                quoted(part.substr(0, equals)) +
                " is no option of tap:, which are name, addr, gw, mac, offload and steer";
            return made;
        }
        bool& was_seen = seen[static_cast<std::size_t>(key - tap_keys.begin())];
        if (was_seen) {
            made.problem_ = quoted(*key) + " is there twice";
            return made;
        }
        was_seen = true;
        made.take(*key, part.substr(equals + 1));
    }
    if (made.problem_.empty()) made.problem_ = made.check_gateway();
    return made;
}

void network_spec::take(std::string_view key, std::string_view value) {
    if (key == "name") {
        name = value;
        if (!is_interface_name(value)) {
            problem_ = "name: " + quoted(value) + " is no interface's name (1 to 15 characters)";
        }
    } else if (key == "addr") {
        const auto parsed = ip_prefix::parse(value);
        if (parsed && is_host_address(*parsed) && value.find('/') != std::string_view::npos) {
            address = *parsed;
        } else {
            problem_ = "addr: " + quoted(value) +
                       " is no host's IPv4 address with a prefix length, as in 10.0.0.2/24";
        }
    } else if (key == "gw") {
        gateway = ip_address::parse(value);
        if (!gateway || !gateway->is_v4())
            problem_ = "gw: " + quoted(value) + " is no IPv4 address";
    } else if (key == "mac") {
        mac = mac_address::parse(value);
        if (!mac || mac->is_multicast() || mac->is_unspecified()) {
            problem_ =
                "mac: " + quoted(value) + " is no host's link address, as in 02:00:00:00:00:02";
        }
    } else if (key == "offload") {
        offload = value == "on";
        if (value != "on" && value != "off") {
            problem_ = "offload: " + quoted(value) + " is neither on nor off";
        }
    } else {
        software_steering = value == "software";
        if (value != "software" && value != "auto") {
            problem_ = "steer: " + quoted(value) + " is neither auto nor software";
        }
    }
}

std::string network_spec::check_gateway() const {
    if (!gateway) return {};
    if (*gateway == address.address()) return "gw: " + quoted(gateway->to_string()) + " is our own";
    if (address.contains(*gateway)) return {};
    return "gw: " + quoted(gateway->to_string()) + " is not in the network " + address.to_string();
}

std::string network_spec::to_string() const {
    if (on == kind::kernel) return "kernel:";
    std::string text = "tap:name=" + name + ",addr=" + address.to_string();
    if (gateway) text += ",gw=" + gateway->to_string();
    if (mac) text += ",mac=" + mac->to_string();
    if (!offload) text += ",offload=off";
    if (software_steering) text += ",steer=software";
    return text;
}

}  // namespace weft::net
