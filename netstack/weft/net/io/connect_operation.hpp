#pragma once
// The operation behind host::connect(): opens, waits for ESTABLISHED or the end, hands out a
// stream. Its contract is in host.hpp.

#include <weft/base/operation.hpp>
#include <weft/base/result.hpp>
#include <weft/net/io/tcp_stream.hpp>
#include <weft/net/tcp/options.hpp>

#include <cstddef>
#include <span>

namespace weft::net {

class connect_operation : public operation {
public:
    static constexpr std::string_view trace_name = "host::connect";

    connect_operation(completion resume, host& owner, const endpoint& remote, const endpoint& local,
                      const tcp::connection_options& options,
                      std::span<const std::byte> first = {}) noexcept
        : operation{&on_event},
          resume_{resume},
          host_{owner},
          remote_{remote},
          local_{local},
          options_{options},
          first_{first} {}
    /// Destroyed while it waits: the attempt is aborted.
    ~connect_operation();

    [[nodiscard]] bool ready() const noexcept { return false; }
    void start(const environment& in) noexcept;
    result<tcp_stream> finish() noexcept;

private:
    static void on_event(operation& posted) noexcept;
    [[nodiscard]] bool has_finished() const noexcept;
    [[nodiscard]] std::error_code open() noexcept;
    void give_up() noexcept;

    completion resume_;
    host& host_;
    endpoint remote_;
    endpoint local_;
    tcp::connection_options options_;
    std::span<const std::byte> first_;
    tcp::connection* connection_ = nullptr;
    stop_token stop_;
    std::error_code error_;
};

}  // namespace weft::net
