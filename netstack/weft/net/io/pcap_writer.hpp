#pragma once
// Writes what passes through a device to a pcapng file, which Wireshark and tshark open: a device
// that wraps a device.
//
// Frames are recorded as the device sees them: with offloads, large ones, their checksums still to
// be filled in. Each says which way it went. The file is buffered and written with plain blocking
// writes; when one fails, recording ends and the frames go on (see `error()`). Format: the pcapng
// Internet-Draft (draft-ietf-opsawg-pcapng), blocks SHB, IDB and EPB, in this machine's byte order.

#include <weft/base/result.hpp>
#include <weft/io/scheduler.hpp>
#include <weft/net/io/device.hpp>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weft::net {

class pcap_writer final : public device, private device_client {
public:
    /// Creates `path`, or empties it. The origin of the scheduler's clock is written as `origin`
    /// after 1970-01-01: see `wall_clock_origin`. Both references must outlive the writer.
    /// Errors: the system's, when the file cannot be created.
    [[nodiscard]] static result<std::unique_ptr<pcap_writer>> create(
        const std::string& path, scheduler& on, device& wrapped, duration origin = duration::zero(),
        std::string_view interface_name = "weft");
    ~pcap_writer() override;

    /// What to pass as `origin` so that a steady clock's frames carry today's date.
    [[nodiscard]] static duration wall_clock_origin(const scheduler& on);

    /// Writes out what is buffered. Errors: the system's.
    result<void> flush() noexcept;
    /// Why recording ended; a code of value 0 while it goes on.
    [[nodiscard]] std::error_code error() const noexcept { return error_; }
    [[nodiscard]] std::uint64_t frames_recorded() const noexcept { return frames_; }

    [[nodiscard]] const device_capabilities& capabilities() const noexcept override {
        return wrapped_.capabilities();
    }
    void start(device_client& client, block_pool& pool) override;
    void stop() noexcept override;
    [[nodiscard]] tx_slot* acquire_slot() noexcept override { return wrapped_.acquire_slot(); }
    void submit(tx_slot& slot) noexcept override;
    void release(tx_slot& slot) noexcept override { wrapped_.release(slot); }

private:
    enum class direction : std::uint32_t { inbound = 1, outbound = 2 };

    pcap_writer(int file, scheduler& on, device& wrapped, duration origin) noexcept;

    void on_frame(slice frame, const rx_offload& offload, instant now) noexcept override;
    void on_slot_available() noexcept override { client_->on_slot_available(); }
    void on_frame_refused() noexcept override { client_->on_frame_refused(); }

    void write_file_header(std::string_view interface_name);
    /// Appends an enhanced packet block and returns where its `bytes` bytes go.
    std::byte* begin_packet(direction way, std::uint32_t bytes, instant at);
    void put(std::uint32_t value);
    void put(std::uint16_t a, std::uint16_t b);
    void put_padded(std::string_view text);

    int file_;
    scheduler& scheduler_;
    device& wrapped_;
    device_client* client_ = nullptr;
    duration origin_;
    std::vector<std::byte> buffer_;
    std::uint64_t frames_ = 0;
    std::error_code error_;
};

}  // namespace weft::net
