#pragma once
// A slab whose objects count against the limit of a block pool: what a stack keeps for its
// connections and what they have in buffers is one budget.
//
// An object costs its own size. The pool must outlive the slab.

#include <weft/base/slab.hpp>
#include <weft/net/block_pool.hpp>

#include <utility>

namespace weft::net {

template <class T>
class charged_slab {
public:
    explicit charged_slab(block_pool& pool) noexcept : pool_{pool} {}
    charged_slab(const charged_slab&) = delete;
    charged_slab& operator=(const charged_slab&) = delete;
    ~charged_slab() { pool_.refund(objects_.size() * sizeof(T)); }

    template <class... Args>
    T& create(Args&&... args) {
        T& made = objects_.create(std::forward<Args>(args)...);
        pool_.charge(sizeof(T));
        return made;
    }
    /// Precondition: `object` came from `create` of this slab.
    void destroy(T& object) noexcept {
        objects_.destroy(object);
        pool_.refund(sizeof(T));
    }

    [[nodiscard]] std::size_t size() const noexcept { return objects_.size(); }
    [[nodiscard]] std::size_t reserved_bytes() const noexcept { return objects_.reserved_bytes(); }
    /// Visits every live object; `visit` may destroy the one it is given.
    template <class Visit>
    void for_each(Visit visit) {
        objects_.for_each(visit);
    }

private:
    block_pool& pool_;
    slab<T> objects_;
};

}  // namespace weft::net
