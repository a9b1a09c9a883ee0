#include <weft/net/ip/neighbor_cache.hpp>

#include <algorithm>
#include <bit>
#include <cassert>

namespace weft::net::ip {

struct neighbor_cache::entry : list_hook<use_order>, list_hook<question_order> {
    ip_address address;
    entry* next_in_bucket = nullptr;
    instant deadline{};  ///< of the next question, of being reachable, or of the hold-down
    intrusive_list<neighbor_waiter, neighbor_waiter> waiters;
    mac_address mac;
    neighbor_state state = neighbor_state::incomplete;
    std::uint8_t asked = 0;
};

neighbor_cache::neighbor_cache(neighbor_options options)
    : options_{options},
      bucket_mask_{std::bit_ceil(std::max<std::size_t>(options.max_entries, 1)) - 1},
      buckets_{std::make_unique<entry*[]>(bucket_mask_ + 1)},
      entries_{std::make_unique<entry[]>(std::max<std::size_t>(options.max_entries, 1))} {
    options_.max_entries = std::max<std::size_t>(options.max_entries, 1);
    for (std::size_t i = 0; i < options_.max_entries; ++i) {
        free_.push_back(entries_[i]);
    }
}

neighbor_cache::~neighbor_cache() = default;

std::size_t neighbor_cache::bucket_of(const ip_address& address) const noexcept {
    return static_cast<std::size_t>(hash_of(address)) & bucket_mask_;
}

neighbor_cache::entry* neighbor_cache::find(const ip_address& address) const noexcept {
    entry* at = buckets_[bucket_of(address)];
    while (at != nullptr && at->address != address) {
        at = at->next_in_bucket;
    }
    return at;
}

/// A question displaces no other question: those who wait for it would ask anew at once, and so on
/// without end. False: every entry is one.
bool neighbor_cache::make_room() noexcept {
    if (!free_.empty()) {
        return true;
    }
    for (entry& oldest : used_) {
        if (oldest.state != neighbor_state::incomplete) {
            remove(oldest);
            ++evicted_;
            return true;
        }
    }
    return false;
}

neighbor_cache::entry& neighbor_cache::add(const ip_address& address) {
    if (free_.empty()) {
        remove(used_.front());
        ++evicted_;
    }
    entry& added = free_.pop_front();
    entry*& bucket = buckets_[bucket_of(address)];
    added.address = address;
    added.next_in_bucket = bucket;
    added.asked = 0;
    bucket = &added;
    used_.push_back(added);
    ++size_;
    return added;
}

/// Its waiters are woken: they look up again and begin anew.
void neighbor_cache::remove(entry& gone) noexcept {
    entry** link = &buckets_[bucket_of(gone.address)];
    while (*link != &gone) {
        link = &(*link)->next_in_bucket;
    }
    *link = gone.next_in_bucket;
    settle(gone);
    used_.erase(gone);
    free_.push_front(gone);
    --size_;
}

/// Ends the questions about an entry and wakes who waits for the answer.
void neighbor_cache::settle(entry& about) {
    static_cast<list_hook<question_order>&>(about).unlink();
    about.asked = 0;
    woken_.splice_back(about.waiters);
    ++generation_;
}

/// Begins to ask: poll_request() finds the entry.
void neighbor_cache::ask(entry& about, neighbor_state state) {
    about.state = state;
    about.asked = 0;
    static_cast<list_hook<question_order>&>(about).unlink();
    due_.push_back(about);
}

neighbor_answer neighbor_cache::lookup(const ip_address& address, instant now) {
    entry* found = find(address);
    if (found == nullptr) {
        if (!make_room()) {
            return {resolution::failed, {}};
        }
        ask(add(address), neighbor_state::incomplete);
        return {resolution::waiting, {}};
    }
    used_.erase(*found);
    used_.push_back(*found);
    switch (found->state) {
        case neighbor_state::reachable:
            if (now < found->deadline) {
                return {resolution::resolved, found->mac, true};
            }
            [[fallthrough]];
        case neighbor_state::stale:
            ask(*found, neighbor_state::probe);
            return {resolution::resolved, found->mac};
        case neighbor_state::probe: return {resolution::resolved, found->mac};
        case neighbor_state::incomplete: return {resolution::waiting, {}};
        case neighbor_state::failed: break;
    }
    if (now < found->deadline) {
        return {resolution::failed, {}};
    }
    ask(*found, neighbor_state::incomplete);
    return {resolution::waiting, {}};
}

void neighbor_cache::park(const ip_address& address, neighbor_waiter& waiter) {
    waiter.unlink();
    entry* const found = find(address);
    if (found != nullptr && found->state == neighbor_state::incomplete) {
        found->waiters.push_back(waiter);
    } else {
        woken_.push_back(waiter);
    }
}

neighbor_waiter* neighbor_cache::poll_woken() {
    return woken_.empty() ? nullptr : &woken_.pop_front();
}

void neighbor_cache::learn(entry& about, const mac_address& mac, neighbor_state state,
                           instant now) {
    const bool was_waiting = about.state == neighbor_state::incomplete;
    about.mac = mac;
    about.state = state;
    about.deadline = now + options_.reachable_time;
    static_cast<list_hook<question_order>&>(about).unlink();
    about.asked = 0;
    if (was_waiting) {
        settle(about);
    }
}

void neighbor_cache::on_claim(const ip_address& address, const mac_address& mac, claim kind,
                              instant now) {
    entry* found = find(address);
    if (found == nullptr) {
        if (kind == claim::create) {
            // It talks to us, but whether it hears us is not known (RFC 4861 §7.2.3).
            learn(add(address), mac, neighbor_state::stale, now);
        }
        return;
    }
    // An answer counts only for a question of ours: otherwise (a duplicate, say) it is just a
    // claim.
    if (kind == claim::confirm && found->asked > 0) {
        learn(*found, mac, neighbor_state::reachable, now);
        return;
    }
    const bool is_known = found->state == neighbor_state::reachable ||
                          found->state == neighbor_state::stale ||
                          found->state == neighbor_state::probe;
    if (is_known && found->mac == mac) {
        return;  // nothing new; the state goes on by its own rules
    }
    learn(*found, mac, neighbor_state::stale, now);
}

void neighbor_cache::on_reachability_confirmed(const ip_address& address, instant now) {
    entry* const found = find(address);
    if (found != nullptr && found->state != neighbor_state::incomplete &&
        found->state != neighbor_state::failed) {
        learn(*found, found->mac, neighbor_state::reachable, now);
    }
}

void neighbor_cache::on_reachability_doubted(const ip_address& address) noexcept {
    entry* const found = find(address);
    if (found != nullptr && found->state == neighbor_state::reachable) {
        found->state = neighbor_state::stale;
    }
}

std::optional<solicitation> neighbor_cache::poll_request(instant now) {
    if (due_.empty()) {
        return std::nullopt;
    }
    entry& about = due_.pop_front();
    ++about.asked;
    about.deadline = now + options_.retry_interval;
    asked_.push_back(about);
    solicitation question{about.address, std::nullopt};
    if (about.state == neighbor_state::probe) {
        question.unicast_to = about.mac;
    }
    return question;
}

instant neighbor_cache::next_timeout() const noexcept {
    return asked_.empty() ? never : asked_.front().deadline;
}

void neighbor_cache::on_timeout(instant now) {
    while (!asked_.empty() && asked_.front().deadline <= now) {
        entry& about = asked_.pop_front();
        if (about.asked < options_.tries) {
            due_.push_back(about);
        } else {
            on_no_answer(about, now);
        }
    }
}

void neighbor_cache::on_no_answer(entry& about, instant now) {
    if (about.state == neighbor_state::probe) {
        remove(about);  // whoever needs it next asks everybody (RFC 1122 §2.3.2.1)
        return;
    }
    ++unresolved_;
    about.state = neighbor_state::failed;
    about.deadline = now + options_.hold_down;
    settle(about);
}

std::optional<neighbor_state> neighbor_cache::state_of(const ip_address& address,
                                                       instant now) const noexcept {
    const entry* const found = find(address);
    if (found == nullptr) {
        return std::nullopt;
    }
    const bool aged = found->state == neighbor_state::reachable && found->deadline <= now;
    return aged ? neighbor_state::stale : found->state;
}

}  // namespace weft::net::ip
