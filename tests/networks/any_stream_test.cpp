#include "behaviours.hpp"

#include <weft/any_stream.hpp>
#include <weft/net/io/host.hpp>
#include <weft/sim/world.hpp>

// The behaviours once more, with every stream behind any_stream.

namespace weft::networks::test::erased {

/// A host whose streams are erased.
class erased_network {
    static task<result<any_stream>> connect_on(net::host& on, endpoint to,
                                               net::tcp::connection_options options) {
        auto opened = co_await on.connect(to, options);
        if (!opened) co_return opened.error();
        co_return any_stream::of(std::move(*opened));
    }
    static task<result<any_stream>> accept_from(net::tcp_listener& from) {
        auto accepted = co_await from.accept();
        if (!accepted) co_return accepted.error();
        co_return any_stream::of(std::move(*accepted));
    }

public:
    class listener {
    public:
        listener() = default;
        explicit listener(net::tcp_listener held) : held_{std::move(held)} {}
        [[nodiscard]] task<result<any_stream>> accept() { return accept_from(held_); }
        void close() { held_.close(); }
        explicit operator bool() const { return static_cast<bool>(held_); }
        [[nodiscard]] endpoint local_endpoint() const { return held_.local_endpoint(); }

    private:
        net::tcp_listener held_;
    };
    using stream = any_stream;
    using datagram_socket = net::udp_socket;
    using connect_options = net::tcp::connection_options;
    using listen_options = net::tcp::listen_options;

    explicit erased_network(net::host& on) : on_{on} {}

    [[nodiscard]] task<result<any_stream>> connect(const endpoint& to,
                                                   const connect_options& options = {}) {
        return connect_on(on_, to, options);
    }
    result<listener> listen(const endpoint& at, const listen_options& options = {}) {
        auto opened = on_.listen(at, options);
        if (!opened) return opened.error();
        return listener{std::move(*opened)};
    }
    result<listener> listen(std::uint16_t port, const listen_options& options = {}) {
        return listen(endpoint{ip_address{ipv4_address{}}, port}, options);
    }
    result<net::udp_socket> bind(const endpoint& at) { return on_.bind(at); }
    [[nodiscard]] weft::scheduler& scheduler() { return on_.scheduler(); }

private:
    net::host& on_;
};
static_assert(network<erased_network>);

class setup {
public:
    setup() { world_.connect(client_host_, server_host_, {.delay = 1ms}); }

    [[nodiscard]] erased_network& client() noexcept { return client_; }
    [[nodiscard]] erased_network& server() noexcept { return server_; }
    [[nodiscard]] endpoint server_at(std::uint16_t port) const {
        return {server_host_.address(), port};
    }
    [[nodiscard]] endpoint silent() const { return {ipv4_address{10, 0, 0, 99}, 80}; }
    void run(task<> main) { world_.run(std::move(main)); }

private:
    sim::world world_{1};
    net::host& client_host_ = world_.add_host("10.0.0.1/24");
    net::host& server_host_ = world_.add_host("10.0.0.2/24");
    erased_network client_{client_host_};
    erased_network server_{server_host_};
};

TEST_SUITE("networks.any_stream") {
#include "../../tests/networks/behaviours.inc"
}

}  // namespace weft::networks::test::erased
