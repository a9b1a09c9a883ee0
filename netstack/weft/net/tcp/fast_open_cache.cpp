#include <weft/net/tcp/fast_open_cache.hpp>

#include <algorithm>

namespace weft::net::tcp {

namespace {
constexpr std::uint8_t most_doublings = 6;
/// A server whose pause ended longer ago than this begins anew.
constexpr unsigned pauses_until_forgotten = 4;
}  // namespace

std::size_t fast_open_cache::hash_of_key::operator()(const key& k) const noexcept {
    return hash_of(k.remote) ^ (hash_of(k.local) << 1) ^ (std::size_t{k.port} << 7);
}

template <class Value>
Value* fast_open_cache::recent<Value>::find(const key& k) {
    const auto place = places_.find(k);
    if (place == places_.end()) return nullptr;
    order_.splice(order_.begin(), order_, place->second);
    return &order_.front().value;
}

template <class Value>
Value& fast_open_cache::recent<Value>::insert(const key& k) {
    if (Value* const there = find(k)) return *there;
    if (order_.size() == most_entries) erase(key{order_.back().at});
    order_.push_front({k, {}});
    places_.emplace(k, order_.begin());
    return order_.front().value;
}

template <class Value>
void fast_open_cache::recent<Value>::erase(const key& k) {
    const auto place = places_.find(k);
    if (place == places_.end()) return;
    order_.erase(place->second);
    places_.erase(place);
}

std::optional<fast_open_cache::known> fast_open_cache::look_up(const four_tuple& path,
                                                               instant now) {
    if (const failure* const f = failures_.find(service_of(path)); f != nullptr && now < f->until) {
        return std::nullopt;
    }
    const known* const server = servers_.find(server_of(path));
    return server != nullptr ? *server : known{};
}

void fast_open_cache::learn(const four_tuple& path, const wire::tcp_fast_open_cookie& cookie,
                            std::uint16_t mss) {
    servers_.insert(server_of(path)) = {cookie, mss};
}

void fast_open_cache::learn_mss(const four_tuple& path, std::uint16_t mss) {
    if (known* const server = servers_.find(server_of(path))) server->mss = mss;
}

void fast_open_cache::on_success(const four_tuple& path) { failures_.erase(service_of(path)); }

void fast_open_cache::on_failure(const four_tuple& path, duration pause, instant now) {
    failure& f = failures_.insert(service_of(path));
    if (f.count != 0 && now - f.until > pauses_until_forgotten * pause * (1 << f.count)) {
        f.count = 0;
    }
    f.until = now + pause * (1 << f.count);
    f.count = static_cast<std::uint8_t>(std::min<unsigned>(f.count + 1U, most_doublings));
}

}  // namespace weft::net::tcp
