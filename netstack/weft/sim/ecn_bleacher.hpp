#pragma once
// A middlebox that takes ECN out of packets: it clears the ECN field of the IP header, as routers
// do that take it for the old Type of Service, and, if asked to, the flags that set ECN up in SYNs
// (RFC 3168 §6.1.1).

#include <weft/net/io/middlebox.hpp>

#include <cstdint>

namespace weft::sim {

class ecn_bleacher final : public net::middlebox {
public:
    enum class syn_flags : std::uint8_t { left_alone, cleared };

    explicit ecn_bleacher(syn_flags flags = syn_flags::left_alone) noexcept : flags_{flags} {}

    void on_frame(net::wire_frame frame, direction way, instant now,
                  net::wire_frames& out) override;

    [[nodiscard]] std::uint64_t bleached() const noexcept { return bleached_; }

private:
    syn_flags flags_;
    std::uint64_t bleached_ = 0;
};

}  // namespace weft::sim
