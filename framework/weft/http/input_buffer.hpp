#pragma once
// A fixed buffer between a stream and a parser: filled behind, consumed in front.
//
// Bytes never move by themselves, so views into what was consumed (a head's fields) stay good until
// somebody calls compact(). The storage is the caller's.

#include <cassert>
#include <cstddef>
#include <cstring>
#include <span>
#include <string_view>

namespace weft::http {

class input_buffer {
public:
    explicit input_buffer(std::span<char> storage) noexcept : storage_{storage} {}

    [[nodiscard]] std::string_view unread() const noexcept {
        return {storage_.data() + begin_, end_ - begin_};
    }
    /// How many bytes of the storage lie before the unread ones.
    [[nodiscard]] std::size_t position() const noexcept { return begin_; }
    /// Room behind the unread bytes.
    [[nodiscard]] std::span<std::byte> room() const noexcept {
        return std::as_writable_bytes(storage_.subspan(end_));
    }

    void consume(std::size_t count) noexcept {
        assert(count <= end_ - begin_);
        begin_ += count;
    }
    /// `count` bytes were read into room().
    void add(std::size_t count) noexcept {
        assert(count <= storage_.size() - end_);
        end_ += count;
    }

    /// Moves the unread bytes down to `floor`; views into what lay from there on are void.
    void compact(std::size_t floor = 0) noexcept {
        assert(floor <= begin_);
        if (begin_ != end_)
            std::memmove(storage_.data() + floor, storage_.data() + begin_, end_ - begin_);
        end_ -= begin_ - floor;
        begin_ = floor;
    }

private:
    std::span<char> storage_;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
};

}  // namespace weft::http
