// Between loops: IORING_OP_MSG_RING.

#include <weft/io/ring.hpp>
#include <weft/io/ring_state.hpp>

namespace weft {

void ring::notify(int target, ring_notice& there, ring_notice& failed) {
    io_uring_sqe& entry = next_entry();
    ++counters_.submitted;
    io_uring_prep_msg_ring(&entry, target, 0, state::name_of(there), 0);
    entry.flags |= IOSQE_CQE_SKIP_SUCCESS;
    entry.user_data = state::name_of(failed);
}

int ring::descriptor() const noexcept { return state_->kernel.ring_fd; }

}  // namespace weft
