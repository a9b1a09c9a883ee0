#pragma once
// A queue in one circular array: push at the back, pop at the front, index from the front, insert
// and erase, which move whatever lies on the shorter side.
//
// Unlike std::deque it owns nothing while it was never used or after `release()`, is 24 bytes, and
// keeps its array for reuse while in use. Growth doubles and moves the elements.

#include <algorithm>
#include <bit>
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

    /// Makes room for `capacity` elements, rounded up to a power of two.
    void reserve(std::uint32_t capacity) {
        if (capacity > capacity_) resize_array(std::bit_ceil(capacity));
    }
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
    /// Puts `value` before the element at `i`; those on the shorter side move by one.
    void insert(std::uint32_t i, T value) {
        assert(i <= size_);
        if (i >= size_ - i) {
            if (i == size_) {
                push_back(std::move(value));
                return;
            }
            push_back(std::move(back()));
            move_up(i, size_ - 2, 1);
        } else {
            if (size_ == capacity_) grow();
            head_ = (head_ - 1) & (capacity_ - 1);
            ++size_;
            if (i == 0) {
                std::construct_at(data_ + head_, std::move(value));
                return;
            }
            std::construct_at(data_ + head_, std::move((*this)[1]));
            move_down(2, i + 1, 1);
        }
        (*this)[i] = std::move(value);
    }
    /// Takes out `count` elements from the one at `i` on; those on the shorter side close up.
    void erase(std::uint32_t i, std::uint32_t count = 1) noexcept {
        assert(i + count <= size_);
        if (count == 0) return;
        if (i < size_ - i - count) {
            move_up(0, i, count);
            while (count-- > 0) pop_front();
        } else {
            move_down(i + count, size_, count);
            while (count-- > 0) pop_back();
        }
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
    [[nodiscard]] T* place(std::uint32_t i) const noexcept {
        return data_ + ((head_ + i) & (capacity_ - 1));
    }
    /// Whether [from, to) lies in the array in one piece.
    [[nodiscard]] bool is_straight(std::uint32_t from, std::uint32_t to) const noexcept {
        return place(from) <= place(to - 1);
    }
    /// Moves the elements [from, to) by `by` places towards the back, the last one first.
    void move_up(std::uint32_t from, std::uint32_t to, std::uint32_t by) noexcept {
        if (from == to) return;
        if (is_straight(from, to + by)) {
            std::move_backward(place(from), place(to - 1) + 1, place(to - 1) + 1 + by);
            return;
        }
        for (std::uint32_t at = to; at-- > from;) (*this)[at + by] = std::move((*this)[at]);
    }
    /// Moves the elements [from, to) by `by` places towards the front, the first one first.
    void move_down(std::uint32_t from, std::uint32_t to, std::uint32_t by) noexcept {
        if (from == to) return;
        if (is_straight(from - by, to)) {
            std::move(place(from), place(to - 1) + 1, place(from - by));
            return;
        }
        for (std::uint32_t at = from; at < to; ++at) (*this)[at - by] = std::move((*this)[at]);
    }
    void grow() { resize_array(capacity_ == 0 ? 4 : capacity_ * 2); }
    void resize_array(std::uint32_t capacity) {
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
