#pragma once
// Connections by four-tuple: an open-addressing hash table of pointers, with part of the hash
// beside each so that a lookup touches a connection only when it is almost surely the right one.
// The hash is keyed: a stranger cannot pile connections into one place.

#include <weft/net/tcp/keyed_hash.hpp>

#include <cstdint>
#include <vector>

namespace weft::net::tcp {

class connection;

class connection_table {
public:
    explicit connection_table(const hash_secret& secret) : secret_{secret} {}

    [[nodiscard]] connection* find(const four_tuple& tuple) const noexcept;
    /// Precondition: the tuple is not in the table.
    void insert(connection& c);
    void erase(const connection& c) noexcept;
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

    /// Visits every connection; the visit must not change the table.
    template <class Visit>
    void for_each(Visit visit) {
        for (const entry& e : entries_) {
            if (e.occupant != nullptr) visit(*e.occupant);
        }
    }

private:
    struct entry {
        connection* occupant = nullptr;
        std::uint32_t hash = 0;
    };

    [[nodiscard]] std::uint32_t hash_of(const four_tuple& tuple) const noexcept {
        return static_cast<std::uint32_t>(keyed_hash(secret_, tuple, 0));
    }
    [[nodiscard]] std::size_t mask() const noexcept { return entries_.size() - 1; }
    void grow();

    hash_secret secret_;
    std::vector<entry> entries_;
    std::size_t size_ = 0;
};

}  // namespace weft::net::tcp
