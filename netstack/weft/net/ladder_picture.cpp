// Events to rows. The rows' layout is in ladder_text.cpp.

#include <weft/net/ladder_picture.hpp>

#include <algorithm>
#include <utility>

namespace weft::net {

using wire::tcp_flags;

ladder_picture::ladder_picture(const ladder_options& options, const ladder::conversation& of)
    : options_{options}, of_{of}, kept_first_{of.first.size()} {
    for (const step& s : of.first) steps_.push_back(&s);
    for (const step& s : of.last) steps_.push_back(&s);
    for (const step* s : steps_) is_watched_[index(s->where)] = true;
    find_initial_states();
    find_first_numbers();
    match_segments();
    follow_states();
    build_rows();
    if (options.longest_run != 0) sum_up_runs();
}

bool ladder_picture::is_caused_by_segment(tcp::event e) noexcept {
    switch (e) {
        case tcp::event::got_syn:
        case tcp::event::got_syn_ack:
        case tcp::event::syn_acked:
        case tcp::event::fin_acked:
        case tcp::event::got_fin:
        case tcp::event::got_reset:
        case tcp::event::reopened: return true;
        case tcp::event::open_passive:
        case tcp::event::open_active:
        case tcp::event::close_called:
        case tcp::event::abort_called:
        case tcp::event::timed_out:
        case tcp::event::two_msl_passed: return false;
    }
    return false;
}

void ladder_picture::find_initial_states() {
    for (const end e : {end::left, end::right}) {
        const auto first = std::ranges::find_if(steps_, [e](const step* s) {
            return s->where == e && s->what == step::kind::transition;
        });
        if (first != steps_.end() && (*first)->on == tcp::event::open_passive) {
            initial_[index(e)] = tcp::state::listen;
        }
    }
    // A right end that nobody watches was there first, or the left one had nobody to open to.
    if (is_inferred(end::right)) initial_[index(end::right)] = tcp::state::listen;
    inferred_.state = is_inferred(end::left) ? initial_[0] : initial_[1];
}

void ladder_picture::find_first_numbers() {
    for (const step* s : steps_) {
        if (s->what == step::kind::transition || !s->header.flags.has(tcp_flags::syn)) continue;
        const end from = s->what == step::kind::sent ? s->where : other(s->where);
        if (!first_number_[index(from)]) first_number_[index(from)] = s->header.sequence;
    }
}

/// Finds for each segment that arrived the one that left.
void ladder_picture::match_segments() {
    partner_.resize(steps_.size());
    std::vector<std::size_t> on_the_way[2];
    for (std::size_t i = 0; i < steps_.size(); ++i) {
        const step& s = *steps_[i];
        if (s.what == step::kind::sent) on_the_way[index(s.where)].push_back(i);
        if (s.what != step::kind::received) continue;
        std::vector<std::size_t>& candidates = on_the_way[index(other(s.where))];
        const auto left = std::ranges::find_if(candidates, [&](std::size_t c) {
            const step& was = *steps_[c];
            return was.header.sequence == s.header.sequence && was.header.flags == s.header.flags &&
                   was.header.acknowledgment == s.header.acknowledgment &&
                   was.header.window == s.header.window && was.options == s.options &&
                   was.payload_bytes == s.payload_bytes;
        });
        if (left == candidates.end()) continue;
        partner_[i] = *left;
        partner_[*left] = i;
        candidates.erase(left);
    }
}

/// What a segment causes is told right behind it.
void ladder_picture::follow_states() {
    state_after_.resize(steps_.size());
    tcp::state now[2] = {initial_[0], initial_[1]};
    std::optional<std::size_t> taken[2];
    for (std::size_t i = 0; i < steps_.size(); ++i) {
        const step& s = *steps_[i];
        const std::size_t e = index(s.where);
        if (s.what == step::kind::transition) {
            now[e] = s.to;
            if (is_caused_by_segment(s.on) && taken[e]) state_after_[*taken[e]] = s.to;
        } else {
            taken[e].reset();
            if (s.what == step::kind::received) taken[e] = i;
        }
        state_after_[i] = now[e];
    }
}

// ---- the end that is not watched

void ladder_picture::inference::apply(tcp::event e) noexcept {
    if (const auto to = tcp::next_state(state, e)) state = *to;
}

void ladder_picture::inference::on_its_segment(const step& s) noexcept {
    const tcp_flags flags = s.header.flags;
    if (flags.has(tcp_flags::rst)) {
        state = tcp::state::closed;
        return;
    }
    if (flags.has(tcp_flags::syn) && !syn_at) {
        syn_at = s.header.sequence;
        if (!flags.has(tcp_flags::ack)) state = tcp::state::syn_sent;
    }
    if (flags.has(tcp_flags::fin) && !fin_end) {
        fin_end = s.header.sequence + s.payload_bytes + 1;
        apply(tcp::event::close_called);
    }
}

void ladder_picture::inference::on_our_segment(const step& s) noexcept {
    const tcp_flags flags = s.header.flags;
    const std::uint32_t ack = s.header.acknowledgment;
    if (flags.has(tcp_flags::rst)) {
        apply(tcp::event::got_reset);
        return;
    }
    if (flags.has(tcp_flags::syn)) {
        apply(flags.has(tcp_flags::ack) ? tcp::event::got_syn_ack : tcp::event::got_syn);
    } else if (flags.has(tcp_flags::ack)) {
        if (syn_at && ack != *syn_at) apply(tcp::event::syn_acked);
        if (fin_end && ack == *fin_end) apply(tcp::event::fin_acked);
    }
    if (flags.has(tcp_flags::fin)) apply(tcp::event::got_fin);
}

// ---- rows

void ladder_picture::build_rows() {
    row start;
    start.what = row::kind::state;
    for (const end e : {end::left, end::right}) {
        shown_[index(e)] = start.state[index(e)] = state_text(e, initial_[index(e)]);
    }
    rows_.push_back(std::move(start));

    for (std::size_t i = 0; i < steps_.size(); ++i) {
        if (i == kept_first_ && of_.skipped_segments != 0) {
            row gap;
            gap.what = row::kind::gap;
            rows_.push_back(std::move(gap));
        }
        switch (steps_[i]->what) {
            case step::kind::transition: add_call(*steps_[i]); break;
            case step::kind::sent: add_sent(i); break;
            case step::kind::received: add_received(i); break;
        }
    }
}

void ladder_picture::add_call(const step& s) {
    if (is_caused_by_segment(s.on) || s.on == tcp::event::open_passive) return;
    row r;
    r.what = row::kind::call;
    r.from = s.where;
    r.at[index(s.where)] = s.at;
    r.state[index(s.where)] = state_text(s.where, s.to);
    r.label = '(';
    r.label += tcp::to_string(s.on);
    r.label += ')';
    note_states(r);
    rows_.push_back(std::move(r));
}

ladder_picture::row ladder_picture::segment_row(const step& s, end from) const {
    row r;
    r.from = from;
    r.label = label_of(s, from);
    r.payload_bytes = s.payload_bytes;
    r.is_again = s.retransmission;
    r.is_notable = s.header.flags.has_any(tcp_flags::syn | tcp_flags::fin | tcp_flags::rst);
    return r;
}

void ladder_picture::add_sent(std::size_t i) {
    const step& s = *steps_[i];
    const end to = other(s.where);
    row r = segment_row(s, s.where);
    r.at[index(s.where)] = s.at;
    r.state[index(s.where)] = state_text(s.where, state_after_[i]);
    if (is_inferred(to)) {
        inferred_.on_our_segment(s);
        r.state[index(to)] = state_text(to, inferred_.state);
    } else if (partner_[i]) {
        r.at[index(to)] = steps_[*partner_[i]]->at;
        r.state[index(to)] = state_text(to, state_after_[*partner_[i]]);
    } else {
        r.has_arrived = false;
    }
    note_states(r);
    rows_.push_back(std::move(r));
}

void ladder_picture::add_received(std::size_t i) {
    const step& s = *steps_[i];
    const end from = other(s.where);
    if (!is_inferred(from)) {
        if (partner_[i] || of_.skipped_segments != 0) return;  // its row is where it left
    }
    row r = segment_row(s, from);
    r.at[index(s.where)] = s.at;
    r.state[index(s.where)] = state_text(s.where, state_after_[i]);
    if (is_inferred(from)) {
        inferred_.on_its_segment(s);
        r.state[index(from)] = state_text(from, inferred_.state);
    } else {
        r.label += " duplicate";
    }
    note_states(r);
    rows_.push_back(std::move(r));
}

/// A row that shows a new state is worth showing.
void ladder_picture::note_states(row& r) {
    for (const std::size_t e : {0U, 1U}) {
        if (r.state[e].empty() || r.state[e] == shown_[e]) continue;
        shown_[e] = r.state[e];
        r.is_notable = true;
    }
}

// ---- long runs

void ladder_picture::sum_up_runs() {
    constexpr std::size_t shown_before = 2;
    constexpr std::size_t shown_behind = 1;
    const auto is_plain = [](const row& r) {
        return r.what == row::kind::segment && !r.is_notable;
    };
    std::vector<row> shorter;
    for (std::size_t i = 0; i < rows_.size();) {
        std::size_t run = 0;
        while (i + run < rows_.size() && is_plain(rows_[i + run])) ++run;
        if (run <= std::max<std::size_t>(options_.longest_run, shown_before + shown_behind + 1)) {
            const std::size_t count = std::max<std::size_t>(run, 1);
            for (std::size_t k = 0; k < count; ++k) shorter.push_back(std::move(rows_[i + k]));
            i += count;
            continue;
        }
        for (std::size_t k = 0; k < shown_before; ++k) shorter.push_back(std::move(rows_[i + k]));
        sum_up(i + shown_before, run - shown_before - shown_behind, shorter);
        for (std::size_t k = run - shown_behind; k < run; ++k) {
            shorter.push_back(std::move(rows_[i + k]));
        }
        i += run;
    }
    rows_ = std::move(shorter);
}

void ladder_picture::sum_up(std::size_t begin, std::size_t count, std::vector<row>& into) const {
    for (const end e : {end::left, end::right}) {
        std::uint64_t segments = 0, bytes = 0, again = 0, lost = 0;
        for (std::size_t i = begin; i < begin + count; ++i) {
            const row& r = rows_[i];
            if (r.from != e) continue;
            ++segments;
            bytes += r.payload_bytes;
            again += r.is_again ? 1U : 0U;
            lost += r.has_arrived ? 0U : 1U;
        }
        if (segments == 0) continue;
        row r;
        r.what = row::kind::summary;
        r.from = e;
        r.label = std::to_string(segments) + (segments == 1 ? " segment, " : " segments, ") +
                  (bytes == 0 ? std::string{"no data"} : byte_text(bytes));
        if (again != 0) r.label += ", " + std::to_string(again) + " again";
        if (lost != 0) r.label += ", " + std::to_string(lost) + " lost";
        into.push_back(std::move(r));
    }
}

}  // namespace weft::net
