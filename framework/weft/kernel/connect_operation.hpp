#pragma once
// An active open on a kernel socket: socket(2), options, and the ring's connect. Made by
// kernel::network::connect(), where its contract is.

#include <weft/base/address.hpp>
#include <weft/base/operation.hpp>
#include <weft/base/result.hpp>
#include <weft/io/ring.hpp>
#include <weft/kernel/options.hpp>
#include <weft/kernel/socket_address.hpp>
#include <weft/kernel/tcp_stream.hpp>

#include <string_view>
#include <system_error>

namespace weft::kernel {

class network;

class connect_operation : public operation, ring_completion {
public:
    static constexpr std::string_view trace_name = "kernel::network::connect";
    connect_operation(completion resume, network& on, const endpoint& remote,
                      const connect_options& options) noexcept;
    ~connect_operation();

    [[nodiscard]] bool ready() const noexcept { return false; }
    void start(const environment& in) noexcept;
    result<tcp_stream> finish();

private:
    static void answered(ring_completion& done, int answer, unsigned flags) noexcept;
    static void on_stop(operation& stopped) noexcept;
    [[nodiscard]] std::error_code open() noexcept;

    network& network_;
    endpoint remote_;
    connect_options options_;
    socket_address address_;
    int fd_ = -1;
    std::error_code error_;
};

}  // namespace weft::kernel
