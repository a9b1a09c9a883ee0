#pragma once
// A middlebox that cuts TCP segments into smaller ones: what a proxy or an offloading device on the
// path does to them.

#include <weft/net/io/middlebox.hpp>

#include <cstddef>
#include <utility>

namespace weft::sim {

class segment_splitter final : public net::middlebox {
public:
    /// No piece carries more than `text_bytes` of text. Precondition: above zero.
    explicit segment_splitter(std::size_t text_bytes) noexcept : text_bytes_{text_bytes} {}

    void on_frame(net::wire_frame frame, direction, instant, net::wire_frames& out) override {
        net::cut_segment(std::move(frame), text_bytes_, pool_, out);
    }

private:
    std::size_t text_bytes_;
    net::block_pool pool_;
};

}  // namespace weft::sim
