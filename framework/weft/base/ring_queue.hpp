#pragma once
// A queue in one circular array: push at the back, pop at the front, index from the front, insert.
//
// Unlike std::deque it owns nothing while it was never used or after `release()`, is 24 bytes, and
// keeps its array for reuse while in use. Growth doubles and moves the elements.

#include <cassert>
#include <cstdint>
#include <memory>
#include <utility>

namespace weft {

template <class T>
class ring_queue {
public:
    ring_queue() noexcept = default;
    ring_queue(const ring_queue&) = delete;
    ring_queue& operator=(const ring_queue&) = delete;
    ~ring_queue() { release(); }

    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
    [[nodiscard]] std::uint32_t size() const noexcept { return size_; }

    [[nodiscard]] T& operator[](std::uint32_t i) noexcept {
        assert(i < size_);
        return data_[(head_ + i) & (capacity_ - 1)];
    }
    [[nodiscard]] const T& operator[](std::uint32_t i) const noexcept {
        assert(i < size_);
        return data_[(head_ + i) & (capacity_ - 1)];
    }
    [[nodiscard]] T& front() noexcept { return (*this)[0]; }
    [[nodiscard]] const T& front() const noexcept { return (*this)[0]; }
    [[nodiscard]] T& back() noexcept { return (*this)[size_ - 1]; }
    [[nodiscard]] const T& back() const noexcept { return (*this)[size_ - 1]; }

    T& push_back(T value) {
        if (size_ == capacity_) grow();
        T* place = data_ + ((head_ + size_) & (capacity_ - 1));
        std::construct_at(place, std::move(value));
        ++size_;
        return *place;
    }
    void pop_front() noexcept {
        std::destroy_at(&front());
        head_ = (head_ + 1) & (capacity_ - 1);
        --size_;
    }
    void pop_back() noexcept {
        std::destroy_at(&back());
        --size_;
    }
    /// Puts `value` before the element at `i`; those behind move up by one.
    void insert(std::uint32_t i, T value) {
        assert(i <= size_);
        push_back(std::move(value));
        for (std::uint32_t at = size_ - 1; at > i; --at) std::swap((*this)[at], (*this)[at - 1]);
    }
    /// Takes out the element at `i`; those behind move down by one.
    void erase(std::uint32_t i) noexcept {
        for (std::uint32_t at = i; at + 1 < size_; ++at) (*this)[at] = std::move((*this)[at + 1]);
        pop_back();
    }
    void clear() noexcept {
        while (!empty()) pop_front();
    }
    /// Empties the queue and gives its array back.
    void release() noexcept {
        clear();
        if (data_ != nullptr) std::allocator<T>{}.deallocate(data_, capacity_);
        data_ = nullptr;
        head_ = capacity_ = 0;
    }

private:
    void grow() {
        const std::uint32_t capacity = capacity_ == 0 ? 4 : capacity_ * 2;
        T* data = std::allocator<T>{}.allocate(capacity);
        const std::uint32_t size = size_;
        for (std::uint32_t i = 0; i < size; ++i) {
            std::construct_at(data + i, std::move((*this)[i]));
        }
        release();
        data_ = data;
        capacity_ = capacity;
        size_ = size;
    }

    T* data_ = nullptr;
    std::uint32_t head_ = 0;
    std::uint32_t size_ = 0;
    std::uint32_t capacity_ = 0;
};

}  // namespace weft
