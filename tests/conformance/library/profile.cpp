#include "profile.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>

namespace weft::conformance {
namespace {

using net::posix::network_options;
using std::chrono::milliseconds;

[[noreturn]] void reject(std::string_view key, std::string_view value, std::string_view wanted) {
    throw std::invalid_argument{std::string{key} + "=" + std::string{value} + ": want " +
                                std::string{wanted}};
}

std::optional<bool> to_switch(std::string_view value) {
    for (const std::string_view yes : {"1", "on", "yes", "true"}) {
        if (value == yes) return true;
    }
    for (const std::string_view no : {"0", "off", "no", "false"}) {
        if (value == no) return false;
    }
    return std::nullopt;
}

bool read_switch(std::string_view key, std::string_view value) {
    const auto is_on = to_switch(value);
    if (!is_on) reject(key, value, "on or off");
    return *is_on;
}

std::uint32_t read_number(std::string_view key, std::string_view value, std::uint32_t least,
                          std::uint32_t most) {
    std::uint32_t number = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    const bool is_number = error == std::errc{} && end == value.data() + value.size();
    if (!is_number || number < least || number > most) {
        reject(key, value,
               "a number from " + std::to_string(least) + " to " + std::to_string(most));
    }
    return number;
}

/// Milliseconds unless it says otherwise: 40, 40ms, 0.2s, 500us.
duration read_time(std::string_view key, std::string_view value, duration least, duration most) {
    double number = 0;
    const char* const stop = value.data() + value.size();
    const auto [end, error] = std::from_chars(value.data(), stop, number);
    const std::string_view unit{end, static_cast<std::size_t>(stop - end)};
    const double ns = unit == "s"                    ? 1e9
                      : unit == "us"                 ? 1e3
                      : unit.empty() || unit == "ms" ? 1e6
                                                     : 0;
    const auto shown = [](duration d) {
        return std::to_string(std::chrono::duration_cast<milliseconds>(d).count()) + "ms";
    };
    const std::string wanted = "a time from " + shown(least) + " to " + shown(most);
    if (error != std::errc{} || ns == 0 || !(number >= 0 && number * ns < 1e15)) {
        reject(key, value, wanted);
    }
    const duration time{static_cast<duration::rep>(std::llround(number * ns))};
    if (time < least || time > most) reject(key, value, wanted);
    return time;
}

/// An address; a port or the length of a prefix behind it say nothing that is needed here.
net::ipv4_address read_address(std::string_view key, std::string_view value) {
    const auto address = net::ipv4_address::parse(value.substr(0, value.find_first_of(":/")));
    if (!address || !address->is_unicast()) reject(key, value, "the IPv4 address of a host");
    return *address;
}

net::tcp::congestion_algorithm read_congestion(std::string_view key, std::string_view value) {
    using enum net::tcp::congestion_algorithm;
    if (value == "cubic") return cubic;
    if (value == "new_reno" || value == "newreno" || value == "reno") return new_reno;
    if (value == "bbr") return bbr;
    reject(key, value, "cubic, new_reno or bbr");
}

/// Off, on (as the buffer needs), or this shift. A shift of 1 can only be had by a buffer.
void set_window_scale(network_options& into, std::string_view key, std::string_view value) {
    if (const auto is_on = to_switch(value)) {
        into.tcp.window_scaling = *is_on;
        into.tcp.window_shift = net::tcp::config::shift_by_buffer;
        return;
    }
    into.tcp.window_scaling = true;
    into.tcp.window_shift = static_cast<std::uint8_t>(read_number(key, value, 2, 14));
}

/// A number as Linux's net.ipv4.tcp_fastopen has it, also in hexadecimal; bits that it does not
/// know are passed over, as by Linux.
void set_fast_open(network_options& into, std::string_view key, std::string_view value) {
    std::uint32_t bits = 0;
    if (const auto is_on = to_switch(value)) {
        bits = *is_on ? 0x403 : 0;
    } else if (value.starts_with("0x")) {
        const char* const stop = value.data() + value.size();
        const auto [end, error] = std::from_chars(value.data() + 2, stop, bits, 16);
        if (error != std::errc{} || end != stop) reject(key, value, "a number");
    } else {
        bits = read_number(key, value, 0, 0xffff'ffff);
    }
    net::posix::fast_open_policy& policy = into.fast_open;
    policy.client = (bits & 1) != 0;
    policy.server = (bits & 2) != 0;
    policy.client_cookieless = (bits & 4) != 0;
    policy.server_cookieless = (bits & 0x200) != 0;
    policy.every_listener = (bits & 0x400) != 0;
}

/// As Linux's net.ipv4.tcp_fastopen_key: four hexadecimal words; a second key behind a colon is the
/// one before.
net::tcp::hash_secret read_fast_open_key(std::string_view key, std::string_view value) {
    std::array<std::uint64_t, 4> words{};
    const char* at = value.data();
    const char* const stop = at + value.size();
    for (std::size_t i = 0; i < words.size(); ++i) {
        const auto [end, error] = std::from_chars(at, stop, words[i], 16);
        const bool is_last = i + 1 == words.size();
        const bool ends_well = is_last ? end == stop : end != stop && *end == '-';
        if (error != std::errc{} || words[i] > 0xffff'ffff || !ends_well) {
            reject(key, value, "four words in hexadecimal, as 1-2-3-4");
        }
        at = is_last ? end : end + 1;
    }
    return {words[1] << 32 | words[0], words[3] << 32 | words[2]};
}

void set_fast_open_key(network_options& into, std::string_view key, std::string_view value) {
    const std::size_t colon = value.find(':');
    net::tcp::fast_open_keys& keys = into.fast_open.keys.emplace();
    keys.current = read_fast_open_key(key, value.substr(0, colon));
    if (colon != std::string_view::npos) {
        keys.previous = read_fast_open_key(key, value.substr(colon + 1));
    }
}

void set_fast_open_pause(network_options& into, std::string_view key, std::string_view value) {
    into.tcp.fast_open_pause = read_time(key, value, duration::zero(), std::chrono::hours{24});
}

void set_delayed_ack(network_options& into, std::string_view key, std::string_view value) {
    if (const auto is_on = to_switch(value)) {
        into.tcp.delayed_ack = *is_on ? net::tcp::config{}.delayed_ack : duration::zero();
    } else {  // RFC 9293 MUST-40
        into.tcp.delayed_ack = read_time(key, value, duration::zero(), milliseconds{500});
    }
}

struct setting {
    std::string_view key;
    void (*apply)(network_options& into, std::string_view key, std::string_view value);
};

using text = std::string_view;
constexpr std::uint32_t most_buffer = 1U << 26;

constexpr auto settings = std::to_array<setting>({
    {"mtu", [](network_options& o, text k, text v) { o.mtu = read_number(k, v, 68, 65535); }},
    {"local", [](network_options& o, text k, text v) { o.address = read_address(k, v); }},
    {"remote", [](network_options&, text k, text v) { (void)read_address(k, v); }},
    {"sack", [](network_options& o, text k,
                text v) { o.tcp.selective_acknowledgment = read_switch(k, v); }},
    {"timestamps",
     [](network_options& o, text k, text v) { o.tcp.timestamps = read_switch(k, v); }},
    {"mtu_probing",
     [](network_options& o, text k, text v) {
         o.tcp.mtu_probing = read_switch(k, v) ? net::tcp::mtu_probing_mode::on_black_hole
                                               : net::tcp::mtu_probing_mode::off;
     }},
    {"ecn",
     [](network_options& o, text k, text v) {
         o.tcp.ecn = read_switch(k, v) ? net::tcp::ecn_mode::request : net::tcp::ecn_mode::off;
     }},
    {"tail_loss_probe",
     [](network_options& o, text k, text v) { o.tcp.tail_loss_probes = read_switch(k, v); }},
    {"window_scale", set_window_scale},
    {"receive_buffer",
     [](network_options& o, text k, text v) {
         o.connection.receive_buffer_bytes = read_number(k, v, 2048, most_buffer);
     }},
    {"send_buffer",
     [](network_options& o, text k, text v) {
         o.connection.send_buffer_bytes = read_number(k, v, 2048, most_buffer);
     }},
    {"initial_rto",
     [](network_options& o, text k, text v) {
         o.tcp.initial_rto = read_time(k, v, milliseconds{10}, std::chrono::seconds{60});
     }},
    {"min_rto",
     [](network_options& o, text k, text v) {
         o.tcp.min_rto = read_time(k, v, milliseconds{1}, std::chrono::seconds{60});
     }},
    {"msl",
     [](network_options& o, text k, text v) {
         o.tcp.max_segment_lifetime = read_time(k, v, milliseconds{1}, std::chrono::minutes{5});
     }},
    {"initial_window",
     [](network_options& o, text k, text v) {
         o.tcp.initial_window_segments = static_cast<std::uint8_t>(read_number(k, v, 1, 255));
     }},
    {"quick_acks",
     [](network_options& o, text k,
        text v) { o.tcp.quick_acks = static_cast<std::uint8_t>(read_number(k, v, 0, 255)); }},
    {"delayed_ack", set_delayed_ack},
    {"challenge_interval",
     [](network_options& o, text k, text v) {
         o.tcp.challenge_ack_interval =
             read_time(k, v, duration::zero(), std::chrono::seconds{60});
     }},
    {"fast_open", set_fast_open},
    {"fast_open_key", set_fast_open_key},
    {"fast_open_pause", set_fast_open_pause},
    {"congestion",
     [](network_options& o, text k, text v) { o.connection.congestion = read_congestion(k, v); }},
});

void apply(network_options& into, std::string_view word) {
    const std::size_t sign = word.find('=');
    const std::string_view key = word.substr(0, sign);
    const auto known =
        std::ranges::find_if(settings, [key](const setting& each) { return each.key == key; });
    if (known == settings.end()) {
        std::string keys;
        for (const setting& each : settings) keys += " " + std::string{each.key};
        throw std::invalid_argument{"no such key: " + std::string{key} + "; there are" + keys};
    }
    if (sign == std::string_view::npos) reject(key, "", "a value");
    known->apply(into, key, word.substr(sign + 1));
}

}  // namespace

network_options parse_profile(std::string_view text) {
    constexpr std::string_view separators = ",; \t\n";
    network_options options;
    // Scripts say what windows and segments they want to see: neither follows the path by itself.
    options.connection.send_buffer_bytes = 1U << 20;
    options.connection.receive_buffer_bytes = 1U << 20;
    options.tcp.mtu_probing = net::tcp::mtu_probing_mode::off;
    // Scripts provoke one answer after the other, and mean each.
    options.tcp.challenge_ack_interval = duration::zero();
    // What published scripts of Fast Open count on: every listener offers it, with this key, and
    // one failure does not stop it.
    set_fast_open(options, "fast_open", "on");
    set_fast_open_key(options, "fast_open_key", "a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4");
    options.tcp.fast_open_pause = duration::zero();
    while (true) {
        const std::size_t begin = text.find_first_not_of(separators);
        if (begin == std::string_view::npos) return options;
        text.remove_prefix(begin);
        const std::string_view word = text.substr(0, text.find_first_of(separators));
        apply(options, word);
        text.remove_prefix(word.size());
    }
}

}  // namespace weft::conformance
