// What a ring does with the faults of a ring_injector.
#include <weft/io/ring.hpp>
#include <weft/io/ring_injector.hpp>
#include <weft/io/ring_state.hpp>

#include <liburing.h>

#include <memory>

namespace weft {
namespace {

ring_request kind_of(const io_uring_sqe& entry) noexcept {
    switch (entry.opcode) {
        case IORING_OP_READ:
        case IORING_OP_READ_FIXED:
        case IORING_OP_READV: return ring_request::read;
        case IORING_OP_WRITE:
        case IORING_OP_WRITE_FIXED:
        case IORING_OP_WRITEV: return ring_request::write;
        case IORING_OP_RECV: return ring_request::receive;
        case IORING_OP_RECVMSG: return ring_request::receive_message;
        case IORING_OP_SEND:
        case IORING_OP_SEND_ZC: return ring_request::send;
        case IORING_OP_SENDMSG:
        case IORING_OP_SENDMSG_ZC: return ring_request::send_message;
        case IORING_OP_ACCEPT: return ring_request::accept;
        case IORING_OP_CONNECT: return ring_request::connect;
        case IORING_OP_POLL_ADD: return ring_request::poll;
        case IORING_OP_OPENAT:
        case IORING_OP_OPENAT2: return ring_request::open;
        case IORING_OP_CLOSE: return ring_request::close;
        case IORING_OP_FSYNC: return ring_request::sync;
        case IORING_OP_SPLICE: return ring_request::splice;
        case IORING_OP_RENAMEAT:
        case IORING_OP_UNLINKAT:
        case IORING_OP_MKDIRAT:
        case IORING_OP_SYMLINKAT:
        case IORING_OP_LINKAT: return ring_request::names;
        default: return ring_request::other;
    }
}

/// What a shortened receive into buffers that the kernel chooses stays below: their size is not in
/// the entry.
constexpr std::size_t short_of_chosen_buffer = 4096;

/// Requests with one buffer say its length in the entry; others cannot be shortened there, but a
/// receive of a stream's bytes can be given one.
std::size_t length_of(const io_uring_sqe& entry) noexcept {
    switch (entry.opcode) {
        case IORING_OP_READ:
        case IORING_OP_READ_FIXED:
        case IORING_OP_WRITE:
        case IORING_OP_WRITE_FIXED:
        case IORING_OP_SEND:
        case IORING_OP_SEND_ZC:
        case IORING_OP_SPLICE: return (entry.flags & IOSQE_BUFFER_SELECT) != 0 ? 0 : entry.len;
        case IORING_OP_RECV:
            return (entry.flags & IOSQE_BUFFER_SELECT) != 0 ? short_of_chosen_buffer : entry.len;
        default: return 0;
    }
}

/// A multishot receive becomes one that ends with its first answer, as the kernel may end it at any
/// time: the socket keeps the rest for the next request, so nothing is lost or overtaken.
void shorten(io_uring_sqe& entry, std::size_t bytes) noexcept {
    entry.len = static_cast<unsigned>(bytes);
    if (entry.opcode != IORING_OP_RECV || (entry.flags & IOSQE_BUFFER_SELECT) == 0) return;
    entry.ioprio &= static_cast<std::uint16_t>(~IORING_RECV_MULTISHOT);
    entry.file_index = 0;  // state::limit_receive: of multishot ones only
}

/// A request that fails by itself, so that what is linked to it is cancelled as it should be.
void turn_into_failure(io_uring_sqe& entry) noexcept {
    const std::uint64_t told = entry.user_data;
    const std::uint8_t flags = entry.flags & (IOSQE_IO_LINK | IOSQE_IO_HARDLINK | IOSQE_IO_DRAIN);
    entry = {};
    entry.opcode = IORING_OP_READ;
    entry.flags = flags;
    entry.fd = -1;
    entry.user_data = told;
}

/// More answers than the completion queue holds, that nobody asked for.
void flood(io_uring& kernel) noexcept {
    for (unsigned left = *kernel.cq.kring_entries + 1; left != 0;) {
        if (io_uring_sqe* entry = io_uring_get_sqe(&kernel)) {
            io_uring_prep_nop(entry);
            io_uring_sqe_set_data(entry, nullptr);
            --left;
        } else if (io_uring_submit(&kernel) < 0) {
            return;
        }
    }
    (void)io_uring_submit(&kernel);
}

}  // namespace

void ring::inject(ring_injector* injector) {
    if (injector != nullptr) {
        state_->faults = std::make_unique<state::injection>(*injector);
        state_->faults->seen = state_->kernel.sq.sqe_tail;  // what was asked before is spared
        return;
    }
    if (state_->faults == nullptr) return;
    // Requests that were made to fail do so in the next enter, with the error that was decided.
    collect(io_uring_submit_and_get_events(&state_->kernel));
    set_aside_completions();
    for (const state::kept& one : state_->faults->kept_back) {
        state_->set_aside_completions.push_back(one.answer);
    }
    state_->faults.reset();
}

bool ring::meets_faults() const noexcept { return state_->faults != nullptr; }

void ring::state::injection::look_at(io_uring_sq& queue) {
    const unsigned pending = queue.sqe_tail - queue.sqe_head;
    if (queue.sqe_tail - seen > pending) seen = queue.sqe_head;
    for (; seen != queue.sqe_tail; ++seen) {
        io_uring_sqe& entry = queue.sqes[seen & *queue.kring_mask];
        auto* told = reinterpret_cast<void*>(static_cast<std::uintptr_t>(entry.user_data));
        if (told == nullptr || notice_of(told) != nullptr) continue;
        const ring_request kind = kind_of(entry);
        const std::size_t bytes = length_of(entry);
        const ring_fault fault = decides.on_request(kind, bytes);
        if (fault.error != 0 && kind != ring_request::close) {
            turn_into_failure(entry);
        } else if (fault.moves != 0 && fault.moves < bytes) {
            shorten(entry, fault.moves);
        }
        if (fault.error != 0 || fault.delay_turns != 0) {
            planned.insert_or_assign(told, plan{fault.error, fault.delay_turns});
        }
    }
}

bool ring::state::injection::before_enter(io_uring& on) {
    look_at(on.sq);
    if (decides.refuses_enter()) return false;
    if (!decides.overflows()) return true;
    flood(on);
    seen = on.sq.sqe_tail;
    return true;
}

bool ring::state::injection::keep_back(set_aside& answer) {
    const auto found = planned.find(answer.told);
    if (found == planned.end()) return false;
    const plan decided = found->second;
    if ((answer.flags & IORING_CQE_F_MORE) == 0) planned.erase(found);
    if (decided.error != 0) answer.result = -decided.error;
    if (decided.delay_turns == 0) return false;
    kept_back.push_back({answer, decided.delay_turns});
    return true;
}

void ring::state::injection::release(std::deque<set_aside>& into) {
    for (kept& one : kept_back) {
        if (--one.turns == 0) into.push_back(one.answer);
    }
    std::erase_if(kept_back, [](const kept& one) { return one.turns == 0; });
}

void ring::state::injection::hand_over(const ring_completion& target, std::deque<set_aside>& into) {
    planned.erase(const_cast<ring_completion*>(&target));
    std::erase_if(kept_back, [&](const kept& one) {
        if (one.answer.told != &target) return false;
        into.push_back(one.answer);
        return true;
    });
}

}  // namespace weft
