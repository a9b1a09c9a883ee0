#pragma once
// Things by four-tuple: an open-addressing hash table of pointers, with part of the hash beside
// each so that a lookup touches a thing only when it is almost surely the right one.
//
// `T` has a `tuple()`. Connections, half-open connections and TIME-WAIT records are kept in one of
// these each. The hash is keyed: a stranger cannot pile entries into one place. Owns nothing.

#include <weft/net/tcp/keyed_hash.hpp>

#include <cstdint>
#include <utility>
#include <vector>

namespace weft::net::tcp {

template <class T>
class tuple_table {
public:
    explicit tuple_table(const hash_secret& secret) : secret_{secret} {}

    /// All tables with one secret have the same: who looks into several of them hashes once.
    [[nodiscard]] std::uint32_t hash_of(const four_tuple& tuple) const noexcept {
        return static_cast<std::uint32_t>(keyed_hash(secret_, tuple, hash_purpose::table));
    }

    [[nodiscard]] T* find(const four_tuple& tuple) const noexcept {
        return size_ == 0 ? nullptr : find(tuple, hash_of(tuple));
    }
    /// Precondition: `hash` is hash_of(tuple).
    [[nodiscard]] T* find(const four_tuple& tuple, std::uint32_t hash) const noexcept {
        if (size_ == 0) return nullptr;
        for (std::size_t at = hash & mask(); entries_[at].occupant != nullptr;
             at = (at + 1) & mask()) {
            const entry& e = entries_[at];
            if (e.hash == hash && e.occupant->tuple() == tuple) return e.occupant;
        }
        return nullptr;
    }

    /// Precondition: the tuple is not in the table.
    void insert(T& added) {
        if (size_ * 4 >= entries_.size() * 3) grow();
        put({&added, hash_of(added.tuple())});
        ++size_;
    }

    void erase(const T& gone) noexcept {
        if (size_ == 0) return;
        std::size_t at = hash_of(gone.tuple()) & mask();
        while (entries_[at].occupant != &gone) {
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

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] std::size_t reserved_bytes() const noexcept {
        return entries_.capacity() * sizeof(entry);
    }

    /// Visits everything; the visit must not change the table.
    template <class Visit>
    void for_each(Visit visit) {
        for (const entry& e : entries_) {
            if (e.occupant != nullptr) visit(*e.occupant);
        }
    }

private:
    struct entry {
        T* occupant = nullptr;
        std::uint32_t hash = 0;
    };

    [[nodiscard]] std::size_t mask() const noexcept { return entries_.size() - 1; }
    void put(const entry& e) noexcept {
        std::size_t at = e.hash & mask();
        while (entries_[at].occupant != nullptr) at = (at + 1) & mask();
        entries_[at] = e;
    }
    void grow() {
        std::vector<entry> old = std::exchange(entries_, {});
        entries_.resize(old.empty() ? 64 : old.size() * 2);
        for (const entry& e : old) {
            if (e.occupant != nullptr) put(e);
        }
    }

    hash_secret secret_;
    std::vector<entry> entries_;
    std::size_t size_ = 0;
};

}  // namespace weft::net::tcp
