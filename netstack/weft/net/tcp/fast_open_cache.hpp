#pragma once
// What a client remembers of servers for TCP Fast Open (RFC 7413 §4.1.3).
//
// By pair of addresses: the last cookie and the MSS that came with it. By pair of addresses and
// port: that opening fast did not work, and until when it is not to be tried again, longer each
// time (§4.1.3.1): cookies are an address's affair, whether they are of use a service's. Both
// bounded; what was not looked at for the longest time gives way. Called by demux and connections.

#include <weft/base/instant.hpp>
#include <weft/net/tcp/segment.hpp>

#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>
#include <unordered_map>

namespace weft::net::tcp {

class fast_open_cache {
public:
    static constexpr std::size_t most_entries = 1024;

    struct known {
        wire::tcp_fast_open_cookie cookie;
        std::uint16_t mss = 0;  ///< as the server announced; 0: not known
    };

    /// What is known of the server; nothing when opening fast is not to be tried for now.
    [[nodiscard]] std::optional<known> look_up(const four_tuple& path, instant now);
    /// A SYN,ACK brought a cookie, or another MSS beside a cookie that is known.
    void learn(const four_tuple& path, const wire::tcp_fast_open_cookie& cookie, std::uint16_t mss);
    void learn_mss(const four_tuple& path, std::uint16_t mss);
    /// It works: whatever went wrong before is forgotten.
    void on_success(const four_tuple& path);
    /// It does not, and is not tried for `pause`, twice as long after each further time.
    void on_failure(const four_tuple& path, duration pause, instant now);

    [[nodiscard]] std::size_t size() const noexcept { return servers_.size() + failures_.size(); }

private:
    struct key {
        ip_address local;
        ip_address remote;
        std::uint16_t port = 0;
        friend constexpr bool operator==(const key&, const key&) noexcept = default;
    };
    struct hash_of_key {
        std::size_t operator()(const key& k) const noexcept;
    };
    struct failure {
        std::uint8_t count = 0;
        instant until;
    };

    /// Values by key, the last one that was looked at in front.
    template <class Value>
    class recent {
    public:
        Value* find(const key& k);
        Value& insert(const key& k);
        void erase(const key& k);
        [[nodiscard]] std::size_t size() const noexcept { return order_.size(); }

    private:
        struct entry {
            key at;
            Value value;
        };
        std::list<entry> order_;
        std::unordered_map<key, typename std::list<entry>::iterator, hash_of_key> places_;
    };

    static key server_of(const four_tuple& path) noexcept {
        return {path.local_address, path.remote_address, 0};
    }
    static key service_of(const four_tuple& path) noexcept {
        return {path.local_address, path.remote_address, path.remote_port};
    }

    recent<known> servers_;
    recent<failure> failures_;
};

}  // namespace weft::net::tcp
