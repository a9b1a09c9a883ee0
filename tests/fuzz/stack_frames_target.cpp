// Whole frames into a stack with live connections in every state and UDP sockets, from a peer that
// the fuzzer plays, mixed with user calls and the passing of time. watched_stack checks after every
// step, and at the end that a stack whose user has gone forgets everything.

#include "hostile_peer.hpp"
#include "udp_user.hpp"

using namespace weft;
using namespace weft::fuzz;
using namespace weft::net;
using namespace std::chrono_literals;

namespace {

stack_options read_options(input& in) {
    static constexpr std::uint32_t mtus[] = {1500, 576, 9000, 1280};
    stack_options o;
    o.address = ip_prefix{our_ip, 24};
    o.mac = our_mac;
    o.secret = {3, 4};
    const std::uint8_t bits = in.byte();
    o.device.mtu = mtus[bits & 3];
    if ((bits & 4) != 0) o.device.link = device_capabilities::link_type::raw_ip;
    o.device.checksum_offload = (bits & 24) != 0;
    o.device.segmentation_offload = (bits & 24) == 24;
    o.tcp.timestamps = (bits & 32) == 0;
    o.tcp.window_scaling = (bits & 64) == 0;
    o.tcp.selective_acknowledgment = (bits & 128) == 0;
    o.tcp.max_connections = 16;
    o.tcp.max_orphans = 4;
    return o;
}

/// What is scarce, and what strangers get then.
void read_limits(stack_options& o, std::uint8_t bits) {
    static constexpr tcp::cookie_policy policies[] = {
        tcp::cookie_policy::on_overflow, tcp::cookie_policy::always, tcp::cookie_policy::never,
        tcp::cookie_policy::on_overflow};
    o.tcp.syn_cookies = policies[bits >> 2 & 3];
    if ((bits & 16) != 0) o.tcp.max_half_open = 2;
    if ((bits & 32) != 0) o.tcp.max_time_wait = 2;
    o.tcp.time_wait_ignores_resets = (bits & 64) != 0;
    if ((bits & 128) != 0) o.tcp.challenge_ack_interval = duration::zero();
}

/// All of a stack that the input decides.
struct make_up {
    explicit make_up(input& in) : options{read_options(in)} {
        const std::uint8_t bits = in.byte();
        read_limits(options, bits);
        pool_bytes = bits % 4 == 3 ? 256U * 1024U : 8U << 20;
    }
    stack_options options;
    std::size_t pool_bytes = 0;
};

tcp::connection_options read_connection(input& in) {
    static constexpr std::uint32_t buffers[] = {65536, 1U << 20, 4096, 2048};
    tcp::connection_options o;
    const std::uint8_t bits = in.byte();
    o.send_buffer_bytes = buffers[bits & 3];
    o.receive_buffer_bytes = buffers[bits >> 2 & 3];
    o.no_delay = (bits & 16) != 0;
    o.linger_abort = (bits & 32) != 0;
    o.congestion = static_cast<tcp::congestion_algorithm>((bits >> 6) % 3);
    const std::uint8_t more = in.byte();
    o.keepalive.enabled = more % 8 == 7;
    o.keepalive.idle = 1s;
    o.fast_open = (more & 16) != 0;
    o.fast_open_cookieless = (more & 32) != 0;
    return o;
}

/// Fast Open at the server goes with the client's.
tcp::listen_options listen_options_of(const tcp::connection_options& o) {
    return {.backlog = 4,
            .fast_open_queue = o.fast_open ? 2U : 0U,
            .fast_open_cookieless = o.fast_open_cookieless,
            .connection = o};
}

class run {
public:
    explicit run(input& in) : run{make_up{in}, in} {}
    run(const make_up& from, input& in)
        : ours_{from.options, from.pool_bytes}, options_{read_connection(in)} {
        ours_.listen({our_ip, our_port}, listen_options_of(options_));
        peer_.introduce();
        peer_.drain();
    }

    void step(input& in) {
        switch (in.byte() % 16) {
            case 0: {
                const std::uint32_t number = in.below(hostile_peer::place_count);
                peer_.drive(number, in.byte() % 16);
                break;
            }
            case 1:
            case 2:
            case 3:
            case 4: peer_.send_segment(in); break;
            case 5: peer_.repeat(); break;
            case 6: peer_.forge(in); break;
            case 7: peer_.fragment(in); break;
            case 8: peer_.send_icmp(in); break;
            case 9: peer_.send_raw(in); break;
            case 10: call(in); break;
            case 11:
                if (auto* const h = ours_.pick(in.byte())) ours_.write(*h, in.word());
                break;
            case 12:
                if (auto* const h = ours_.pick(in.byte())) ours_.read(*h, in.word());
                break;
            case 13: pass(in); break;
            case 14: peer_.drain(in.byte()); break;
            default: peer_.drain(); break;
        }
        ours_.check();
    }

    void finish() {
        udp_.close();
        ours_.finish();
    }

private:
    void pass(input& in) {
        const std::uint8_t how = in.byte();
        const std::chrono::milliseconds time{in.word()};
        peer_.pass(how % 4 == 0 ? time * 10 : how % 4 == 1 ? time / 16 : time);
        if ((how & 8) == 0) peer_.introduce();
    }

    void call(input& in) {
        const std::uint8_t what = in.byte();
        if (what % 16 == 0) {
            (void)ours_.accept();
            return;
        }
        if (what % 16 == 1) {
            const std::uint32_t number =
                hostile_peer::passive_count +
                in.below(hostile_peer::place_count - hostile_peer::passive_count);
            (void)ours_.connect({peer_ip, static_cast<std::uint16_t>(4000 + number)}, options_, {});
            return;
        }
        if (what % 16 == 2) {
            if (what >= 128) {
                ours_.close_listener();
            } else {
                ours_.listen({our_ip, our_port}, listen_options_of(options_));
            }
            return;
        }
        if (what % 16 == 3) {
            ours_.refuse();
            return;
        }
        if (what % 16 == 15) {
            udp_.step(in);
            return;
        }
        if (ours_.handles.empty()) return;
        const std::uint32_t which = in.below(static_cast<std::uint32_t>(ours_.handles.size()));
        tcp::connection& c = *ours_.handles[which].connection;
        switch (what % 16) {
            case 4:
            case 5: (void)c.close(ours_.now); break;
            case 6: c.abort(ours_.now); break;
            case 7: ours_.release(which); break;
            case 8: c.set_no_delay(what >= 128, ours_.now); break;
            case 9: c.set_keepalive({.enabled = what >= 128, .idle = 1s}, ours_.now); break;
            case 10: c.set_user_timeout(std::chrono::seconds{in.below(100)}); break;
            case 11: {
                const std::size_t count = c.view().size();
                c.consume(static_cast<std::uint32_t>(count), ours_.now);
                ours_.handles[which].read += count;
                break;
            }
            case 12: (void)c.take_soft_error(); break;
            default:
                (void)c.can_read();
                (void)c.can_write();
                (void)c.urgent_bytes();
                (void)c.rto();
                break;
        }
    }

    watched_stack ours_;
    tcp::connection_options options_;
    hostile_peer peer_{ours_};
    udp_user udp_{ours_, peer_};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    input in{data, size};
    run r{in};
    for (int i = 0; i < 400 && !in.empty(); ++i) r.step(in);
    r.finish();
    return 0;
}
