#pragma once
// A slab of `T`: objects that are made and destroyed often and never move.
//
// Memory is taken in chunks of at least 64 objects and handed out again last in, first out; it goes
// back when the slab dies, together with the objects that still live in it. Not thread-safe. The
// stack keeps its connections in one.

#include <weft/base/poison.hpp>

#include <array>
#include <bit>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>

namespace weft {

template <class T>
class slab {
public:
    slab() noexcept = default;
    slab(const slab&) = delete;
    slab& operator=(const slab&) = delete;
    ~slab() {
        for_each([this](T& object) { destroy(object); });
        while (chunks_ != nullptr) {
            chunk* last = std::exchange(chunks_, chunks_->next);
            unpoison(last, chunk_bytes);
            last->~chunk();
            ::operator delete(last, std::align_val_t{chunk_bytes});
        }
    }

    /// Makes an object; its address stays valid until `destroy`.
    template <class... Args>
    T& create(Args&&... args) {
        if (free_ == nullptr) grow();
        slot* place = free_;
        unpoison(place, sizeof(slot));
        slot* next_free = place->next_free;
        T* made = nullptr;
        try {
            made = std::construct_at(&place->object, std::forward<Args>(args)...);
        } catch (...) {
            std::construct_at(&place->next_free, next_free);
            poison(place, sizeof(slot));
            throw;
        }
        free_ = next_free;
        mark(*place, true);
        ++size_;
        return *made;
    }

    /// Precondition: `object` came from `create` of this slab.
    void destroy(T& object) noexcept {
        slot* place = reinterpret_cast<slot*>(&object);
        assert(is_live(*place));
        mark(*place, false);
        --size_;
        std::destroy_at(&object);
        std::construct_at(&place->next_free, free_);
        free_ = place;
        poison(place, sizeof(slot));
    }

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
    [[nodiscard]] std::size_t reserved_bytes() const noexcept { return reserved_bytes_; }

    /// Visits every live object; `visit` may destroy the one it is given.
    template <class Visit>
    void for_each(Visit visit) {
        for (chunk* at = chunks_; at != nullptr; at = at->next) {
            for (std::size_t word = 0; word < at->live.size(); ++word) {
                for (std::uint64_t rest = at->live[word]; rest != 0; rest &= rest - 1) {
                    const auto bit = static_cast<std::size_t>(std::countr_zero(rest));
                    visit(at->slots()[word * 64 + bit].object);
                }
            }
        }
    }

private:
    union slot {
        slot() noexcept : next_free{nullptr} {}
        ~slot() {}
        slot* next_free;
        T object;
    };

    // A chunk is aligned to its own size, so that a slot's address leads to it.
    static constexpr std::size_t chunk_bytes = std::bit_ceil(64 * sizeof(slot) + 64);
    static constexpr std::size_t most_slots = chunk_bytes / sizeof(slot);

    struct chunk {
        chunk* next = nullptr;
        std::array<std::uint64_t, (most_slots + 63) / 64> live{};

        slot* slots() noexcept {
            return reinterpret_cast<slot*>(reinterpret_cast<std::byte*>(this) + header_bytes());
        }
    };

    static constexpr std::size_t header_bytes() noexcept {
        return (sizeof(chunk) + alignof(slot) - 1) / alignof(slot) * alignof(slot);
    }
    static constexpr std::size_t slot_count() noexcept {
        return (chunk_bytes - header_bytes()) / sizeof(slot);
    }

    static chunk& chunk_of(slot& place) noexcept {
        const auto address = reinterpret_cast<std::uintptr_t>(&place);
        return *reinterpret_cast<chunk*>(address & ~std::uintptr_t{chunk_bytes - 1});
    }
    static bool is_live(slot& place) noexcept {
        chunk& home = chunk_of(place);
        const auto index = static_cast<std::size_t>(&place - home.slots());
        return (home.live[index / 64] >> (index % 64) & 1) != 0;
    }
    static void mark(slot& place, bool live) noexcept {
        chunk& home = chunk_of(place);
        const auto index = static_cast<std::size_t>(&place - home.slots());
        const std::uint64_t bit = std::uint64_t{1} << (index % 64);
        home.live[index / 64] = live ? home.live[index / 64] | bit : home.live[index / 64] & ~bit;
    }

    void grow() {
        void* memory = ::operator new(chunk_bytes, std::align_val_t{chunk_bytes});
        auto* made = ::new (memory) chunk;
        made->next = chunks_;
        chunks_ = made;
        reserved_bytes_ += chunk_bytes;
        for (std::size_t index = slot_count(); index-- > 0;) {
            slot* place = ::new (static_cast<void*>(made->slots() + index)) slot;
            place->next_free = free_;
            free_ = place;
            poison(place, sizeof(slot));
        }
    }

    chunk* chunks_ = nullptr;
    slot* free_ = nullptr;
    std::size_t size_ = 0;
    std::size_t reserved_bytes_ = 0;
};

}  // namespace weft
