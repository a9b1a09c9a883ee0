#include "model_plan.hpp"

#include <weft/net/io/random.hpp>
#include <weft/sim/hostile_wire.hpp>

#include <chrono>
#include <sstream>

namespace weft::sim::test {
namespace {

using namespace std::chrono_literals;
using net::random_source;

box_plan draw_box(random_source& random) {
    using segments = option_stripper_settings::segments;
    using directions = option_stripper_settings::directions;
    box_plan box;
    box.what = static_cast<box_plan::kind>(random.below(5));
    box.split_bytes = 50 + random.below(900);
    box.strips = {
        .mss = random.chance(0.2),
        .window_scale = random.chance(0.4),
        .sack_permitted = random.chance(0.4),
        .sack_blocks = random.chance(0.2),
        .timestamps = random.chance(0.4),
        .unknown = random.chance(0.4),
        .clamp_mss = static_cast<std::uint16_t>(random.chance(0.3) ? 200 + random.below(1300) : 0),
        // Timestamps stripped only where they were agreed on end a connection (RFC 7323
        // §3.2), and that would be right.
        .from = random.chance(0.5) ? segments::with_syn : segments::all,
        .along = static_cast<directions>(random.below(3))};
    // The other end would go on sending what this one never agreed to.
    if (box.strips.timestamps) box.strips.along = directions::both;
    return box;
}

host_settings draw_host(random_source& random) {
    host_settings host;
    host.tcp.max_segment_lifetime = 10min;  // the last ACK is lost several times over
    host.tcp.window_scaling = !random.chance(0.15);
    host.tcp.timestamps = !random.chance(0.2);
    host.tcp.selective_acknowledgment = !random.chance(0.2);
    host.slots = 4 + random.below(61);
    return host;
}

/// Routers that say that a packet is too large, and holes that swallow it.
net::oversize draw_oversize(random_source& random) {
    return random.chance(0.6) ? net::oversize::vanishes : net::oversize::answered;
}

/// What a path's size is about; drawn last, so that the rest of a seed's run is as it was.
void draw_path_mtu(random_source& random, model_plan& plan) {
    for (net::link_options* link : {&plan.up, &plan.down}) {
        if (!random.chance(0.2)) continue;
        link->path_mtu = 576 + random.below(random.chance(0.5) ? 900 : 8400);
        link->too_big = draw_oversize(random);
    }
    if (random.chance(0.2)) {
        for (std::uint32_t i = 0; i <= random.below(2); ++i) {
            plan.narrowings.push_back({.after = random.up_to(10s),
                                       .path_mtu = 576 + random.below(900),
                                       .too_big = draw_oversize(random)});
        }
    }
    using mode = net::tcp::mtu_probing_mode;
    for (host_settings* host : {&plan.client, &plan.server}) {
        // Not off: nothing would ever get through a hole.
        host->tcp.mtu_probing = random.chance(0.5) ? mode::on_black_hole : mode::always;
    }
    for (connection_plan& each : plan.connections) {
        for (net::tcp::connection_options* o : {&each.client_options, &each.server_options}) {
            o->keep_window_when_idle = random.chance(0.3);
            if (random.chance(0.3)) o->receive_buffer_bytes = o->send_buffer_bytes = 0;  // tuned
        }
    }
}

net::tcp::connection_options draw_options(random_source& random) {
    net::tcp::connection_options options;
    options.no_delay = random.chance(0.5);
    // A peer that vanished is noticed in the end; one on a bad wire has not vanished.
    options.keepalive = {.enabled = true, .idle = 60s, .interval = 20s, .probes = 100};
    options.congestion = static_cast<net::tcp::congestion_algorithm>(random.below(3));
    options.user_timeout = 1h;
    options.send_buffer_bytes = 2048 + random.below(random.chance(0.5) ? 10'000 : 300'000);
    options.receive_buffer_bytes = 2048 + random.below(random.chance(0.5) ? 10'000 : 300'000);
    return options;
}

side_plan draw_side(random_source& random, bool may_be_rude) {
    using ending = side_plan::ending;
    side_plan side;
    side.seed = random.next();
    // Mostly small: sizes are spread over their logarithm.
    side.bytes = random.chance(0.1) ? 0 : random.below(1U << (1 + random.below(19)));
    side.waits_until_closed = random.chance(0.5);
    if (may_be_rude && random.chance(0.6)) {
        side.end = random.chance(0.5) ? ending::abort : ending::drop;
        side.rude_after = random.up_to(random.chance(0.5) ? duration{200ms} : duration{5s});
    }
    return side;
}

}  // namespace

model_plan::model_plan(std::uint64_t from_seed) : seed{from_seed} {
    random_source random{from_seed};
    up = hostile_wire(random);
    down = hostile_wire(random);
    if (random.chance(0.2)) {
        for (std::uint32_t i = 0; i <= random.below(3); ++i) {
            const instant from = instant{} + 2s + random.up_to(20s);
            outages.push_back({from, from + random.up_to(random.chance(0.8) ? 2s : 60s)});
        }
    }
    if (random.chance(0.35)) {
        for (std::uint32_t i = 0; i <= random.below(2); ++i) boxes.push_back(draw_box(random));
    }
    client = draw_host(random);
    server = draw_host(random);
    client.offloads = server.offloads = random.chance(0.3);
    client.mtu = server.mtu = random.chance(0.7) ? 1500U : random.chance(0.5) ? 576U : 9000U;
    if (random.chance(0.2)) {
        client.link = server.link = net::device_capabilities::link_type::raw_ip;
    }
    const bool may_be_rude = random.chance(0.5);
    for (std::uint32_t i = 0; i <= random.below(6); ++i) {
        connection_plan made;
        made.start = random.up_to(3s);
        made.client = draw_side(random, may_be_rude);
        made.server = draw_side(random, may_be_rude);
        made.client_options = draw_options(random);
        made.server_options = draw_options(random);
        connections.push_back(made);
    }
    draw_path_mtu(random, *this);
}

namespace {

double as_milliseconds(duration d) { return std::chrono::duration<double, std::milli>(d).count(); }

void print(std::ostream& out, const char* name, const net::link_options& link) {
    out << name << ": loss " << link.loss << ", duplicate " << link.duplicate << ", corrupt "
        << link.corrupt << ", reorder " << link.reorder << " by "
        << as_milliseconds(link.reorder_by) << " ms, delay " << as_milliseconds(link.delay)
        << " ms, jitter " << as_milliseconds(link.jitter) << " ms, " << link.bits_per_second
        << " bit/s, queue " << link.queue.limit_frames << " frames " << link.queue.limit_bytes
        << " bytes, RED " << link.queue.red.max_bytes << (link.queue.marks_ecn ? " ECN" : "")
        << ", burst " << link.burst.enter << "/" << link.burst.leave << ", path MTU "
        << link.path_mtu << (link.too_big == net::oversize::vanishes ? " black hole" : "")
        << ", down " << as_milliseconds(link.down_for) << " ms after "
        << as_milliseconds(link.up_for) << (link.cuts_large_frames ? " ms, cuts\n" : " ms\n");
}

void print(std::ostream& out, const char* name, const side_plan& side,
           const net::tcp::connection_options& options) {
    constexpr const char* endings[] = {"orderly", "abort", "drop"};
    out << "  " << name << ": " << side.bytes << " bytes, "
        << endings[static_cast<std::size_t>(side.end)] << " " << as_milliseconds(side.rude_after)
        << " ms" << (side.waits_until_closed ? ", waits for closed" : "") << "; buffers "
        << options.send_buffer_bytes << "/" << options.receive_buffer_bytes << ", no_delay "
        << options.no_delay << ", congestion " << static_cast<int>(options.congestion)
        << (options.keep_window_when_idle ? ", keeps its window\n" : "\n");
}

void print(std::ostream& out, const char* name, const host_settings& host) {
    out << name << ": MTU " << host.mtu << ", slots " << host.slots << ", offloads "
        << host.offloads << ", scaling " << host.tcp.window_scaling << ", timestamps "
        << host.tcp.timestamps << ", MTU probing " << static_cast<int>(host.tcp.mtu_probing)
        << ", SACK " << host.tcp.selective_acknowledgment << ", link "
        << static_cast<int>(host.link) << "\n";
}

}  // namespace

std::string model_plan::to_string() const {
    std::ostringstream out;
    out << "seed " << seed << "\n";
    print(out, "up", up);
    print(out, "down", down);
    for (const outage_plan& each : outages) {
        out << "outage " << as_milliseconds(each.from.time_since_epoch()) << " to "
            << as_milliseconds(each.until.time_since_epoch()) << " ms\n";
    }
    for (const narrowing_plan& each : narrowings) {
        out << "path MTU " << each.path_mtu << " after " << as_milliseconds(each.after) << " ms"
            << (each.too_big == net::oversize::vanishes ? ", black hole\n" : "\n");
    }
    for (const box_plan& each : boxes) {
        constexpr const char* kinds[] = {"strip", "shift", "shift without SACK", "split", "bleach"};
        const option_stripper_settings& s = each.strips;
        out << "box " << kinds[static_cast<std::size_t>(each.what)] << ": mss " << s.mss
            << " scale " << s.window_scale << " permitted " << s.sack_permitted << " blocks "
            << s.sack_blocks << " timestamps " << s.timestamps << " unknown " << s.unknown
            << " clamp " << s.clamp_mss << " from " << static_cast<int>(s.from) << " along "
            << static_cast<int>(s.along) << ", split " << each.split_bytes << "\n";
    }
    print(out, "client", client);
    print(out, "server", server);
    for (const connection_plan& each : connections) {
        out << "connection after " << as_milliseconds(each.start) << " ms\n";
        print(out, "client", each.client, each.client_options);
        print(out, "server", each.server, each.server_options);
    }
    return out.str();
}

}  // namespace weft::sim::test
