#include <weft/net/errc.hpp>

#include <string>

namespace weft::net {
namespace {

class category final : public std::error_category {
public:
    [[nodiscard]] const char* name() const noexcept override { return "weft.net"; }

    [[nodiscard]] std::string message(int value) const override {
        switch (static_cast<errc>(value)) {
            case errc::connection_refused: return "connection refused";
            case errc::connection_reset: return "connection reset by peer";
            case errc::connection_aborted: return "connection aborted";
            case errc::timed_out: return "connection timed out";
            case errc::not_connected: return "not connected";
            case errc::closing: return "connection closing";
            case errc::unreachable_state: return "the awaited state cannot be reached any more";
            case errc::host_unreachable: return "no route to host";
            case errc::network_unreachable: return "network is unreachable";
            case errc::address_in_use: return "address already in use";
            case errc::address_not_available: return "cannot assign requested address";
            case errc::invalid_endpoint: return "not the address of one host";
            case errc::no_buffers: return "no buffer space available";
            case errc::busy: return "such an operation is already waiting";
            case errc::stack_stopped: return "the network stack was stopped";
            case errc::end_of_stream: return "end of stream";
            case errc::message_too_large: return "message too long";
            case errc::broadcast_not_allowed: return "broadcast not allowed";
        }
        return "unknown error";
    }

    [[nodiscard]] std::error_condition default_error_condition(int value) const noexcept override {
        switch (static_cast<errc>(value)) {
            case errc::connection_refused: return std::errc::connection_refused;
            case errc::connection_reset: return std::errc::connection_reset;
            case errc::connection_aborted: return std::errc::connection_aborted;
            case errc::timed_out: return std::errc::timed_out;
            case errc::not_connected: return std::errc::not_connected;
            case errc::closing: return std::errc::broken_pipe;
            case errc::host_unreachable: return std::errc::host_unreachable;
            case errc::network_unreachable: return std::errc::network_unreachable;
            case errc::address_in_use: return std::errc::address_in_use;
            case errc::address_not_available: return std::errc::address_not_available;
            case errc::invalid_endpoint: return std::errc::invalid_argument;
            case errc::no_buffers: return std::errc::no_buffer_space;
            case errc::busy: return std::errc::device_or_resource_busy;
            case errc::stack_stopped: return std::errc::network_down;
            case errc::end_of_stream: return std::errc::no_message_available;
            case errc::message_too_large: return std::errc::message_size;
            case errc::broadcast_not_allowed: return std::errc::permission_denied;
            case errc::unreachable_state: break;
        }
        return {value, *this};
    }
};

}  // namespace

const std::error_category& error_category() noexcept {
    static const category instance;
    return instance;
}

}  // namespace weft::net
