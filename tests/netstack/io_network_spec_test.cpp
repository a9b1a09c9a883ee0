#include <weft/net/io/network_spec.hpp>

#include <doctest/doctest.h>

#include <string>

// What --net takes, and what it says about what it does not.

using namespace weft::net;

namespace {

network_spec good(std::string_view text) {
    network_spec spec = network_spec::parse(text);
    CHECK_MESSAGE(spec.problem().empty(), spec.problem());
    return spec;
}

/// Whether `text` is refused with a line in which `word` stands.
bool is_refused(std::string_view text, std::string_view word) {
    const std::string problem = network_spec::parse(text).problem();
    CAPTURE(problem);
    CHECK(problem.find('\n') == std::string::npos);
    return problem.find(word) != std::string::npos && !problem.empty();
}

}  // namespace

TEST_SUITE("netstack.io.network_spec") {
TEST_CASE("the kernel's network has no options") {
    CHECK(good("kernel:").on == network_spec::kind::kernel);
    CHECK(is_refused("kernel:name=x", "'name=x'"));
    CHECK(is_refused("kernel", "kernel:"));
}

TEST_CASE("a TAP has a name, an address and a gateway, in any order, and defaults") {
    const network_spec plain = good("tap:");
    CHECK(plain.on == network_spec::kind::tap);
    CHECK(plain.name == "weft0");
    CHECK(plain.address.to_string() == "10.0.0.2/24");
    CHECK_FALSE(plain.gateway);
    CHECK(plain.offload);
    CHECK_FALSE(plain.software_steering);
    CHECK_FALSE(good("tap:steer=auto").software_steering);
    const network_spec all =
        good("tap:gw=192.0.2.1,mac=02:00:00:00:00:09,addr=192.0.2.7/28,offload=off,name=tap7");
    CHECK(all.name == "tap7");
    CHECK(all.address.to_string() == "192.0.2.7/28");
    CHECK(all.gateway->to_string() == "192.0.2.1");
    CHECK(all.mac->to_string() == "02:00:00:00:00:09");
    CHECK_FALSE(all.offload);
}

TEST_CASE("what is printed reads the same") {
    for (const char* text : {"kernel:", "tap:name=weft0,addr=10.0.0.2/24",
                             "tap:name=a,addr=192.0.2.7/28,gw=192.0.2.1,mac=02:00:00:00:00:09,"
                             "offload=off,steer=software"}) {
        CHECK(good(text).to_string() == text);
    }
}

TEST_CASE("a kind that nobody knows is named") {
    CHECK(is_refused("", "''"));
    CHECK(is_refused("tun:name=x", "'tun:name=x'"));
    CHECK(is_refused("weft0", "'weft0'"));
    CHECK(is_refused("name=weft0", "kernel: or with tap:"));
}

TEST_CASE("a key that nobody knows, or that is there twice, is named") {
    CHECK(is_refused("tap:adr=10.0.0.2/24", "'adr'"));
    CHECK(is_refused("tap:=x", "''"));
    CHECK(is_refused("tap:name=a,name=b", "'name' is there twice"));
    CHECK(is_refused("tap:addr=10.0.0.2/24,gw=10.0.0.1,gw=10.0.0.1", "'gw' is there twice"));
}

TEST_CASE("a part without a value is named") {
    CHECK(is_refused("tap:weft0", "'weft0'"));
    CHECK(is_refused("tap:name=a,", "','"));
    CHECK(is_refused("tap:,name=a", "KEY=VALUE"));
    CHECK(is_refused("tap:name=a,,gw=10.0.0.1", "KEY=VALUE"));
}

TEST_CASE("a bad value is named with its key") {
    CHECK(is_refused("tap:name=", "name: ''"));
    CHECK(is_refused("tap:name=sixteen-letters-", "name: 'sixteen-letters-'"));
    CHECK(is_refused("tap:name=a/b", "name: 'a/b'"));
    CHECK(is_refused("tap:name=a b", "name: 'a b'"));
    CHECK(is_refused("tap:addr=10.0.0.300/24", "addr: '10.0.0.300/24'"));
    CHECK(is_refused("tap:addr=10.0.0.2", "addr: '10.0.0.2'"));
    CHECK(is_refused("tap:addr=10.0.0.0/24", "addr: '10.0.0.0/24'"));
    CHECK(is_refused("tap:addr=10.0.0.255/24", "addr: '10.0.0.255/24'"));
    CHECK(is_refused("tap:addr=224.0.0.1/24", "addr:"));
    CHECK(is_refused("tap:addr=127.0.0.1/8", "addr:"));
    CHECK(is_refused("tap:addr=fd00::2/64", "addr:"));
    CHECK(is_refused("tap:gw=nobody", "gw: 'nobody'"));
    CHECK(is_refused("tap:gw=fd00::1", "gw: 'fd00::1'"));
    CHECK(is_refused("tap:mac=02:00", "mac: '02:00'"));
    CHECK(is_refused("tap:mac=ff:ff:ff:ff:ff:ff", "mac:"));
    CHECK(is_refused("tap:offload=maybe", "offload: 'maybe'"));
    CHECK(is_refused("tap:steer=by-hand", "steer: 'by-hand'"));
}

TEST_CASE("a gateway is a neighbour, and not ourselves, wherever the address stands") {
    CHECK(is_refused("tap:gw=192.0.2.1", "192.0.2.1"));
    CHECK(is_refused("tap:gw=192.0.2.1,addr=10.1.0.2/16", "10.1.0.2/16"));
    CHECK(is_refused("tap:gw=10.0.0.2", "our own"));
    CHECK(good("tap:gw=192.0.2.1,addr=192.0.2.2/30").gateway.has_value());
}
}
