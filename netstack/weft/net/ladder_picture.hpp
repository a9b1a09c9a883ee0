#pragma once
// Draws one conversation of a ladder: from the events of one or both ends to rows, from rows to
// text. Made for one drawing; called by ladder::render() only.
//
// A row is a segment on its way, with the sender's state when it left and the receiver's when it
// had been taken in; or a call or a timer that moved one end.

#include <weft/net/ladder.hpp>

#include <optional>
#include <string>
#include <vector>

namespace weft::net {

class ladder_picture {
public:
    ladder_picture(const ladder_options& options, const ladder::conversation& of);

    [[nodiscard]] std::string text();

private:
    using end = ladder::end;
    using step = ladder::step;

    struct row {
        enum class kind : std::uint8_t { state, call, segment, summary, gap };
        kind what = kind::segment;
        end from = end::left;
        std::string state[2];
        std::optional<instant> at[2];
        std::string label;
        std::uint32_t payload_bytes = 0;
        bool has_arrived = true;
        bool is_again = false;
        bool is_notable = true;  ///< changes a state, or carries more than text and ACK
    };

    /// What the other end must be in, as far as the segments show it.
    struct inference {
        tcp::state state = tcp::state::closed;
        std::optional<std::uint32_t> syn_at;
        std::optional<std::uint32_t> fin_end;

        void apply(tcp::event e) noexcept;
        void on_its_segment(const step& s) noexcept;
        void on_our_segment(const step& s) noexcept;
    };

    static std::size_t index(end e) noexcept { return static_cast<std::size_t>(e); }
    static end other(end e) noexcept { return e == end::left ? end::right : end::left; }
    static bool is_caused_by_segment(tcp::event e) noexcept;
    static std::string byte_text(std::uint64_t bytes);

    void find_initial_states();
    void find_first_numbers();
    void match_segments();
    void follow_states();
    void build_rows();
    void add_call(const step& s);
    void add_sent(std::size_t i);
    void add_received(std::size_t i);
    row segment_row(const step& s, end from) const;
    void note_states(row& r);
    void sum_up_runs();
    void sum_up(std::size_t begin, std::size_t count, std::vector<row>& into) const;

    [[nodiscard]] bool is_inferred(end e) const noexcept { return !is_watched_[index(e)]; }
    [[nodiscard]] std::string state_text(end e, tcp::state s) const;
    [[nodiscard]] std::string label_of(const step& s, end from) const;
    [[nodiscard]] std::string time_text(const std::optional<instant>& at) const;
    [[nodiscard]] std::string middle_text(const row& r, std::size_t width) const;
    [[nodiscard]] std::string line_of(const row& r, std::size_t width) const;
    [[nodiscard]] std::string headline(std::size_t width) const;
    [[nodiscard]] std::string footnotes() const;

    const ladder_options& options_;
    const ladder::conversation& of_;
    std::vector<const step*> steps_;
    // Of a segment's step: the same at the other end.
    std::vector<std::optional<std::size_t>> partner_;
    std::vector<tcp::state> state_after_;  // of each step, at its end
    std::size_t kept_first_;
    bool is_watched_[2] = {};
    tcp::state initial_[2] = {tcp::state::closed, tcp::state::closed};
    std::optional<std::uint32_t> first_number_[2];
    inference inferred_;
    std::vector<row> rows_;
    std::string shown_[2];  // the states of the last row
};

}  // namespace weft::net
