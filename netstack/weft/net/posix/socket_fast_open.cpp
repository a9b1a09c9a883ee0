// What a socket may set of TCP Fast Open (RFC 7413), as Linux has it. How text gets into a SYN is
// in socket_transfer.cpp.

#include <weft/net/posix/socket.hpp>

#include <linux/tcp.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace weft::net::posix {
namespace {

constexpr std::size_t key_bytes = 16;

std::uint64_t load(const std::uint8_t* from) noexcept {
    std::uint64_t word = 0;
    for (unsigned i = 8; i-- > 0;) word = word << 8 | from[i];
    return word;
}

void store(std::uint64_t word, std::uint8_t* to) noexcept {
    for (unsigned i = 0; i < 8; ++i) to[i] = static_cast<std::uint8_t>(word >> (8 * i));
}

tcp::hash_secret read_key(const std::uint8_t* from) noexcept {
    return {load(from), load(from + 8)};
}

void write_key(const tcp::hash_secret& key, std::uint8_t* to) noexcept {
    store(key.k0, to);
    store(key.k1, to + 8);
}

}  // namespace

/// How many PendingFastOpenRequests a listener may have.
std::uint32_t socket::fast_open_limit() const noexcept {
    const fast_open_policy& policy = network_.options().fast_open;
    if (!policy.server) return 0;
    const int unasked = policy.every_listener ? backlog_ : 0;
    return static_cast<std::uint32_t>(fast_open_queue_.value_or(unasked));
}

bool socket::needs_no_cookie() const noexcept {
    return fast_open_cookieless_ || network_.options().fast_open.server_cookieless;
}

std::optional<tcp::fast_open_keys> socket::fast_open_keys() const noexcept {
    return fast_open_keys_ ? fast_open_keys_ : network_.options().fast_open.keys;
}

answer socket::set_fast_open_number(int name, int value) {
    const bool is_new = connection_ == nullptr;
    switch (name) {
        case TCP_FASTOPEN:
            if (!is_new || value < 0) return -EINVAL;
            fast_open_queue_ = std::min(value, most_backlog);
            if (listener_ != nullptr) listener_->set_fast_open_queue(fast_open_limit());
            return 0;
        case TCP_FASTOPEN_CONNECT:
            if (value < 0 || value > 1) return -EINVAL;
            if (!network_.options().fast_open.client) return -EOPNOTSUPP;
            if (!is_new || listener_ != nullptr) return -EINVAL;
            fast_open_connect_ = value != 0;
            return 0;
        case TCP_FASTOPEN_NO_COOKIE:
            if (value < 0 || value > 1 || !is_new) return -EINVAL;
            fast_open_cookieless_ = value != 0;
            if (listener_ != nullptr) listener_->set_fast_open_cookieless(needs_no_cookie());
            return 0;
        default: return -ENOPROTOOPT;
    }
}

std::optional<int> socket::fast_open_number(int name) const {
    switch (name) {
        case TCP_FASTOPEN: return fast_open_queue_.value_or(0);
        case TCP_FASTOPEN_CONNECT: return fast_open_connect_ ? 1 : 0;
        case TCP_FASTOPEN_NO_COOKIE: return fast_open_cookieless_ ? 1 : 0;
        default: return std::nullopt;
    }
}

/// One key, or the current one and the one before it.
answer socket::set_fast_open_key(const void* value, socklen_t bytes) {
    if (bytes != key_bytes && bytes != 2 * key_bytes) return -EINVAL;
    if (value == nullptr) return -EFAULT;
    if (connection_ != nullptr) return -EINVAL;
    const auto* const text = static_cast<const std::uint8_t*>(value);
    tcp::fast_open_keys& keys = fast_open_keys_.emplace();
    keys.current = read_key(text);
    if (bytes == 2 * key_bytes) keys.previous = read_key(text + key_bytes);
    if (listener_ != nullptr) listener_->set_fast_open_secret(keys);
    return 0;
}

/// The stack's own keys are nobody's business: without others there is nothing to tell.
answer socket::get_fast_open_key(void* value, socklen_t* bytes) const {
    std::array<std::uint8_t, 2 * key_bytes> text;
    socklen_t known = 0;
    if (const auto keys = fast_open_keys()) {
        write_key(keys->current, text.data());
        if (keys->previous) write_key(*keys->previous, text.data() + key_bytes);
        known = keys->previous ? 2 * key_bytes : key_bytes;
    }
    *bytes = std::min(*bytes, known);
    std::memcpy(value, text.data(), *bytes);
    return 0;
}

}  // namespace weft::net::posix
