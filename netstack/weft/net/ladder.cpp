#include <weft/net/ladder.hpp>
#include <weft/net/ladder_picture.hpp>

#include <algorithm>

namespace weft::net {

using wire::tcp_flags;

ladder::ladder(const ladder_options& options) : options_{options} {}

ladder::conversation* ladder::find(const endpoint& local, const endpoint& remote) noexcept {
    for (auto c = conversations_.rbegin(); c != conversations_.rend(); ++c) {
        if ((c->left == local && c->right == remote) || (c->left == remote && c->right == local)) {
            return &*c;
        }
    }
    return nullptr;
}

ladder::conversation* ladder::begin(const endpoint& left, const endpoint& right) {
    if (conversations_.size() >= options_.max_conversations) {
        const auto over =
            std::ranges::find_if(conversations_, [](const conversation& c) { return c.is_over(); });
        if (over == conversations_.end()) return nullptr;
        conversations_.erase(over);
    }
    conversation& fresh = conversations_.emplace_back();
    fresh.left = left;
    fresh.right = right;
    return &fresh;
}

void ladder::add(conversation& to, const step& what) const {
    const std::size_t half = std::max(options_.max_steps / 2, 8U);
    if (to.first.size() < half) {
        to.first.push_back(what);
        return;
    }
    to.last.push_back(what);
    if (to.last.size() > half) {
        const step& skipped = to.last.front();
        if (skipped.what == step::kind::sent) {
            ++to.skipped_segments;
            to.skipped_bytes += skipped.payload_bytes;
        }
        to.last.pop_front();
    }
}

void ladder::on_transition(const transition_event& event) {
    conversation* c = find(event.local, event.remote);
    // A SYN is seen before the child that takes it begins: that one belongs to the new connection.
    const bool begins = event.from == tcp::state::closed;
    if (c == nullptr || (event.on == tcp::event::open_active && c->is_over())) {
        if (!begins) return;  // not watched from the start
        const bool is_passive = event.on == tcp::event::open_passive;
        c = is_passive ? begin(event.remote, event.local) : begin(event.local, event.remote);
        if (c == nullptr) return;
    }
    const end where = event.local == c->left ? end::left : end::right;
    const auto index = static_cast<std::size_t>(where);
    c->is_watched[index] = true;
    if (tcp::is_one_of(event.to, tcp::state::closed, tcp::state::time_wait)) {
        c->has_ended[index] = true;
    }
    step s;
    s.what = step::kind::transition;
    s.where = where;
    s.at = event.at;
    s.on = event.on;
    s.from = event.from;
    s.to = event.to;
    add(*c, s);
}

void ladder::on_segment(const segment_event& event) {
    const bool is_sent = event.way == segment_event::direction::sent;
    conversation* c = find(event.local, event.remote);
    const bool begins =
        event.header.flags.has(tcp_flags::syn) && !event.header.flags.has(tcp_flags::ack);
    if (c == nullptr || (begins && !is_sent && c->is_over())) {
        if (!begins) return;
        c = is_sent ? begin(event.local, event.remote) : begin(event.remote, event.local);
        if (c == nullptr) return;
    }
    step s;
    s.what = is_sent ? step::kind::sent : step::kind::received;
    s.where = event.local == c->left ? end::left : end::right;
    s.at = event.at;
    s.header = event.header;
    s.options = event.options;
    s.payload_bytes = event.payload_bytes;
    s.retransmission = event.retransmission;
    add(*c, s);
}

std::string ladder::render(std::size_t index) const {
    return ladder_picture{options_, conversations_[index]}.text();
}

std::string ladder::render() const {
    std::string all;
    for (std::size_t i = 0; i < size(); ++i) {
        if (i != 0) all += '\n';
        all += render(i);
    }
    return all;
}

}  // namespace weft::net
