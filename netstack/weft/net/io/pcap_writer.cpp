#include <weft/net/io/pcap_writer.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

namespace weft::net {
namespace {

// Block types, options and link types of the format.
constexpr std::uint32_t section_header = 0x0a0d0d0a;
constexpr std::uint32_t interface_description = 1;
constexpr std::uint32_t enhanced_packet = 6;
constexpr std::uint32_t byte_order_magic = 0x1a2b3c4d;
constexpr std::uint16_t option_end = 0;
constexpr std::uint16_t option_interface_name = 2;
constexpr std::uint16_t option_time_resolution = 9;
constexpr std::uint16_t option_application = 4;
constexpr std::uint16_t option_packet_flags = 2;
constexpr std::uint16_t link_ethernet = 1;
constexpr std::uint16_t link_raw_ip = 101;
constexpr std::string_view application = "weft";

constexpr std::size_t buffer_limit = 256 * 1024;

constexpr std::uint32_t padded(std::size_t bytes) noexcept {
    return static_cast<std::uint32_t>((bytes + 3) / 4 * 4);
}

std::error_code last_error() noexcept { return {errno, std::system_category()}; }

}  // namespace

result<std::unique_ptr<pcap_writer>> pcap_writer::create(const std::string& path, scheduler& on,
                                                         device& wrapped, duration origin,
                                                         std::string_view interface_name) {
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (file < 0) return last_error();
    std::unique_ptr<pcap_writer> made{new pcap_writer{file, on, wrapped, origin}};
    made->write_file_header(interface_name);
    if (const result<void> written = made->flush(); !written) return written.error();
    return made;
}

pcap_writer::pcap_writer(int file, scheduler& on, device& wrapped, duration origin) noexcept
    : file_{file}, scheduler_{on}, wrapped_{wrapped}, origin_{origin} {}

pcap_writer::~pcap_writer() {
    stop();
    ::close(file_);
}

duration pcap_writer::wall_clock_origin(const scheduler& on) {
    const auto today = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration_cast<duration>(today) - on.now().time_since_epoch();
}

// ---- the device

void pcap_writer::start(device_client& client, block_pool& pool) {
    client_ = &client;
    wrapped_.start(*this, pool);
}

void pcap_writer::stop() noexcept {
    if (client_ != nullptr) wrapped_.stop();
    client_ = nullptr;
    (void)flush();
}

void pcap_writer::submit(tx_slot& slot) noexcept {
    if (!error_) {
        const std::uint32_t bytes = slot.frame_bytes();
        slot.copy_to(begin_packet(direction::outbound, bytes, scheduler_.now()));
    }
    wrapped_.submit(slot);
}

void pcap_writer::on_frame(slice frame, const rx_offload& offload, instant now) noexcept {
    if (!error_) {
        std::byte* place = begin_packet(direction::inbound, frame.size(), now);
        std::ranges::copy(frame.bytes(), place);
    }
    client_->on_frame(std::move(frame), offload, now);
}

// ---- the file

void pcap_writer::put(std::uint32_t value) {
    const auto* bytes = reinterpret_cast<const std::byte*>(&value);
    buffer_.insert(buffer_.end(), bytes, bytes + sizeof value);
}

void pcap_writer::put(std::uint16_t a, std::uint16_t b) {
    const std::uint16_t both[] = {a, b};
    const auto* bytes = reinterpret_cast<const std::byte*>(both);
    buffer_.insert(buffer_.end(), bytes, bytes + sizeof both);
}

void pcap_writer::put_padded(std::string_view text) {
    const auto* bytes = reinterpret_cast<const std::byte*>(text.data());
    buffer_.insert(buffer_.end(), bytes, bytes + text.size());
    buffer_.resize(buffer_.size() + padded(text.size()) - text.size());
}

void pcap_writer::write_file_header(std::string_view interface_name) {
    interface_name = interface_name.substr(0, 255);
    const std::uint32_t section_bytes = 28 + 4 + padded(application.size()) + 4;
    put(section_header);
    put(section_bytes);
    put(byte_order_magic);
    put(std::uint16_t{1}, std::uint16_t{0});  // version 1.0
    put(0xffff'ffffU);                        // the section's length is not said
    put(0xffff'ffffU);
    put(option_application, static_cast<std::uint16_t>(application.size()));
    put_padded(application);
    put(option_end, 0);
    put(section_bytes);

    const bool is_ethernet =
        wrapped_.capabilities().link == device_capabilities::link_type::ethernet;
    const std::uint32_t description_bytes = 20 + 4 + padded(interface_name.size()) + 8 + 4;
    put(interface_description);
    put(description_bytes);
    put(is_ethernet ? link_ethernet : link_raw_ip, 0);
    put(std::uint32_t{0});  // frames are recorded whole
    put(option_interface_name, static_cast<std::uint16_t>(interface_name.size()));
    put_padded(interface_name);
    put(option_time_resolution, 1);
    put_padded("\x09");  // 10^-9 s
    put(option_end, 0);
    put(description_bytes);
}

std::byte* pcap_writer::begin_packet(direction way, std::uint32_t bytes, instant at) {
    const std::uint32_t block_bytes = 32 + padded(bytes) + 12;
    if (buffer_.size() + block_bytes > buffer_limit) (void)flush();
    const auto time = static_cast<std::uint64_t>((origin_ + at.time_since_epoch()).count());
    put(enhanced_packet);
    put(block_bytes);
    put(std::uint32_t{0});  // the only interface
    put(static_cast<std::uint32_t>(time >> 32));
    put(static_cast<std::uint32_t>(time));
    put(bytes);  // recorded
    put(bytes);  // on the wire
    const std::size_t place = buffer_.size();
    buffer_.resize(place + padded(bytes));
    put(option_packet_flags, 4);
    put(static_cast<std::uint32_t>(way));
    put(option_end, 0);
    put(block_bytes);
    ++frames_;
    return buffer_.data() + place;
}

result<void> pcap_writer::flush() noexcept {
    std::size_t written = 0;
    while (!error_ && written < buffer_.size()) {
        const ssize_t n = ::write(file_, buffer_.data() + written, buffer_.size() - written);
        if (n > 0) {
            written += static_cast<std::size_t>(n);
        } else if (n < 0 && errno != EINTR) {
            error_ = last_error();
        }
    }
    buffer_.clear();
    if (error_) return error_;
    return {};
}

}  // namespace weft::net
