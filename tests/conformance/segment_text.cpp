#include "segment_text.hpp"

#include <charconv>
#include <sstream>
#include <stdexcept>

namespace weft::conformance {
namespace {

constexpr std::string_view flag_letters = "FSRP.UEW";
constexpr std::size_t ip_bytes = 20;
constexpr std::size_t tcp_bytes = 20;

void put(std::vector<std::byte>& into, std::uint32_t value, int bytes) {
    for (int i = bytes - 1; i >= 0; --i) into.push_back(static_cast<std::byte>(value >> (8 * i)));
}

void overwrite16(std::vector<std::byte>& in, std::size_t at, std::uint16_t value) {
    in[at] = static_cast<std::byte>(value >> 8);
    in[at + 1] = static_cast<std::byte>(value);
}

std::uint32_t get(std::span<const std::byte> from, std::size_t at, int bytes) {
    std::uint32_t value = 0;
    for (int i = 0; i < bytes; ++i) {
        value = value << 8 | std::to_integer<std::uint32_t>(from[at + static_cast<std::size_t>(i)]);
    }
    return value;
}

std::uint32_t number(std::string_view text) {
    std::uint32_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) {
        throw std::invalid_argument{"not a number: " + std::string{text}};
    }
    return value;
}

std::vector<std::string> split(std::string_view text, char at) {
    std::vector<std::string> parts;
    std::istringstream in{std::string{text}};
    for (std::string part; std::getline(in, part, at);) {
        if (!part.empty()) parts.push_back(part);
    }
    return parts;
}

/// A Fast Open cookie, in hexadecimal.
void put_cookie(std::vector<std::byte>& into, const std::string& cookie) {
    put(into, 34, 1);
    put(into, static_cast<std::uint32_t>(2 + cookie.size() / 2), 1);
    for (std::size_t i = 0; i + 1 < cookie.size(); i += 2) {
        put(into, static_cast<std::uint32_t>(std::stoul(cookie.substr(i, 2), nullptr, 16)), 1);
    }
}

std::string cookie_text(std::span<const std::byte> cookie) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text = cookie.empty() ? "FO" : "FO ";
    for (const std::byte b : cookie) {
        text += digits[std::to_integer<std::size_t>(b >> 4)];
        text += digits[std::to_integer<std::size_t>(b & std::byte{15})];
    }
    return text;
}

/// "mss 1460" and the like as bytes.
void put_option(std::vector<std::byte>& into, const std::string& text, const origins& o) {
    const std::vector<std::string> words = split(text, ' ');
    const std::string& name = words.at(0);
    if (name == "nop") return put(into, 1, 1);
    if (name == "eol") return put(into, 0, 1);
    if (name == "mss") return put(into, 0x0204'0000 | number(words.at(1)), 4);
    if (name == "sackOK") return put(into, 0x0402, 2);
    if (name == "FO") return put_cookie(into, words.size() > 1 ? words[1] : "");
    if (name == "wscale") return put(into, 0x03'0300 | number(words.at(1)), 3);
    if (name == "TS") {  // TS val 1 ecr 2
        put(into, 0x080a, 2);
        put(into, number(words.at(2)), 4);
        return put(into, number(words.at(4)), 4);
    }
    if (name == "sack") {  // our numbers: what the peer has of us
        put(into, 5, 1);
        put(into, static_cast<std::uint32_t>(2 + 8 * (words.size() - 1)), 1);
        for (std::size_t i = 1; i < words.size(); ++i) {
            const std::size_t colon = words[i].find(':');
            put(into, number(words[i].substr(0, colon)) + o.ours, 4);
            put(into, number(words[i].substr(colon + 1)) + o.ours, 4);
        }
        return;
    }
    throw std::invalid_argument{"no such option: " + text};
}

/// The other way round, for a packet of the side under test.
std::string option_text(std::span<const std::byte> list, const origins& o, parsed_packet& into) {
    std::string text;
    const auto add = [&text](const std::string& each) { text += (text.empty() ? "" : ",") + each; };
    for (std::size_t at = 0; at < list.size();) {
        const std::uint32_t kind = get(list, at, 1);
        if (kind <= 1) {
            add(kind == 0 ? "eol" : "nop");
            ++at;
            continue;
        }
        const std::size_t size = at + 1 < list.size() ? get(list, at + 1, 1) : 0;
        if (size < 2 || at + size > list.size()) {
            into.problem = "an option of a wrong length";
            return text;
        }
        if (kind == 2 && size == 4) add("mss " + std::to_string(get(list, at + 2, 2)));
        if (kind == 3 && size == 3) add("wscale " + std::to_string(get(list, at + 2, 1)));
        if (kind == 4 && size == 2) add("sackOK");
        if (kind == 5) {
            std::string blocks = "sack";
            for (std::size_t b = at + 2; b + 8 <= at + size; b += 8) {
                blocks += " " + std::to_string(get(list, b, 4) - o.peers) + ":" +
                          std::to_string(get(list, b + 4, 4) - o.peers);
            }
            add(blocks);
        }
        if (kind == 8 && size == 10) {
            into.timestamp = get(list, at + 2, 4);
            add("TS ecr " + std::to_string(get(list, at + 6, 4)));
        }
        if (kind == 34) {
            add(cookie_text(list.subspan(at + 2, size - 2)));
        } else if (kind > 8 || kind == 6 || kind == 7) {
            add("kind " + std::to_string(kind));
        }
        at += size;
    }
    return text;
}

std::uint32_t pseudo_sum(std::span<const std::byte> ip, std::size_t payload) {
    return get(ip, 12, 2) + get(ip, 14, 2) + get(ip, 16, 2) + get(ip, 18, 2) + get(ip, 9, 1) +
           static_cast<std::uint32_t>(payload);
}

}  // namespace

std::uint16_t internet_checksum(std::span<const std::byte> bytes, std::uint32_t initial) {
    std::uint64_t sum = initial;
    for (std::size_t i = 0; i < bytes.size(); i += 2) {
        sum += get(bytes, i, 1) << 8;
        if (i + 1 < bytes.size()) sum += get(bytes, i + 1, 1);
    }
    while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<std::uint16_t>(~sum);
}

text_segment parse_segment(std::string_view text) {
    text_segment s;
    if (const std::size_t open = text.find('<'); open != std::string_view::npos) {
        s.options = std::string{text.substr(open + 1, text.find('>') - open - 1)};
        text = text.substr(0, open);
    }
    const std::vector<std::string> words = split(text, ' ');
    s.flags = words.at(0);
    const std::string& numbers = words.at(1);
    const std::size_t plus = numbers.find('+');
    s.seq = number(std::string_view{numbers}.substr(0, plus));
    if (plus != std::string::npos) s.size = number(std::string_view{numbers}.substr(plus + 1));
    for (std::size_t i = 2; i + 1 < words.size(); i += 2) {
        const std::uint32_t value = number(words[i + 1]);
        if (words[i] == "ack") s.ack = value;
        if (words[i] == "win") s.window = value;
        if (words[i] == "urg") s.urgent = value;
    }
    return s;
}

std::string to_string(const text_segment& s) {
    std::string text = s.flags + " " + std::to_string(s.seq);
    if (s.size != 0) text += "+" + std::to_string(s.size);
    if (s.ack) text += " ack " + std::to_string(*s.ack);
    if (s.window) text += " win " + std::to_string(*s.window);
    if (s.urgent) text += " urg " + std::to_string(*s.urgent);
    if (s.options) text += " <" + *s.options + ">";
    return text;
}

std::vector<std::byte> to_packet(const text_segment& s, const ends& e, const origins& o,
                                 std::uint8_t traffic_class) {
    std::vector<std::byte> options;
    for (const std::string& each : split(s.options.value_or(""), ',')) {
        put_option(options, each, o);
    }
    if (options.size() % 4 != 0) throw std::invalid_argument{"options do not fill their words"};
    std::uint32_t flags = 0;
    for (const char letter : s.flags) flags |= 1U << flag_letters.find(letter);

    std::vector<std::byte> p;
    const std::size_t size = ip_bytes + tcp_bytes + options.size() + s.size;
    put(p, 0x4500'0000 | std::uint32_t{traffic_class} << 16 | static_cast<std::uint32_t>(size), 4);
    put(p, 0x0000'4000, 4);
    put(p, 0x4006'0000, 4);
    put(p, e.remote_address, 4);
    put(p, e.local_address, 4);
    overwrite16(p, 10, internet_checksum(p));
    put(p, e.remote_port, 2);
    put(p, e.local_port, 2);
    put(p, s.seq + o.peers, 4);
    put(p, s.ack ? *s.ack + o.ours : 0, 4);
    put(p, static_cast<std::uint32_t>((tcp_bytes + options.size()) / 4 * 16), 1);
    put(p, flags, 1);
    put(p, s.window.value_or(65535), 2);
    put(p, 0, 2);
    put(p, s.urgent.value_or(0), 2);
    p.insert(p.end(), options.begin(), options.end());
    p.resize(size);
    overwrite16(p, ip_bytes + 16,
                internet_checksum(std::span{p}.subspan(ip_bytes), pseudo_sum(p, size - ip_bytes)));
    return p;
}

parsed_packet parse_packet(std::span<const std::byte> packet, const origins& o) {
    parsed_packet result;
    if (packet.size() < ip_bytes || get(packet, 0, 1) != 0x45 ||
        get(packet, 2, 2) != packet.size() || internet_checksum(packet.first(ip_bytes)) != 0) {
        result.problem = "not an IPv4 packet of its length and checksum";
        return result;
    }
    result.protocol = static_cast<std::uint8_t>(get(packet, 9, 1));
    result.traffic_class = static_cast<std::uint8_t>(get(packet, 1, 1));
    if (result.protocol != 6) return result;
    const auto tcp = packet.subspan(ip_bytes);
    const std::size_t header = tcp.size() < tcp_bytes ? 0 : get(tcp, 12, 1) / 16 * 4;
    if (header < tcp_bytes || header > tcp.size() ||
        internet_checksum(tcp, pseudo_sum(packet, tcp.size())) != 0) {
        result.problem = "not a TCP segment of its length and checksum";
        return result;
    }
    if ((get(tcp, 12, 1) & 0xf) != 0) result.problem = "reserved bits";
    result.from = {get(packet, 12, 4), get(packet, 16, 4),
                   static_cast<std::uint16_t>(get(tcp, 0, 2)),
                   static_cast<std::uint16_t>(get(tcp, 2, 2))};
    result.raw_seq = get(tcp, 4, 4);
    text_segment& s = result.segment;
    const std::uint32_t flags = get(tcp, 13, 1);
    for (std::size_t i = 0; i < flag_letters.size(); ++i) {
        if ((flags >> i & 1U) != 0) s.flags += flag_letters[i];
    }
    s.seq = result.raw_seq - o.ours;
    s.size = static_cast<std::uint32_t>(tcp.size() - header);
    if ((flags & 0x10U) != 0) {
        s.ack = get(tcp, 8, 4) - o.peers;
    } else if (get(tcp, 8, 4) != 0) {
        result.problem = "an acknowledgment number without ACK";
    }
    s.window = get(tcp, 14, 2);
    s.urgent = get(tcp, 18, 2);
    s.options = option_text(tcp.subspan(tcp_bytes, header - tcp_bytes), o, result);
    return result;
}

}  // namespace weft::conformance
