// weft::netstack_core alone: a TCP header written to bytes, and read back from them.

#include <weft/net/address.hpp>
#include <weft/net/tcp/state.hpp>
#include <weft/net/wire/tcp.hpp>

#include <array>
#include <cstddef>
#include <span>

using namespace weft::net;

int main() {
    wire::tcp_header syn;
    syn.source_port = 49152;
    syn.destination_port = 80;
    syn.sequence = 1000;
    syn.flags = wire::tcp_flags::syn;

    std::array<std::byte, wire::tcp_max_header_bytes> room{};
    const std::span segment = std::span{room}.first(wire::emit_tcp(syn, {}, room.data()));
    const ip_address source = ip_address::parse("192.0.2.1").value();
    const ip_address destination = ip_address::parse("192.0.2.2").value();
    wire::fill_tcp_checksum(source, destination, segment, 0, 0);
    if (!wire::verify_tcp_checksum(source, destination, segment)) return 1;

    const auto parsed = wire::parse_tcp(segment);
    if (!parsed || parsed->header.sequence != 1000) return 2;
    return tcp::next_state(tcp::state::closed, tcp::event::open_active) == tcp::state::syn_sent ? 0
                                                                                                : 3;
}
