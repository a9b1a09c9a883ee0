#include <weft/net/tcp/connection.hpp>
#include <weft/net/tcp/connection_table.hpp>

#include <utility>

namespace weft::net::tcp {

connection* connection_table::find(const four_tuple& tuple) const noexcept {
    if (entries_.empty()) return nullptr;
    const std::uint32_t hash = hash_of(tuple);
    for (std::size_t at = hash & mask(); entries_[at].occupant != nullptr; at = (at + 1) & mask()) {
        const entry& e = entries_[at];
        if (e.hash == hash && e.occupant->tuple() == tuple) return e.occupant;
    }
    return nullptr;
}

void connection_table::insert(connection& c) {
    if (size_ * 4 >= entries_.size() * 3) grow();
    const std::uint32_t hash = hash_of(c.tuple());
    std::size_t at = hash & mask();
    while (entries_[at].occupant != nullptr) at = (at + 1) & mask();
    entries_[at] = {&c, hash};
    ++size_;
}

void connection_table::erase(const connection& c) noexcept {
    std::size_t at = hash_of(c.tuple()) & mask();
    while (entries_[at].occupant != &c) {
        if (entries_[at].occupant == nullptr) return;
        at = (at + 1) & mask();
    }
    // Those behind move up, so that no probe sequence is interrupted and no tombstone stays.
    std::size_t hole = at;
    for (std::size_t next = (hole + 1) & mask(); entries_[next].occupant != nullptr;
         next = (next + 1) & mask()) {
        const std::size_t home = entries_[next].hash & mask();
        if (((next - home) & mask()) >= ((next - hole) & mask())) {
            entries_[hole] = entries_[next];
            hole = next;
        }
    }
    entries_[hole] = {};
    --size_;
}

void connection_table::grow() {
    std::vector<entry> old = std::exchange(entries_, {});
    entries_.resize(old.empty() ? 64 : old.size() * 2);
    for (const entry& e : old) {
        if (e.occupant == nullptr) continue;
        std::size_t at = e.hash & mask();
        while (entries_[at].occupant != nullptr) at = (at + 1) & mask();
        entries_[at] = e;
    }
}

}  // namespace weft::net::tcp
