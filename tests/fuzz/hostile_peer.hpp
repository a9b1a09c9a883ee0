#pragma once
// The other end of every connection of a watched stack, played by the fuzzer: it knows where each
// connection stands from the segments that it saw, and sends what is right, nearly right or wrong.
//
// Connections go by number: 0–7 come to our listener from eight ports of the peer, 8–11 are those
// that we opened to four ports of its. The text it sends is byte_at(), so that what arrives can be
// checked, unless bytes were forged (forge()).

#include "watched_stack.hpp"

#include <array>
#include <cstdint>
#include <vector>

namespace weft::fuzz {

inline constexpr net::ipv4_address our_ip{10, 0, 0, 2};
inline constexpr net::ipv4_address peer_ip{10, 0, 0, 1};
inline const net::mac_address our_mac{{2, 0, 0, 0, 0, 2}};
inline const net::mac_address peer_mac{{2, 0, 0, 0, 0, 1}};
inline constexpr std::uint16_t our_port = 80;

class hostile_peer {
public:
    static constexpr std::uint32_t passive_count = 8;
    static constexpr std::uint32_t place_count = 12;

    explicit hostile_peer(watched_stack& ours) : ours_{ours} {}

    /// Frames that the stack has to say go to the peer, which learns from them.
    void drain(std::uint32_t most = UINT32_MAX);
    void pass(duration time);
    /// The stack learns or hears again where the peer is.
    void introduce();

    /// One segment, as the input says, of the connection that it names.
    void send_segment(input& in);
    /// A whole conversation up to some state of connection `number`; see the source.
    void drive(std::uint32_t number, std::uint8_t target);
    /// The last packet again, with bytes changed, or in fragments.
    void repeat() { deliver(last_, {}); }
    void forge(input& in);
    void fragment(input& in);
    void send_icmp(input& in);
    void send_raw(input& in);
    /// A datagram to that port, from udp_port or a port beside it; its bytes are text_at() that
    /// port.
    void send_udp(input& in, std::uint16_t to_port);
    /// An ICMP error about a datagram from that port to udp_port.
    void send_udp_error(input& in, std::uint16_t from_port);
    static constexpr std::uint16_t udp_port = 4000;

private:
    /// What the peer knows of a connection.
    struct place {
        std::uint16_t our_port = 0;  ///< the stack's; 0: not used yet
        std::uint32_t snd_nxt = 0;   ///< behind the last that the stack sent
        std::uint32_t rcv_nxt = 0;   ///< what the stack has last acknowledged
        std::uint32_t sent = 0;      ///< behind the last that the peer has sent
        std::uint32_t their_time = 0;
        bool timestamps = false;
    };

    [[nodiscard]] static std::uint16_t peer_port(std::uint32_t number) {
        return static_cast<std::uint16_t>(4000 + number);
    }
    [[nodiscard]] std::uint32_t clock() const;
    void learn(const sent_frame& frame);
    void deliver(const std::vector<std::byte>& packet, const net::rx_offload& offload);
    /// Makes it the last packet and delivers it.
    void deliver_payload(std::uint8_t protocol, const std::vector<std::byte>& payload,
                         net::ipv4_address to);
    void plain(std::uint32_t number, net::wire::tcp_flags flags, std::uint32_t seq,
               std::uint32_t ack, std::uint16_t window = 65535, std::uint32_t text_bytes = 0);
    [[nodiscard]] net::wire::tcp_options usual_options(const place& at, bool is_syn) const;
    [[nodiscard]] std::vector<std::byte> choose_options(input& in, const place& at, bool is_syn);
    [[nodiscard]] std::vector<std::byte> build(std::uint32_t number, net::wire::tcp_header header,
                                               std::span<const std::byte> options,
                                               std::span<const std::byte> text,
                                               std::uint8_t traffic_class) const;
    watched_stack::handle* handle_at(std::uint32_t number);

    watched_stack& ours_;
    std::array<place, place_count> places_{};
    std::vector<std::byte> last_;
};

}  // namespace weft::fuzz
