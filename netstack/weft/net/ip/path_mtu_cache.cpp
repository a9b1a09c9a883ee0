#include <weft/net/ip/path_mtu_cache.hpp>

#include <algorithm>
#include <bit>

namespace weft::net::ip {

struct path_mtu_cache::entry : list_hook<> {
    ip_address to;
    entry* next_in_bucket = nullptr;
    instant expires{};
    std::uint32_t mtu = 0;
};

path_mtu_cache::path_mtu_cache(path_mtu_options options) : options_{options} {
    options_.max_entries = std::max<std::size_t>(options.max_entries, 1);
    bucket_mask_ = std::bit_ceil(options_.max_entries) - 1;
}

path_mtu_cache::~path_mtu_cache() = default;

std::size_t path_mtu_cache::bucket_of(const ip_address& to) const noexcept {
    return static_cast<std::size_t>(hash_of(to)) & bucket_mask_;
}

path_mtu_cache::entry* path_mtu_cache::find(const ip_address& to) const noexcept {
    if (size_ == 0) return nullptr;
    entry* at = buckets_[bucket_of(to)];
    while (at != nullptr && at->to != to) at = at->next_in_bucket;
    return at;
}

std::optional<std::uint32_t> path_mtu_cache::lookup(const ip_address& to,
                                                    instant now) const noexcept {
    const entry* const found = find(to);
    if (found == nullptr || found->expires <= now) return std::nullopt;
    return found->mtu;
}

void path_mtu_cache::learn(const ip_address& to, std::uint32_t mtu_bytes, instant now) {
    if (buckets_ == nullptr) {
        buckets_ = std::make_unique<entry*[]>(bucket_mask_ + 1);
        entries_ = std::make_unique<entry[]>(options_.max_entries);
        for (std::size_t i = 0; i < options_.max_entries; ++i) free_.push_back(entries_[i]);
    }
    entry* found = find(to);
    if (found != nullptr) {
        known_.erase(*found);
    } else {
        if (free_.empty()) remove(known_.front());
        found = &free_.pop_front();
        entry*& bucket = buckets_[bucket_of(to)];
        found->to = to;
        found->next_in_bucket = bucket;
        bucket = found;
        ++size_;
    }
    found->mtu = mtu_bytes;
    found->expires = now + options_.lifetime;
    known_.push_back(*found);
}

void path_mtu_cache::forget(const ip_address& to) noexcept {
    if (entry* const found = find(to)) remove(*found);
}

void path_mtu_cache::remove(entry& gone) noexcept {
    entry** link = &buckets_[bucket_of(gone.to)];
    while (*link != &gone) link = &(*link)->next_in_bucket;
    *link = gone.next_in_bucket;
    known_.erase(gone);
    free_.push_front(gone);
    --size_;
}

}  // namespace weft::net::ip
