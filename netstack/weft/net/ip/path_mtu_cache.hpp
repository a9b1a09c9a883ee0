#pragma once
// What was found out about paths: to which destinations packets must be smaller than our link takes
// (RFC 1191 §6.3, RFC 8201 §5.2).
//
// Shared by everything that sends to a destination: what one connection has learned the hard way
// the next one begins with. An entry is forgotten ten minutes after it was last confirmed, so that
// a path that has become wider is tried again. Entries are bounded; the oldest gives way. Whether a
// router's word is believed is the transport's decision (tcp/path_mtu.hpp), not the cache's. Holds
// no memory until the first entry. Called by the stack only.

#include <weft/base/instant.hpp>
#include <weft/base/intrusive_list.hpp>
#include <weft/net/address.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

namespace weft::net::ip {

struct path_mtu_options {
    std::size_t max_entries = 1024;
    duration lifetime = std::chrono::minutes{10};  ///< RFC 1191 §6.3
};

class path_mtu_cache {
public:
    explicit path_mtu_cache(path_mtu_options options = {});
    ~path_mtu_cache();
    path_mtu_cache(const path_mtu_cache&) = delete;
    path_mtu_cache& operator=(const path_mtu_cache&) = delete;

    /// The largest packet, in bytes, that is known to get to `to`; nothing: not known to be less
    /// than the link's.
    [[nodiscard]] std::optional<std::uint32_t> lookup(const ip_address& to,
                                                      instant now) const noexcept;

    /// The path to `to` takes packets of `mtu_bytes`; the entry's life begins anew.
    void learn(const ip_address& to, std::uint32_t mtu_bytes, instant now);
    /// The path takes all that the link does.
    void forget(const ip_address& to) noexcept;

    [[nodiscard]] std::size_t size() const noexcept { return size_; }

private:
    struct entry;

    [[nodiscard]] entry* find(const ip_address& to) const noexcept;
    [[nodiscard]] std::size_t bucket_of(const ip_address& to) const noexcept;
    void remove(entry& gone) noexcept;

    path_mtu_options options_;
    std::size_t bucket_mask_ = 0;
    std::unique_ptr<entry*[]> buckets_;
    std::unique_ptr<entry[]> entries_;
    intrusive_list<entry> known_;  ///< oldest first
    intrusive_list<entry> free_;
    std::size_t size_ = 0;
};

}  // namespace weft::net::ip
