#pragma once
// Names of hosts by way of the system: getaddrinfo(3) on a thread of a pool.
//
// So /etc/hosts, nsswitch.conf and the system's name servers hold, whatever network a program runs
// on. It takes a thread for as long as the system looks, which may be half a minute: bound it,
// `co_await with_timeout(2s, names.resolve("example.org", "https"))`. A stop does not wait for the
// system; the thread does, and as long as it does it serves nobody else.

#include <weft/base/address.hpp>
#include <weft/base/result.hpp>
#include <weft/io/offload_pool.hpp>

#include <cstdint>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

namespace weft::kernel {

/// What getaddrinfo says, with its numbers; `system` never comes out, errno does instead.
enum class resolve_errc : int;
[[nodiscard]] const std::error_category& resolve_category() noexcept;
[[nodiscard]] std::error_code make_error_code(resolve_errc code) noexcept;

struct resolve_options {
    enum class addresses : std::uint8_t { any, v4, v6 };
    enum class transport : std::uint8_t { tcp, udp };
    addresses family = addresses::any;
    transport protocol = transport::tcp;
    bool to_listen = false;   ///< an empty host: every address of this host, not its loopback
    bool numeric = false;     ///< the host is an address: nobody is asked
    bool configured = false;  ///< only of families that this host has addresses of
};
static_assert(std::is_trivially_destructible_v<resolve_options>);

class resolver {
public:
    using endpoints = std::vector<endpoint>;

    explicit resolver(offload_pool& on = offload_pool::shared()) noexcept : pool_{on} {}

    /// The endpoints of `service` (a name or a port) on `host` (a name or an address), best first,
    /// at least one. An empty host is this one.
    ///
    /// Resumes on the awaiting loop. Errors: `resolve_errc`, of which `resolve_errc{EAI_AGAIN}` is
    /// also std::errc::resource_unavailable_try_again; those of offload_pool::run. Addresses that
    /// need a zone (fe80::1%eth0) are left out: an endpoint has none.
    [[nodiscard]] auto resolve(std::string host, std::string service,
                               resolve_options wanted = {}) const {
        return pool_.run_abandonable(&look_up, std::move(host), std::move(service), wanted);
    }

private:
    static result<endpoints> look_up(const std::string& host, const std::string& service,
                                     resolve_options wanted);

    offload_pool& pool_;
};

}  // namespace weft::kernel

template <>
struct std::is_error_code_enum<weft::kernel::resolve_errc> : std::true_type {};
