#include <weft/sim/ecn_bleacher.hpp>

#include <utility>

namespace weft::sim {

void ecn_bleacher::on_frame(net::wire_frame frame, direction, instant, net::wire_frames& out) {
    using net::wire::tcp_flags;
    if (auto packet = net::packet_editor::find(frame);
        packet && packet->ecn() != net::wire::ecn::not_ect) {
        packet->set_ecn(net::wire::ecn::not_ect);
        ++bleached_;
    }
    if (flags_ == syn_flags::cleared) {
        const auto segment = net::segment_editor::find(frame);
        if (segment && segment->header().flags.has(tcp_flags::syn)) {
            const tcp_flags kept = segment->header().flags & ~(tcp_flags::ece | tcp_flags::cwr);
            constexpr std::size_t flags_at = 13;
            net::wire::store_u8(segment->bytes().data() + flags_at, kept.bits);
            segment->seal();
        }
    }
    out.push_back(std::move(frame));
}

}  // namespace weft::sim
