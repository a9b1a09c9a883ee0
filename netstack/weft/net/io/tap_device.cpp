#include <weft/io/ring.hpp>
#include <weft/log.hpp>
#include <weft/net/io/tap_device.hpp>

#include <poll.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <system_error>

namespace weft::net {
namespace {

/// The 10 bytes before each frame, in the machine's byte order. <linux/virtio_net.h> has them too,
/// and is not C++.
struct virtio_header {
    static constexpr std::uint8_t needs_checksum = 1;
    static constexpr std::uint8_t data_valid = 2;
    static constexpr std::uint8_t gso_tcp_v4 = 1;
    static constexpr std::uint8_t gso_tcp_v6 = 4;
    static constexpr std::uint8_t gso_ecn = 0x80;

    std::uint8_t flags = 0;
    std::uint8_t gso_type = 0;
    std::uint16_t header_bytes = 0;
    std::uint16_t gso_bytes = 0;
    std::uint16_t checksum_start = 0;
    std::uint16_t checksum_offset = 0;
};
static_assert(sizeof(virtio_header) == 10);

constexpr std::uint32_t link_overhead = sizeof(virtio_header) + 14 + 4;  // Ethernet, one VLAN tag
constexpr std::uint64_t no_offset = ~std::uint64_t{0};                   // a TAP has no position

log::logger& logger() {
    static log::logger& instance = log::get("tap");
    return instance;
}

/// Locally administered and unicast, from what stays the same as long as the interface exists.
mac_address derive_address(std::string_view name, const mac_address& kernel) noexcept {
    std::uint64_t hash = 0xcbf2'9ce4'8422'2325U;  // FNV-1a
    const auto mix = [&hash](std::uint8_t byte) { hash = (hash ^ byte) * 0x100'0000'01b3U; };
    for (const char c : name) mix(static_cast<std::uint8_t>(c));
    for (const std::uint8_t byte : kernel.bytes()) mix(byte);
    std::array<std::uint8_t, 6> bytes{};
    for (std::uint8_t& byte : bytes) {
        byte = static_cast<std::uint8_t>(hash >> 56);
        hash <<= 8;
    }
    bytes[0] = static_cast<std::uint8_t>((bytes[0] & 0xfcU) | 0x02U);
    return mac_address{bytes};
}

/// A frame that the kernel left unsummed never touched a wire, so it needs no verification.
rx_offload offload_of(const virtio_header& header) noexcept {
    rx_offload offload;
    offload.checksum_verified =
        (header.flags & (virtio_header::needs_checksum | virtio_header::data_valid)) != 0;
    const unsigned type = header.gso_type & ~unsigned{virtio_header::gso_ecn};
    if (type == virtio_header::gso_tcp_v4 || type == virtio_header::gso_tcp_v6) {
        offload.segment_bytes = header.gso_bytes;
    }
    return offload;
}

virtio_header header_for(const tx_slot& slot) noexcept {
    virtio_header header{};
    if (slot.offload.needs_checksum) {
        header.flags = virtio_header::needs_checksum;
        header.checksum_start = slot.offload.checksum_start;
        header.checksum_offset = slot.offload.checksum_offset;
    }
    // One segment needs no cutting, and the kernel refuses to be asked for it.
    if (slot.offload.segment_bytes != 0 && slot.payload_bytes > slot.offload.segment_bytes) {
        header.gso_type =
            slot.offload.is_ipv6 ? virtio_header::gso_tcp_v6 : virtio_header::gso_tcp_v4;
        header.gso_bytes = slot.offload.segment_bytes;
        header.header_bytes = static_cast<std::uint16_t>(slot.header_bytes);
    }
    return header;
}

}  // namespace

struct tap_device::receive_slot : ring_completion {
    explicit receive_slot(tap_device& owner) noexcept
        : ring_completion{[](ring_completion& self, int result, unsigned) noexcept {
              auto& slot = static_cast<receive_slot&>(self);
              slot.device.on_read(slot, result);
          }},
          device{owner} {}

    tap_device& device;
    slice block;              // empty, at the start of its block
    bool is_polling = false;  // the completion is a poll's, not a read's
};

struct tap_device::transmit_slot : tx_slot, ring_completion {
    explicit transmit_slot(tap_device& owner) noexcept
        : ring_completion{[](ring_completion& self, int result, unsigned) noexcept {
              auto& slot = static_cast<transmit_slot&>(self);
              slot.device.on_written(slot, result);
          }},
          device{owner} {}

    tap_device& device;
    transmit_slot* next_free = nullptr;
    virtio_header virtio{};
    std::array<iovec, 2 + max_payload_slices> vectors{};
};

result<std::unique_ptr<tap_device>> tap_device::open(io_context& io, tap_options options) {
    result<tap_interface> attached = tap_interface::attach(options.name, options.create);
    if (!attached) return attached.error();
    return open(io, *std::move(attached), options);
}

result<std::unique_ptr<tap_device>> tap_device::open(io_context& io, tap_interface queue,
                                                     tap_options options) {
    const result<void> offloads =
        queue.accept_offloads(options.checksum_in, options.segmentation_in);
    if (!offloads) return offloads.error();
    return std::unique_ptr<tap_device>{new tap_device{io, std::move(queue), options}};
}

tap_device::tap_device(io_context& io, tap_interface attached, tap_options options)
    : io_{io}, interface_{std::move(attached)}, options_{options} {
    options_.name = interface_.name();
    options_.reads = std::clamp(options.reads, 1U, 64U);
    options_.writes = std::clamp(options.writes, 1U, 1024U);
    capabilities_.checksum_offload = true;
    capabilities_.segmentation_offload = true;
    update_mtu();
    const result<mac_address> kernel = interface_.kernel_address();
    stack_address_ = derive_address(name(), kernel ? *kernel : mac_address{});
    for (std::uint32_t i = 0; i < options_.writes; ++i) {
        writes_.push_back(std::make_unique<transmit_slot>(*this));
        release(*writes_.back());
    }
}

tap_device::~tap_device() { stop(); }

/// Picks the block that a frame of the interface's present MTU surely fits.
void tap_device::update_mtu() noexcept {
    if (const result<std::uint32_t> mtu = interface_.mtu()) capabilities_.mtu = *mtu;
    const std::uint32_t longest = capabilities_.mtu + link_overhead;
    // Strictly smaller: a read that fills its block counts as truncated.
    if (options_.checksum_in && options_.segmentation_in) {
        read_size_ = block_size::large;
    } else if (longest < static_cast<std::uint32_t>(block_size::small)) {
        read_size_ = block_size::small;
    } else if (longest < static_cast<std::uint32_t>(block_size::medium)) {
        read_size_ = block_size::medium;
    } else {
        read_size_ = block_size::large;
    }
}

void tap_device::start(device_client& client, block_pool& pool) {
    assert(client_ == nullptr && "start() once");
    client_ = &client;
    pool_ = &pool;
    update_mtu();
    for (std::uint32_t i = 0; i < options_.reads; ++i) {
        auto slot = std::make_unique<receive_slot>(*this);
        slot->block = pool.allocate(read_size_);
        if (!slot->block) break;
        reads_.push_back(std::move(slot));
        read_into(*reads_.back());
    }
    if (reads_.empty()) throw std::system_error{make_error_code(std::errc::not_enough_memory)};
    logger().info("{}: attached, MTU {}, our address {}", name(), capabilities_.mtu,
                  stack_address_.to_string());
}

void tap_device::stop() noexcept {
    client_ = nullptr;
    for (auto& slot : writes_) {  // the first withdraw submits all: what was said still goes out
        if (!slot->is_in_flight()) continue;
        io_.ring().withdraw(*slot);
        release(*slot);
    }
    for (auto& slot : reads_) io_.ring().withdraw(*slot);
    reads_.clear();
}

void tap_device::read_into(receive_slot& slot) {
    slot.is_polling = false;
    io_.ring().read(slot, interface_.descriptor(), {slot.block.data(), slot.block.room_behind()},
                    no_offset);
}

void tap_device::on_read(receive_slot& slot, int result) noexcept {
    if (result < 0) {
        on_read_error(slot, -result);
        return;
    }
    if (!slot.is_polling) hand_on(slot, static_cast<std::uint32_t>(result));
    if (client_ != nullptr) read_into(slot);
}

void tap_device::on_read_error(receive_slot& slot, int error) noexcept {
    if (error == ECANCELED) return;
    if (error == EINTR) return read_into(slot);
    if (error == EAGAIN) {  // a kernel that does not wait on a non-blocking descriptor
        slot.is_polling = true;
        io_.ring().poll(slot, interface_.descriptor(), POLLIN);
        return;
    }
    // EBADFD: the interface was deleted. Reading again would only spin.
    if (counters_.read_errors++ == 0) {
        logger().error("{}: reading stops: {}", name(), std::strerror(error));
    }
}

void tap_device::hand_on(receive_slot& slot, std::uint32_t bytes) noexcept {
    virtio_header header{};
    if (bytes < sizeof header) return;
    ++counters_.frames_in;
    std::memcpy(&header, slot.block.data(), sizeof header);
    rx_offload offload = offload_of(header);
    if (bytes == slot.block.room_behind()) {
        ++counters_.truncated;
        offload.truncated = true;
        update_mtu();  // the next blocks are larger when the MTU has grown
    }
    slice next = pool_->allocate(read_size_);
    if (!next) {  // the frame is dropped, so that there is always a block to read into
        ++counters_.dropped_memory;
        return;
    }
    slice frame = std::exchange(slot.block, std::move(next));
    frame.extend(bytes);
    frame.remove_prefix(sizeof header);
    client_->on_frame(std::move(frame), offload, io_.now());
}

tx_slot* tap_device::acquire_slot() noexcept {
    if (free_ == nullptr) {
        wants_slot_ = true;
        return nullptr;
    }
    return std::exchange(free_, free_->next_free);
}

void tap_device::release(tx_slot& slot) noexcept {
    auto& returned = static_cast<transmit_slot&>(slot);
    returned.clear();
    returned.next_free = std::exchange(free_, &returned);
}

void tap_device::submit(tx_slot& slot) noexcept {
    auto& ours = static_cast<transmit_slot&>(slot);
    ours.virtio = header_for(slot);
    std::size_t count = 0;
    ours.vectors[count++] = {&ours.virtio, sizeof ours.virtio};
    ours.vectors[count++] = {ours.headers.data(), ours.header_bytes};
    for (const slice& part : ours.payload_slices()) {
        ours.vectors[count++] = {part.data(), part.size()};
    }
    ++counters_.frames_out;
    io_.ring().write_vectored(ours, interface_.descriptor(), std::span{ours.vectors}.first(count),
                              no_offset);
}

void tap_device::on_written(transmit_slot& slot, int result) noexcept {
    release(slot);
    if (result < 0) {
        ++counters_.refused;
        if (!std::exchange(warned_refused_, true)) {
            logger().warning("{}: the kernel refuses frames: {}{}", name(), std::strerror(-result),
                             result == -EIO ? " (is the interface up?)" : "");
        }
    }
    if (client_ == nullptr) return;
    if (result < 0) client_->on_frame_refused();
    if (std::exchange(wants_slot_, false)) client_->on_slot_available();
}

}  // namespace weft::net
