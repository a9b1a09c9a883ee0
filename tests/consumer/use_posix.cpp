// weft::posix alone: a listener and a connection between two networks that hand each other packets.

#include <weft/net/posix/sockets.hpp>

#include <netinet/in.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <string_view>

namespace {

using weft::net::ipv4_address;
using weft::net::posix::network_options;
using weft::net::posix::sockets;

constexpr ipv4_address server_address{192, 0, 2, 1};
constexpr ipv4_address client_address{198, 51, 100, 1};

sockaddr_in at(ipv4_address address) {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_port = htons(80);
    in.sin_addr.s_addr = htonl(address.value());
    return in;
}

/// Carries what has left one side to the other. True: there was something.
bool carry(sockets& from, sockets& to) {
    const auto packet = from.wire().next_packet(std::chrono::milliseconds{50});
    if (packet) to.wire().deliver(packet->bytes);
    return packet.has_value();
}

bool talk() {
    sockets server{network_options{.address = server_address}};
    sockets client{network_options{.address = client_address}};
    const sockaddr_in address = at(server_address);
    const auto* where = reinterpret_cast<const sockaddr*>(&address);

    const int listener = server.socket(AF_INET, SOCK_STREAM, 0);
    if (server.bind(listener, where, sizeof address) != 0 || server.listen(listener, 1) != 0) {
        return false;
    }
    const int caller = client.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (client.connect(caller, where, sizeof address) != -1 || errno != EINPROGRESS) return false;
    if (!carry(client, server) || !carry(server, client) || !carry(client, server)) return false;
    const int accepted = server.accept(listener, nullptr, nullptr);
    constexpr std::string_view greeting = "hello";
    if (server.write(accepted, greeting.data(), greeting.size()) != 5) return false;
    if (!carry(server, client)) return false;
    char text[16];
    const ssize_t count = client.read(caller, text, sizeof text);
    return count == 5 && std::string_view{text, 5} == greeting && client.close(caller) == 0 &&
           server.close(accepted) == 0 && server.close(listener) == 0;
}

}  // namespace

int main() {
    const bool is_well = talk();
    std::puts(is_well ? "two networks talked" : "something went wrong");
    return is_well ? 0 : 1;
}
