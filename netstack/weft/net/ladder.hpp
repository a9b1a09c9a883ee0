#pragma once
// The picture of a connection: two columns of states and arrows between them, as the figures of
// RFC 9293 §3.5 and §3.6 draw them, made from what an observer sees.
//
// One ladder may watch both ends (in a simulation) or ours alone (on a real network). In the second
// case the other end's states are not known: they are inferred by applying `tcp::transitions` to
// the segments, and printed in parentheses. Memory is bounded: of a long connection the beginning
// and the end are kept, which is where the states change.

#include <weft/net/observer.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace weft::net {

struct ladder_options {
    std::string_view left_name = "client";  ///< over the end that opens
    std::string_view right_name = "server";
    bool relative_numbers = true;  ///< each side's SYN is 0
    bool ascii = false;            ///< arrows of plain ASCII
    /// Longer runs of segments without a change are summed up; 0: never.
    std::uint32_t longest_run = 8;
    std::uint32_t max_steps = 1024;        ///< kept of one connection
    std::uint32_t max_conversations = 64;  ///< the oldest that is over makes room
};
static_assert(std::is_trivially_destructible_v<ladder_options>);

class ladder final : public observer {
public:
    explicit ladder(const ladder_options& options = {});

    void on_transition(const transition_event& event) override;
    void on_segment(const segment_event& event) override;

    /// Connections seen and kept, in the order of their first event.
    [[nodiscard]] std::size_t size() const noexcept { return conversations_.size(); }
    /// Every end that is watched has come to TIME-WAIT or CLOSED. Precondition: index < size().
    [[nodiscard]] bool is_over(std::size_t index) const noexcept {
        return conversations_[index].is_over();
    }
    /// The picture of one connection, lines ended by '\n'. Precondition: index < size().
    [[nodiscard]] std::string render(std::size_t index) const;
    /// All of them, with an empty line between.
    [[nodiscard]] std::string render() const;
    void clear() noexcept { conversations_.clear(); }

private:
    friend class ladder_picture;

    enum class end : std::uint8_t { left, right };

    /// One event at one end.
    struct step {
        enum class kind : std::uint8_t { transition, sent, received };
        kind what = kind::transition;
        end where = end::left;
        instant at;
        tcp::event on = tcp::event::open_active;  // of a transition
        tcp::state from = tcp::state::closed;
        tcp::state to = tcp::state::closed;
        wire::tcp_header header;  // of a segment
        wire::tcp_options options;
        std::uint32_t payload_bytes = 0;
        bool retransmission = false;
    };

    struct conversation {
        endpoint left;
        endpoint right;
        std::vector<step> first;
        std::deque<step> last;
        std::uint64_t skipped_segments = 0;
        std::uint64_t skipped_bytes = 0;
        bool is_watched[2] = {};
        bool has_ended[2] = {};

        [[nodiscard]] bool is_over() const noexcept {
            return (is_watched[0] || is_watched[1]) && is_watched[0] <= has_ended[0] &&
                   is_watched[1] <= has_ended[1];
        }
    };

    conversation* find(const endpoint& local, const endpoint& remote) noexcept;
    conversation* begin(const endpoint& left, const endpoint& right);
    void add(conversation& to, const step& what) const;

    ladder_options options_;
    std::deque<conversation> conversations_;
};

}  // namespace weft::net
