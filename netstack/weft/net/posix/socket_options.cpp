// getsockopt, setsockopt and ioctl of a socket: which exist, their ranges, and what they answer.
//
// Sizes of buffers are reported twice as large as they were asked for, as Linux does; what counts
// here is what was asked for.

#include <weft/net/posix/socket.hpp>
#include <weft/net/posix/socket_status.hpp>

#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/time.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <string_view>

namespace weft::net::posix {
namespace {

using tcp::state;

constexpr int least_buffer = 2048;
constexpr int most_buffer = 1 << 26;

/// The int that an option's value begins with.
answer read_number(const void* value, socklen_t bytes, int& into) noexcept {
    if (bytes < sizeof into) return -EINVAL;
    if (value == nullptr) return -EFAULT;
    std::memcpy(&into, value, sizeof into);
    return 0;
}

/// Copies as much of an option's value as there is room for, and says how much.
answer write_value(const void* from, std::size_t bytes, void* value, socklen_t* room) noexcept {
    if (static_cast<int>(*room) < 0) return -EINVAL;
    const auto count = std::min(*room, static_cast<socklen_t>(bytes));
    std::memcpy(value, from, count);
    *room = count;
    return 0;
}

bool is_between(int value, int least, int most) noexcept { return value >= least && value <= most; }

int to_int(std::uint32_t bytes) noexcept {
    return static_cast<int>(std::min<std::uint32_t>(bytes, 0x7fff'ffff));
}

struct congestion_name {
    std::string_view name;
    tcp::congestion_algorithm algorithm;
};
constexpr std::array congestion_names{
    congestion_name{"cubic", tcp::congestion_algorithm::cubic},
    congestion_name{"reno", tcp::congestion_algorithm::new_reno},
    congestion_name{"bbr", tcp::congestion_algorithm::bbr},
};
constexpr std::size_t longest_congestion_name = 16;  // TCP_CA_NAME_MAX of Linux

}  // namespace

// ---- setting

answer socket::set_option(int level, int name, const void* value, socklen_t bytes) {
    answer done = -ENOPROTOOPT;
    if (level == SOL_SOCKET) done = set_socket_option(name, value, bytes);
    if (level == IPPROTO_TCP) done = set_tcp_option(name, value, bytes);
    if (level == IPPROTO_IP) done = set_ip_option(name, value, bytes);
    if (done == 0) apply_options();
    return done;
}

/// What was set takes effect on what there is: a listener's next children, or the connection.
void socket::apply_options() {
    if (listener_ != nullptr) listener_->set_connection_options(options_);
    network_.settle();
}

answer socket::set_socket_option(int name, const void* value, socklen_t bytes) {
    if (name == SO_LINGER) return set_lingering(value, bytes);
    if (name == SO_RCVTIMEO) return set_time_limit(receive_limit_, value, bytes);
    if (name == SO_SNDTIMEO) return set_time_limit(send_limit_, value, bytes);
    int number = 0;
    if (const answer bad = read_number(value, bytes, number)) return bad;
    const int size = std::clamp(number, least_buffer, most_buffer);
    switch (name) {
        case SO_REUSEADDR: reuse_address_ = number != 0; return 0;
        case SO_OOBINLINE: urgent_inline_ = number != 0; return 0;
        case SO_REUSEPORT:
        case SO_PRIORITY: return 0;  // accepted, and without meaning here
        case SO_RCVLOWAT: low_water_ = std::clamp(number, 1, most_buffer); return 0;
        case SO_KEEPALIVE:
            options_.keepalive.enabled = number != 0;
            apply_keepalive();
            return 0;
        case SO_RCVBUF:
        case SO_RCVBUFFORCE:
            options_.receive_buffer_bytes = static_cast<std::uint32_t>(size);
            break;
        case SO_SNDBUF:
        case SO_SNDBUFFORCE: options_.send_buffer_bytes = static_cast<std::uint32_t>(size); break;
        default: return -ENOPROTOOPT;
    }
    if (connection_ != nullptr) {
        connection_->set_buffers(options_.send_buffer_bytes, options_.receive_buffer_bytes,
                                 network::now());
    }
    return 0;
}

answer socket::set_tcp_option(int name, const void* value, socklen_t bytes) {
    if (name == TCP_CONGESTION) return set_congestion(value, bytes);
    if (name == TCP_FASTOPEN_KEY) return set_fast_open_key(value, bytes);
    int number = 0;
    if (const answer bad = read_number(value, bytes, number)) return bad;
    return set_tcp_number(name, number);
}

answer socket::set_tcp_number(int name, int value) {
    const instant now = network::now();
    tcp::keepalive_options& keepalive = options_.keepalive;
    switch (name) {
        case TCP_NODELAY:
            options_.no_delay = value != 0;
            if (connection_ != nullptr) connection_->set_no_delay(options_.no_delay, now);
            return 0;
        case TCP_CORK:
            corked_ = value != 0;
            if (connection_ != nullptr) connection_->set_cork(corked_, now);
            return 0;
        case TCP_KEEPIDLE:
            if (!is_between(value, 1, 32767)) return -EINVAL;
            keepalive.idle = std::chrono::seconds{value};
            break;
        case TCP_KEEPINTVL:
            if (!is_between(value, 1, 32767)) return -EINVAL;
            keepalive.interval = std::chrono::seconds{value};
            break;
        case TCP_KEEPCNT:
            if (!is_between(value, 1, 127)) return -EINVAL;
            keepalive.probes = static_cast<std::uint8_t>(value);
            break;
        case TCP_USER_TIMEOUT:
            if (value < 0) return -EINVAL;
            options_.user_timeout = std::chrono::milliseconds{value};
            if (connection_ != nullptr) connection_->set_user_timeout(options_.user_timeout);
            return 0;
        default: return set_fast_open_number(name, value);
    }
    apply_keepalive();
    return 0;
}

void socket::apply_keepalive() {
    if (connection_ != nullptr) connection_->set_keepalive(options_.keepalive, network::now());
}

answer socket::set_ip_option(int name, const void* value, socklen_t bytes) {
    // Linux takes a byte as well as an int here.
    int number = 0;
    if (value == nullptr) return -EFAULT;
    if (bytes == 1) {
        number = *static_cast<const std::uint8_t*>(value);
    } else if (const answer bad = read_number(value, bytes, number)) {
        return bad;
    }
    switch (name) {
        case IP_TOS:
            options_.traffic_class = static_cast<std::uint8_t>(number & 0xfc);  // less ECN
            if (connection_ != nullptr) connection_->set_traffic_class(options_.traffic_class);
            return 0;
        case IP_TTL:
            if (number != -1 && !is_between(number, 1, 255)) return -EINVAL;
            options_.hop_limit = static_cast<std::uint8_t>(number == -1 ? 0 : number);
            if (connection_ != nullptr) connection_->set_hop_limit(options_.hop_limit);
            return 0;
        case IP_MTU_DISCOVER: return is_between(number, 0, 5) ? 0 : -EINVAL;
        default: return -ENOPROTOOPT;
    }
}

answer socket::set_time_limit(duration& limit, const void* value, socklen_t bytes) {
    timeval time;
    if (bytes < sizeof time) return -EINVAL;
    if (value == nullptr) return -EFAULT;
    std::memcpy(&time, value, sizeof time);
    if (time.tv_usec < 0 || time.tv_usec >= 1'000'000) return -EDOM;
    constexpr std::int64_t a_century = 3'000'000'000;  // seconds: no sum of times overflows
    limit = time.tv_sec < 0 ? duration{1}
                            : std::chrono::seconds{std::min<std::int64_t>(time.tv_sec, a_century)} +
                                  std::chrono::microseconds{time.tv_usec};
    return 0;
}

answer socket::set_lingering(const void* value, socklen_t bytes) {
    linger wanted;
    if (bytes < sizeof wanted) return -EINVAL;
    if (value == nullptr) return -EFAULT;
    std::memcpy(&wanted, value, sizeof wanted);
    linger_.enabled = wanted.l_onoff != 0;
    if (linger_.enabled) linger_.seconds = std::clamp(wanted.l_linger, 0, 1 << 20);
    return 0;
}

answer socket::set_congestion(const void* value, socklen_t bytes) {
    if (bytes < 1) return -EINVAL;
    if (value == nullptr) return -EFAULT;
    std::string_view name{static_cast<const char*>(value), bytes};
    name = name.substr(0, name.find('\0'));
    for (const congestion_name& known : congestion_names) {
        if (known.name == name) {
            options_.congestion = known.algorithm;
            return 0;
        }
    }
    return -ENOENT;
}

// ---- asking

answer socket::get_option(int level, int name, void* value, socklen_t* bytes) {
    if (value == nullptr || bytes == nullptr) return -EFAULT;
    if (level == SOL_SOCKET && name == SO_LINGER) {
        const linger now{linger_.enabled ? 1 : 0, linger_.seconds};
        return write_value(&now, sizeof now, value, bytes);
    }
    if (level == SOL_SOCKET && (name == SO_RCVTIMEO || name == SO_SNDTIMEO)) {
        const duration limit = name == SO_RCVTIMEO ? receive_limit_ : send_limit_;
        const auto whole = std::chrono::duration_cast<std::chrono::seconds>(limit);
        const auto rest = std::chrono::duration_cast<std::chrono::microseconds>(limit - whole);
        const timeval time{whole.count(), rest.count()};
        return write_value(&time, sizeof time, value, bytes);
    }
    if (level == IPPROTO_TCP && name == TCP_INFO) {
        const tcp_info status = status_of(*this);
        return write_value(&status, sizeof status, value, bytes);
    }
    if (level == IPPROTO_TCP && name == TCP_CONGESTION) {
        std::array<char, longest_congestion_name> text{};
        for (const congestion_name& known : congestion_names) {
            if (known.algorithm == options_.congestion) std::ranges::copy(known.name, text.data());
        }
        return write_value(text.data(), text.size(), value, bytes);
    }
    if (level == IPPROTO_TCP && name == TCP_FASTOPEN_KEY) return get_fast_open_key(value, bytes);
    std::optional<int> number;
    if (level == SOL_SOCKET) number = socket_number(name);
    if (level == IPPROTO_TCP) number = tcp_number(name);
    if (level == IPPROTO_IP) number = ip_number(name);
    if (!number) return -ENOPROTOOPT;
    return write_value(&*number, sizeof *number, value, bytes);
}

std::optional<int> socket::socket_number(int name) {
    switch (name) {
        case SO_ERROR: return take_error();
        case SO_TYPE: return SOCK_STREAM;
        case SO_DOMAIN: return AF_INET;
        case SO_PROTOCOL: return IPPROTO_TCP;
        case SO_ACCEPTCONN: return listener_ != nullptr ? 1 : 0;
        case SO_REUSEADDR: return reuse_address_ ? 1 : 0;
        case SO_OOBINLINE: return urgent_inline_ ? 1 : 0;
        case SO_KEEPALIVE: return options_.keepalive.enabled ? 1 : 0;
        case SO_RCVLOWAT: return low_water_;
        case SO_RCVBUF:
            return to_int(2 * (connection_ != nullptr ? connection_->receive_limit()
                                                      : options_.receive_buffer_bytes));
        case SO_SNDBUF:
            return to_int(2 * (connection_ != nullptr ? connection_->send_limit()
                                                      : options_.send_buffer_bytes));
        default: return std::nullopt;
    }
}

std::optional<int> socket::tcp_number(int name) const {
    const auto seconds = [](duration d) {
        return static_cast<int>(std::chrono::duration_cast<std::chrono::seconds>(d).count());
    };
    const auto milliseconds = [](duration d) {
        return static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(d).count());
    };
    switch (name) {
        case TCP_NODELAY: return options_.no_delay ? 1 : 0;
        case TCP_CORK: return corked_ ? 1 : 0;
        case TCP_MAXSEG: return connection_ != nullptr ? static_cast<int>(connection_->mss()) : 536;
        case TCP_KEEPIDLE: return seconds(options_.keepalive.idle);
        case TCP_KEEPINTVL: return seconds(options_.keepalive.interval);
        case TCP_KEEPCNT: return options_.keepalive.probes;
        case TCP_USER_TIMEOUT: return milliseconds(options_.user_timeout);
        default: return fast_open_number(name);
    }
}

std::optional<int> socket::ip_number(int name) const {
    switch (name) {
        case IP_TOS: return options_.traffic_class;
        case IP_TTL:
            return options_.hop_limit != 0 ? options_.hop_limit : network_.options().tcp.hop_limit;
        case IP_MTU_DISCOVER: return IP_PMTUDISC_DO;
        case IP_MTU: return static_cast<int>(network_.options().mtu);
        default: return std::nullopt;
    }
}

answer socket::ioctl(unsigned long request, void* argument) {
    int count = 0;
    const bool has_text = connection_ != nullptr && !is_connecting();
    switch (request) {
        case FIONBIO:
            if (argument == nullptr) return -EFAULT;
            std::memcpy(&count, argument, sizeof count);
            non_blocking = count != 0;
            return 0;
        case SIOCINQ:  // FIONREAD is the same number
            if (listener_ != nullptr) return -EINVAL;
            if (has_text) count = to_int(next_read_bytes());
            break;
        case SIOCOUTQ:
        case SIOCOUTQNSD: {
            if (listener_ != nullptr) return -EINVAL;
            if (!has_text) break;
            const std::uint32_t unsent = connection_->queued_bytes() - connection_->sent_bytes();
            // The FIN counts until it is acknowledged, as in Linux.
            const bool has_fin = connection_->is_close_called() && !connection_->is_fin_acked();
            count = to_int(request == SIOCOUTQNSD ? unsent : connection_->queued_bytes()) +
                    (has_fin && request == SIOCOUTQ && !is_over() ? 1 : 0);
            break;
        }
        case SIOCATMARK:
            count = connection_ != nullptr && urgent_.is_at_mark(*connection_) ? 1 : 0;
            break;
        default: return -ENOTTY;
    }
    if (argument == nullptr) return -EFAULT;
    std::memcpy(argument, &count, sizeof count);
    return 0;
}

}  // namespace weft::net::posix
