#include <weft/net/block_pool.hpp>

#include <new>

namespace weft::net {

block_pool::~block_pool() {
    assert(bytes_out_ == 0 && "a slice outlives its pool");
    for (block* head : free_) {
        while (head != nullptr) {
            block* next = head->next_free;
            head->~block();
            ::operator delete(head, std::align_val_t{alignof(block)});
            head = next;
        }
    }
}

slice block_pool::allocate(block_size size) noexcept {
    const auto capacity = static_cast<std::uint32_t>(size);
    if (bytes_in_use() + capacity > limit_bytes_) return {};
    block*& head = free_[class_of(capacity)];
    block* fresh = head;
    if (fresh != nullptr) {
        head = fresh->next_free;
    } else {
        void* memory = ::operator new(sizeof(block) + capacity, std::align_val_t{alignof(block)},
                                      std::nothrow);
        if (memory == nullptr) return {};
        fresh = new (memory) block{};
        fresh->pool = this;
        fresh->capacity = capacity;
    }
    fresh->references = 1;
    bytes_out_ += capacity;
    return slice{fresh, 0, 0};
}

slice block_pool::allocate_for(std::size_t bytes) noexcept {
    if (bytes <= static_cast<std::size_t>(block_size::small)) return allocate(block_size::small);
    if (bytes <= static_cast<std::size_t>(block_size::medium)) return allocate(block_size::medium);
    assert(bytes <= static_cast<std::size_t>(block_size::large));
    return allocate(block_size::large);
}

}  // namespace weft::net
