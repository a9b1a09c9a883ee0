// Addresses, prefixes and endpoints as text: what is accepted is printed in one form that is read
// as the same value, and for IPv4 and IPv6 it is what the system's inet_pton accepts.

#include "input.hpp"

#include <weft/net/address.hpp>

#include <arpa/inet.h>

#include <array>
#include <string>

using namespace weft::fuzz;
using namespace weft::net;

namespace {

template <class Value>
void check_round_trip(std::string_view text) {
    const auto value = Value::parse(text);
    if (!value) return;
    const std::string printed = value->to_string();
    const auto again = Value::parse(printed);
    require(again.has_value(), "what is printed is read");
    require(*again == *value, "what is printed is the value");
    require(again->to_string() == printed, "there is one printed form");
}

/// The system as a second opinion. inet_pton ends at a NUL, we do not.
template <class Value, std::size_t Bytes>
void check_second_opinion(int family, std::string_view text) {
    if (text.find('\0') != std::string_view::npos) return;
    std::array<std::uint8_t, Bytes> theirs{};
    const bool accepts = inet_pton(family, std::string{text}.c_str(), theirs.data()) == 1;
    const auto ours = Value::parse(text);
    require(ours.has_value() == accepts, "the same texts are addresses");
    require(!ours || ours->bytes() == theirs, "and mean the same");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    input in{data, size};
    const std::string_view text = in.text(size);
    check_round_trip<mac_address>(text);
    check_round_trip<ipv4_address>(text);
    check_round_trip<ipv6_address>(text);
    check_round_trip<ip_address>(text);
    check_round_trip<ip_prefix>(text);
    check_round_trip<endpoint>(text);
    check_second_opinion<ipv4_address, 4>(AF_INET, text);
    check_second_opinion<ipv6_address, 16>(AF_INET6, text);
    return 0;
}
