#include <weft/kernel/receive_pool.hpp>

#include <cstring>
#include <memory>
#include <new>

namespace weft::kernel {

receive_pool::receive_pool(ring& owner, std::uint32_t buffers, std::size_t buffer_bytes)
    : buffers_{owner, buffers, buffer_bytes}, provided_(buffers) {}

received_bytes& receive_pool::take(std::uint16_t buffer, std::size_t bytes,
                                   bool read_soon) noexcept {
    const std::span<std::byte> filled = buffers_.at(buffer).first(bytes);
    const bool is_worth_it = read_soon || bytes >= buffers_.size_bytes() / 2;
    if (held_ >= buffers_.count() / 2 || !is_worth_it) {
        void* const memory = ::operator new(sizeof(received_bytes) + bytes, std::nothrow);
        if (memory != nullptr) {
            auto* const copy = std::construct_at(static_cast<received_bytes*>(memory));
            copy->data = static_cast<std::byte*>(memory) + sizeof(received_bytes);
            copy->end = static_cast<std::uint32_t>(bytes);
            std::memcpy(copy->data, filled.data(), bytes);
            ++copied_;
            release(buffer);
            return *copy;
        }
    }
    ++held_;
    received_bytes& in_place = provided_[buffer];
    in_place = {nullptr, filled.data(), 0, static_cast<std::uint32_t>(bytes), true, buffer};
    return in_place;
}

void receive_pool::release(received_bytes& read) noexcept {
    if (read.is_provided) {
        --held_;
        release(read.buffer);
    } else {
        ::operator delete(&read);
    }
}

}  // namespace weft::kernel
