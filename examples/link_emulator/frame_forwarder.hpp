#pragma once
// Joins two TAPs by an emulated path: what one hands over goes out of the other, both ways.
//
// Frames are passed on as they came, without a copy. Both TAPs are to refuse offloads, so that the
// kernel hands over frames of the MTU with their checksums. Memory: at most `max_held` blocks of
// the TAPs' read size each way. One thread; everything happens on the loop of the TAPs.

#include "link_emulator/emulated_path.hpp"

#include <weft/base/timer_wheel.hpp>
#include <weft/io/scheduler.hpp>
#include <weft/net/block_pool.hpp>
#include <weft/net/io/device.hpp>

#include <cstdint>

namespace examples {

class frame_forwarder {
public:
    /// Starts both devices, which must outlive it. `there` is what happens from left to right.
    frame_forwarder(weft::scheduler& on, weft::net::device& left, weft::net::device& right,
                    const path_options& there, const path_options& back, std::uint64_t seed);
    frame_forwarder(const frame_forwarder&) = delete;
    frame_forwarder& operator=(const frame_forwarder&) = delete;
    /// Stops both devices; what is on the way is lost.
    ~frame_forwarder();

    struct counters {
        path_counters path;
        std::uint64_t truncated = 0;  ///< dropped: longer than the MTU the TAP had
        std::uint64_t refused = 0;    ///< not taken by the other TAP: is it up?
        /// How much later than it should a frame went out: by the timer's tick (64 us) and because
        /// this program did not get a processor.
        weft::duration late_total = weft::duration::zero();
        weft::duration late_max = weft::duration::zero();
    };
    [[nodiscard]] counters left_to_right() const noexcept { return there_.statistics(); }
    [[nodiscard]] counters right_to_left() const noexcept { return back_.statistics(); }

private:
    /// What comes from one device, until the other has it.
    class one_way final : public weft::net::device_client, weft::timer_node {
    public:
        one_way(weft::scheduler& on, weft::net::device& to, one_way& opposite,
                const path_options& options, std::uint64_t seed);

        void on_frame(weft::net::slice frame, const weft::net::rx_offload& offload,
                      weft::instant now) noexcept override;
        // These two are about frames that we send to where ours come from: the opposite way's.
        void on_slot_available() noexcept override { opposite_.send_due(); }
        void on_frame_refused() noexcept override { ++opposite_.refused_; }

        [[nodiscard]] counters statistics() const noexcept {
            return {path_.statistics(), truncated_, refused_, late_total_, late_max_};
        }

    private:
        /// Sends what has arrived, and sets the timer for the next.
        void send_due() noexcept;

        weft::scheduler& scheduler_;
        weft::net::device& to_;
        one_way& opposite_;
        emulated_path path_;
        std::uint64_t truncated_ = 0;
        std::uint64_t refused_ = 0;
        weft::duration late_total_ = weft::duration::zero();
        weft::duration late_max_ = weft::duration::zero();
    };

    weft::net::block_pool pool_;
    weft::net::device& left_;
    weft::net::device& right_;
    one_way there_;
    one_way back_;
};

}  // namespace examples
