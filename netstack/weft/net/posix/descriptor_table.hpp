#pragma once
// Which of the process's descriptors are ours, and what they stand for.
//
// A token is an eventfd. Whoever closes one behind our back has the kernel give its number to
// somebody else: a number that comes back to us as a new token replaces what it stood for. Not
// thread-safe: the network's lock is held.

#include <weft/net/posix/descriptor.hpp>

#include <memory>
#include <unordered_map>

namespace weft::net::posix {

class descriptor_table {
public:
    /// A token for this; its number, or an errno negated. The caller owns the token: remove(), or
    /// the end of the process, closes it.
    answer add(std::shared_ptr<descriptor> made, bool close_on_exec);
    /// Forgets the number and closes the token. Returns what it stood for; null: not ours.
    std::shared_ptr<descriptor> remove(int number);
    /// Null when the number is not ours.
    [[nodiscard]] std::shared_ptr<descriptor> find(int number) const;

    /// Forgets them all, and closes no token.
    void clear() { held_.clear(); }

    template <class Visit>
    void for_each(Visit visit) const {
        for (const auto& [number, held] : held_) visit(number, *held);
    }

private:
    std::unordered_map<int, std::shared_ptr<descriptor>> held_;
};

}  // namespace weft::net::posix
