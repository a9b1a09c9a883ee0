#include "link_emulator/frame_forwarder.hpp"

#include <algorithm>
#include <utility>

namespace examples {

namespace net = weft::net;

frame_forwarder::one_way::one_way(weft::scheduler& on, net::device& to, one_way& opposite,
                                  const path_options& options, std::uint64_t seed)
    : timer_node{[](timer_node& node, weft::instant) noexcept {
          static_cast<one_way&>(node).send_due();
      }},
      scheduler_{on},
      to_{to},
      opposite_{opposite},
      path_{options, seed} {}

void frame_forwarder::one_way::on_frame(net::slice frame, const net::rx_offload& offload,
                                        weft::instant now) noexcept {
    if (offload.truncated) {
        ++truncated_;
        return;
    }
    path_.on_frame(std::move(frame), now);
    send_due();
}

void frame_forwarder::one_way::send_due() noexcept {
    const weft::instant now = scheduler_.now();
    while (path_.next_timeout() <= now) {
        net::tx_slot* const slot = to_.acquire_slot();
        if (slot == nullptr) {  // on_slot_available() goes on
            disarm();
            return;
        }
        const weft::duration late = now - path_.next_timeout();
        late_total_ += late;
        late_max_ = std::max(late_max_, late);
        slot->append(path_.poll_frame(now));
        to_.submit(*slot);
    }
    scheduler_.timers().arm(*this, path_.next_timeout());
}

frame_forwarder::frame_forwarder(weft::scheduler& on, net::device& left, net::device& right,
                                 const path_options& there, const path_options& back,
                                 std::uint64_t seed)
    : left_{left},
      right_{right},
      there_{on, right, back_, there, net::random_source{seed}.next()},
      back_{on, left, there_, back, ~net::random_source{seed}.next()} {
    left_.start(there_, pool_);
    right_.start(back_, pool_);
}

frame_forwarder::~frame_forwarder() {
    left_.stop();
    right_.stop();
}

}  // namespace examples
