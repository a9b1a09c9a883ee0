#pragma once
// A stack that is looked at after every step, and its user: for targets that feed it whole frames.
//
// Checked: every transition is one of the table, every connection's variables agree, memory keeps
// to its limit, timers make progress, every frame sent is well-formed and carries the bytes that
// the user wrote, every byte read is the one that was sent. For the last two the byte at a sequence
// number is a function of that number, whoever sends it. finish() lets go of everything and checks
// that it is all given back.

#include "input.hpp"

#include <weft/net/stack.hpp>

#include <array>
#include <functional>
#include <optional>
#include <vector>

namespace weft::fuzz {

/// The byte that stands at a sequence number, in every stream of every target.
[[nodiscard]] constexpr std::byte byte_at(std::uint32_t sequence) noexcept {
    const std::uint32_t mixed = (sequence ^ (sequence >> 15)) * 0x9e37'79b1U;
    return static_cast<std::byte>(mixed >> 24);
}

[[nodiscard]] std::vector<std::byte> text_at(std::uint32_t sequence, std::size_t count);

/// A TCP segment in an IPv4 packet, as a reader of the wire sees it.
struct seen_segment {
    net::wire::ipv4_header ip;
    net::wire::tcp_segment_header tcp;
    std::span<const std::byte> text;

    [[nodiscard]] bool has(net::wire::tcp_flags f) const { return tcp.header.flags.has(f); }
    /// The sequence number of the first byte of text.
    [[nodiscard]] std::uint32_t text_begin() const {
        return tcp.header.sequence + (has(net::wire::tcp_flags::syn) ? 1U : 0U);
    }
    [[nodiscard]] std::uint32_t end() const {
        return text_begin() + static_cast<std::uint32_t>(text.size()) +
               (has(net::wire::tcp_flags::fin) ? 1U : 0U);
    }
};

/// Nothing when `packet` is no whole TCP segment.
[[nodiscard]] std::optional<seen_segment> read_segment(std::span<const std::byte> packet);

struct sent_frame {
    std::vector<std::byte> bytes;
    net::tx_offload offload;
};

class watched_stack final : private net::observer {
public:
    /// A connection that the user holds.
    struct handle {
        net::tcp::connection* connection = nullptr;
        std::uint64_t written = 0;
        std::uint64_t read = 0;
    };

    watched_stack(const net::stack_options& options, std::size_t pool_bytes);
    ~watched_stack();

    // the wire
    void receive(std::span<const std::byte> frame, const net::rx_offload& offload = {});
    /// The next frame, checked; nothing when there is none.
    std::optional<sent_frame> poll();
    /// The next frame is refused by the device, as a full one does.
    void refuse();

    // time; frames that are due meanwhile go to `on_frame`
    using frame_sink = std::function<void(sent_frame)>;
    void pass(duration time, const frame_sink& on_frame);

    // the user
    void listen(const net::endpoint& local, const net::tcp::listen_options& options);
    void close_listener();
    bool connect(const net::endpoint& remote, const net::tcp::connection_options& options,
                 const net::endpoint& local);
    bool accept();
    void write(handle& h, std::uint32_t count);
    void read(handle& h, std::uint32_t count);
    void release(std::size_t index);
    /// By number, whatever the number; nullptr when nothing is held.
    handle* pick(std::uint32_t number);

    /// Everything that has to hold between two steps.
    void check();
    /// The user goes, nobody answers, an hour passes: nothing may be left.
    void finish();

    /// Bytes may have been forged: what is read is no longer checked.
    void distrust_input() { trusts_input_ = false; }
    [[nodiscard]] bool trusts_input() const { return trusts_input_; }

    net::block_pool pool;
    net::stack stack;
    instant now{std::chrono::seconds{1}};
    std::vector<handle> handles;
    net::tcp::listener* listener = nullptr;

private:
    struct in_device {
        net::tx_slot slot;
        std::vector<std::byte> bytes;
    };

    void check_frame(const sent_frame& frame) const;
    void check_segment(const seen_segment& s, const net::tx_offload& offload) const;
    void on_transition(const net::transition_event& e) override;
    void on_segment(const net::segment_event& e) override;

    std::array<in_device, 4> device_;  ///< frames on their way out keep their bytes
    std::size_t next_slot_ = 0;
    bool trusts_input_ = true;
    bool is_traced_;
};

}  // namespace weft::fuzz
