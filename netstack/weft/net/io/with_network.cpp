#include <weft/net/io/with_network.hpp>

#include <system_error>

namespace weft::net {
namespace {

void check(const network_spec& spec) {
    if (!spec.problem().empty()) throw std::invalid_argument{spec.problem()};
    if (spec.on != network_spec::kind::tap) {
        throw std::invalid_argument{spec.to_string() + " is not Weft's own stack"};
    }
}

std::unique_ptr<tap_device> open_tap(io_context& io, const network_spec& spec) {
    check(spec);
    result<std::unique_ptr<tap_device>> opened =
        tap_device::open(io, {.name = spec.name, .segmentation_in = spec.offload});
    if (!opened) throw std::system_error{opened.error(), spec.name};
    return std::move(*opened);
}

std::unique_ptr<pcap_writer> record(io_context& io, const network_spec& spec, tap_device& from) {
    if (spec.pcap.empty()) return nullptr;
    result<std::unique_ptr<pcap_writer>> opened =
        pcap_writer::create(spec.pcap, io, from, pcap_writer::wall_clock_origin(io), from.name());
    if (!opened) throw std::system_error{opened.error(), spec.pcap};
    return std::move(*opened);
}

host_options host_options_of(const network_spec& spec, const tap_device& tap) {
    host_options made;
    made.address = spec.address;
    made.gateway = spec.gateway;
    made.mac = spec.mac.value_or(tap.stack_address());
    return made;
}

device& outermost(tap_device& tap, pcap_writer* recorder) noexcept {
    if (recorder != nullptr) return *recorder;
    return tap;
}

}  // namespace

tap_network::tap_network(io_context& io, const network_spec& spec)
    : tap_{open_tap(io, spec)},
      pcap_{record(io, spec, *tap_)},
      host_{io, outermost(*tap_, pcap_.get()), host_options_of(spec, *tap_)} {}

task<result<std::unique_ptr<sharded_host>>> open_sharded(runtime& cores, network_spec spec) {
    check(spec);
    if (!spec.pcap.empty()) {
        throw std::invalid_argument{"frames are recorded on one loop only, not to " + spec.pcap};
    }
    sharded_options wanted;
    wanted.tap = {.name = spec.name, .segmentation_in = spec.offload};
    wanted.host.address = spec.address;
    wanted.host.gateway = spec.gateway;
    if (spec.mac) wanted.host.mac = *spec.mac;
    if (spec.software_steering) wanted.steer = sharded_options::steering::software;
    auto opened = co_await sharded_host::open(cores, wanted);
    if (opened || opened.error() == std::errc::operation_canceled) co_return opened;
    throw std::system_error{opened.error(), spec.name};
}

}  // namespace weft::net
