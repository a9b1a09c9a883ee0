#pragma once
// A doubly linked list whose links live in the elements: nothing is allocated, an element leaves
// in O(1) and leaves by itself when it is destroyed.
//
// Not thread-safe, and an element is on at most one list per tag at a time. The list does not own
// its elements; clearing or destroying it only unlinks them.

#include <cassert>
#include <cstddef>
#include <type_traits>

namespace weft {

/// The links of one element. `Tag` tells several memberships of one type apart.
template <class Tag = void>
class list_hook {
public:
    list_hook() noexcept = default;
    list_hook(const list_hook&) = delete;
    list_hook& operator=(const list_hook&) = delete;
    ~list_hook() { unlink(); }

    [[nodiscard]] bool is_linked() const noexcept { return next_ != nullptr; }

    /// Leaves the list it is on, if any.
    void unlink() noexcept {
        if (next_ == nullptr) return;
        previous_->next_ = next_;
        next_->previous_ = previous_;
        next_ = previous_ = nullptr;
    }

private:
    template <class, class>
    friend class intrusive_list;

    void link_before(list_hook& position) noexcept {
        assert(next_ == nullptr);
        next_ = &position;
        previous_ = position.previous_;
        previous_->next_ = this;
        position.previous_ = this;
    }

    list_hook* next_ = nullptr;
    list_hook* previous_ = nullptr;
};

/// A list of `T`, which derives from `list_hook<Tag>`.
template <class T, class Tag = void>
class intrusive_list {
    using hook = list_hook<Tag>;

public:
    class iterator {
    public:
        explicit iterator(hook* at) noexcept : at_{at} {}
        T& operator*() const noexcept { return static_cast<T&>(*at_); }
        T* operator->() const noexcept { return &static_cast<T&>(*at_); }
        iterator& operator++() noexcept {
            at_ = at_->next_;
            return *this;
        }
        bool operator==(const iterator&) const noexcept = default;

    private:
        hook* at_;
    };

    intrusive_list() noexcept { head_.next_ = head_.previous_ = &head_; }
    intrusive_list(const intrusive_list&) = delete;
    intrusive_list& operator=(const intrusive_list&) = delete;
    ~intrusive_list() {
        clear();
        head_.next_ = head_.previous_ = nullptr;
    }

    [[nodiscard]] bool empty() const noexcept { return head_.next_ == &head_; }
    [[nodiscard]] T& front() noexcept {
        assert(!empty());
        return static_cast<T&>(*head_.next_);
    }
    [[nodiscard]] const T& front() const noexcept {
        assert(!empty());
        return static_cast<const T&>(*head_.next_);
    }
    [[nodiscard]] T& back() noexcept {
        assert(!empty());
        return static_cast<T&>(*head_.previous_);
    }

    void push_back(T& element) noexcept { static_cast<hook&>(element).link_before(head_); }
    void push_front(T& element) noexcept { static_cast<hook&>(element).link_before(*head_.next_); }
    T& pop_front() noexcept {
        T& first = front();
        static_cast<hook&>(first).unlink();
        return first;
    }
    void erase(T& element) noexcept { static_cast<hook&>(element).unlink(); }

    /// Appends every element of `other`, which is left empty.
    void splice_back(intrusive_list& other) noexcept {
        if (other.empty()) return;
        hook* first = other.head_.next_;
        hook* last = other.head_.previous_;
        other.head_.next_ = other.head_.previous_ = &other.head_;
        first->previous_ = head_.previous_;
        head_.previous_->next_ = first;
        last->next_ = &head_;
        head_.previous_ = last;
    }

    void clear() noexcept {
        while (!empty()) pop_front();
    }

    iterator begin() noexcept { return iterator{head_.next_}; }
    iterator end() noexcept { return iterator{&head_}; }

    /// Walks the list; `visit` may unlink the element it is given, and no other.
    template <class Visit>
    void for_each(Visit visit) {
        for (hook* at = head_.next_; at != &head_;) {
            hook* next = at->next_;
            visit(static_cast<T&>(*at));
            at = next;
        }
    }

private:
    hook head_;
};

}  // namespace weft
