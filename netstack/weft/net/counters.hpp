// What a stack has seen, sent, refused and why: one number for each reason, by name.
//
// Nothing here decides anything. The stack increments fields; `stack.counters()` and `--stats` read
// them through for_each(). The list of names below the struct cannot miss a field: its length is
// checked against the struct's size, and a test checks that no field stands in it twice.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace weft::net {

struct stack_counters {
    // Device and Ethernet
    std::uint64_t frames_received = 0;        ///< frames handed to on_frame
    std::uint64_t frames_sent = 0;            ///< frames taken from poll_frame
    std::uint64_t truncated_frames = 0;       ///< cut by the device: dropped unparsed
    std::uint64_t device_refused = 0;         ///< frames the device did not take (EAGAIN, EIO)
    std::uint64_t ethernet_too_short = 0;     ///< shorter than the Ethernet header
    std::uint64_t ethernet_unknown_type = 0;  ///< neither IPv4, ARP nor IPv6; VLAN tags too
    std::uint64_t ethernet_not_for_us = 0;    ///< for another unicast address

    // ARP and neighbours
    std::uint64_t arp_received = 0;            ///< well-formed packets
    std::uint64_t arp_malformed = 0;           ///< short, or not IPv4 over Ethernet
    std::uint64_t arp_conflict = 0;            ///< the sender claims an address of ours
    std::uint64_t arp_bad_sender = 0;          ///< group or zero MAC, or no host's IP, as sender
    std::uint64_t arp_requests_sent = 0;       ///< by us, first ones and retries
    std::uint64_t arp_replies_sent = 0;        ///< by us, to requests for our addresses
    std::uint64_t neighbor_unresolved = 0;     ///< next hops given up after the last retry
    std::uint64_t neighbor_evicted = 0;        ///< entries displaced by newer ones
    std::uint64_t neighbor_queue_dropped = 0;  ///< packets whose next hop had too many waiting
    std::uint64_t reply_queue_dropped = 0;     ///< stateless replies beyond the queue's bound

    // IPv4
    std::uint64_t ipv4_received = 0;           ///< well-formed packets
    std::uint64_t ipv4_too_short = 0;          ///< fewer than 20 bytes
    std::uint64_t ipv4_bad_version = 0;        ///< the version is not 4
    std::uint64_t ipv4_bad_header_length = 0;  ///< IHL below 5 or beyond the frame
    std::uint64_t ipv4_bad_total_length = 0;   ///< below the header or beyond the frame
    std::uint64_t ipv4_bad_checksum = 0;       ///< of the header
    std::uint64_t ipv4_bad_options = 0;        ///< an option's length is illegal
    std::uint64_t ipv4_bad_source = 0;         ///< the source is no host's address, or is ours
    std::uint64_t ipv4_not_for_us = 0;         ///< for another host: hosts do not forward
    std::uint64_t ipv4_unknown_protocol = 0;   ///< no such transport here
    std::uint64_t ipv4_no_route = 0;           ///< packets of ours that had nowhere to go

    // Reassembly
    std::uint64_t fragments_received = 0;     ///< well-formed fragments
    std::uint64_t fragments_malformed = 0;    ///< lengths that cannot be of one datagram
    std::uint64_t fragments_overlapping = 0;  ///< overlaps: the whole datagram is dropped
    std::uint64_t fragments_timed_out = 0;    ///< datagrams given up incomplete
    std::uint64_t fragments_over_limit = 0;   ///< datagrams given up for want of room
    std::uint64_t datagrams_reassembled = 0;  ///< completed

    // ICMP
    std::uint64_t icmp_received = 0;         ///< well-formed messages
    std::uint64_t icmp_bad_checksum = 0;     ///< wrong sum
    std::uint64_t icmp_malformed = 0;        ///< short, or an error with a short quotation
    std::uint64_t icmp_unknown_type = 0;     ///< types we do not know
    std::uint64_t icmp_source_quench = 0;    ///< dropped unread (RFC 6633)
    std::uint64_t icmp_redirect = 0;         ///< dropped unread: we do not follow redirects
    std::uint64_t icmp_error_unmatched = 0;  ///< errors about nothing that we sent
    std::uint64_t icmp_error_delivered = 0;  ///< errors handed to a transport
    std::uint64_t icmp_mtu_ignored = 0;      ///< about sizes that nothing of ours has
    std::uint64_t icmp_mtu_deferred = 0;     ///< believed only if the packet times out
    std::uint64_t icmp_echo_replied = 0;     ///< answers to pings
    std::uint64_t icmp_errors_sent = 0;      ///< errors of ours
    std::uint64_t icmp_errors_limited = 0;   ///< errors not sent, by the rate limit

    // TCP: totals
    // Segments are counted as on the wire: a frame that a device cuts, or has put together, is
    // many.
    std::uint64_t tcp_segments_received = 0;         ///< including bad ones
    std::uint64_t tcp_segments_sent = 0;             ///< including retransmissions and resets
    std::uint64_t tcp_bytes_received = 0;            ///< of text, in order, delivered once
    std::uint64_t tcp_bytes_sent = 0;                ///< of text, without retransmissions
    std::uint64_t tcp_active_opens = 0;              ///< CLOSED → SYN-SENT
    std::uint64_t tcp_passive_opens = 0;             ///< LISTEN → SYN-RECEIVED
    std::uint64_t tcp_attempt_fails = 0;             ///< handshakes that ended in CLOSED or LISTEN
    std::uint64_t tcp_established_resets = 0;        ///< ESTABLISHED or CLOSE-WAIT → CLOSED
    std::uint64_t tcp_current_established = 0;       ///< a gauge: in ESTABLISHED or CLOSE-WAIT now
    std::uint64_t tcp_resets_sent = 0;               ///< segments with RST
    std::uint64_t tcp_resets_received = 0;           ///< acceptable ones
    std::uint64_t tcp_retransmitted_segments = 0;    ///< segments with text or a flag sent again
    std::uint64_t tcp_timeouts = 0;                  ///< retransmission timer expiries
    std::uint64_t tcp_fast_retransmits = 0;          ///< recoveries begun without a timeout
    std::uint64_t tcp_sack_recoveries = 0;           ///< of these, with SACK
    std::uint64_t tcp_lost_retransmissions = 0;      ///< found lost again without a timeout (RACK)
    std::uint64_t tcp_tail_probes = 0;               ///< tail loss probes sent (RFC 8985 §7)
    std::uint64_t tcp_tail_probe_repairs = 0;        ///< losses that a probe itself repaired
    std::uint64_t tcp_spurious_recoveries = 0;       ///< fast recoveries undone
    std::uint64_t tcp_spurious_timeouts = 0;         ///< timeouts undone (RFC 5682, RFC 3522)
    std::uint64_t tcp_duplicate_sacks_received = 0;  ///< D-SACK blocks (RFC 2883)
    std::uint64_t tcp_sack_blocks_rejected = 0;      ///< of what was never sent
    std::uint64_t tcp_sacks_reneged = 0;             ///< peers that took back what they held
    std::uint64_t tcp_ecn_marks_received = 0;        ///< segments with text marked CE (RFC 3168)
    std::uint64_t tcp_ecn_reductions = 0;            ///< windows reduced because the peer echoed
    std::uint64_t tcp_zero_window_probes = 0;        ///< persist timer expiries
    std::uint64_t tcp_keepalives_sent = 0;           ///< keep-alive probes
    std::uint64_t tcp_path_mtu_reduced = 0;          ///< by a router's word, or for a black hole
    std::uint64_t tcp_path_mtu_black_holes = 0;      ///< large packets that vanish without a word
    std::uint64_t tcp_mtu_probes_sent = 0;           ///< segments larger than the others (RFC 4821)
    std::uint64_t tcp_mtu_probes_lost = 0;           ///< of these
    std::uint64_t tcp_user_timeouts = 0;             ///< connections given up (R2, user timeout)

    // TCP: what was dropped or answered, and why
    std::uint64_t tcp_too_short = 0;               ///< fewer than 20 bytes
    std::uint64_t tcp_bad_checksum = 0;            ///< wrong sum
    std::uint64_t tcp_bad_data_offset = 0;         ///< below 5 words or beyond the segment
    std::uint64_t tcp_bad_options = 0;             ///< an option's length is illegal
    std::uint64_t tcp_bad_address = 0;             ///< to or from a broadcast or group address
    std::uint64_t tcp_no_connection = 0;           ///< for no connection and no listener
    std::uint64_t tcp_out_of_window = 0;           ///< not acceptable by RFC 9293 §3.10.7.4
    std::uint64_t tcp_paws_rejected = 0;           ///< old timestamps (RFC 7323 §5)
    std::uint64_t tcp_bad_acknowledgments = 0;     ///< acknowledge what was never sent
    std::uint64_t tcp_challenge_acks = 0;          ///< sent (RFC 5961)
    std::uint64_t tcp_challenge_acks_limited = 0;  ///< not sent, by the rate limit
    std::uint64_t tcp_backlog_overflow = 0;        ///< handshakes with no room to be accepted
    std::uint64_t tcp_syn_dropped = 0;             ///< SYNs not taken by a listener
    std::uint64_t tcp_syn_cookies_sent = 0;        ///< SYN,ACKs without a record (RFC 4987)
    std::uint64_t tcp_syn_cookies_received = 0;    ///< connections made of a cookie
    std::uint64_t tcp_syn_cookies_invalid = 0;     ///< ACKs to a listener that prove no cookie
    std::uint64_t tcp_duplicate_segments = 0;      ///< text that had arrived already
    std::uint64_t tcp_out_of_order_segments = 0;   ///< text kept behind a gap
    std::uint64_t tcp_out_of_order_dropped = 0;    ///< text behind a gap not kept
    std::uint64_t tcp_memory_dropped = 0;          ///< segments beyond the memory limit
    std::uint64_t tcp_memory_refused = 0;          ///< SYNs, handshakes and opens likewise
    std::uint64_t tcp_orphans_killed = 0;          ///< orphans beyond their limit
    std::uint64_t tcp_time_wait_displaced = 0;     ///< TIME-WAIT records cut short

    // TCP Fast Open (RFC 7413)
    std::uint64_t tcp_fast_open_cookie_requests = 0;  ///< SYNs to a listener that asked for one
    std::uint64_t tcp_fast_open_passive = 0;          ///< SYNs taken with their text
    std::uint64_t tcp_fast_open_passive_failed = 0;   ///< SYNs whose cookie proves nothing
    std::uint64_t tcp_fast_open_previous_key = 0;     ///< cookies of the key before the current one
    std::uint64_t tcp_fast_open_overflow = 0;         ///< SYNs not taken: too many are pending
    std::uint64_t tcp_fast_open_active = 0;           ///< SYNs of ours whose text was taken
    std::uint64_t tcp_fast_open_active_failed = 0;    ///< SYNs of ours whose text was not
    std::uint64_t tcp_fast_open_paused = 0;           ///< not tried: it had not worked before

    // Several stacks with one address
    std::uint64_t shard_passed_on = 0;   ///< packets copied to the shard that they belong to
    std::uint64_t shard_refused = 0;     ///< packets dropped on that way, for want of room
    std::uint64_t shard_taken_over = 0;  ///< packets that another shard had received

    // UDP
    std::uint64_t udp_received = 0;        ///< datagrams queued for their socket
    std::uint64_t udp_sent = 0;            ///< datagrams, whole
    std::uint64_t udp_not_sent = 0;        ///< datagrams of ours that had nowhere to go
    std::uint64_t udp_malformed = 0;       ///< short, or a length that cannot be
    std::uint64_t udp_bad_checksum = 0;    ///< wrong sum
    std::uint64_t udp_bad_address = 0;     ///< to one host, in a frame to a group
    std::uint64_t udp_queue_overflow = 0;  ///< more than their socket's receive buffer holds
    std::uint64_t udp_memory_dropped = 0;  ///< beyond the memory limit
    std::uint64_t udp_no_port = 0;         ///< for no socket

    /// Calls f(std::string_view name, std::uint64_t value) for each counter, in the order above.
    template <class Function>
    void for_each(Function&& f) const;
};

/// One counter's name and place.
struct counter_field {
    std::string_view name;
    std::uint64_t stack_counters::* field;
};

/// Every field of stack_counters, once.
inline constexpr auto counter_fields = std::to_array<counter_field>({
    {"frames_received", &stack_counters::frames_received},
    {"frames_sent", &stack_counters::frames_sent},
    {"truncated_frames", &stack_counters::truncated_frames},
    {"device_refused", &stack_counters::device_refused},
    {"ethernet_too_short", &stack_counters::ethernet_too_short},
    {"ethernet_unknown_type", &stack_counters::ethernet_unknown_type},
    {"ethernet_not_for_us", &stack_counters::ethernet_not_for_us},
    {"arp_received", &stack_counters::arp_received},
    {"arp_malformed", &stack_counters::arp_malformed},
    {"arp_conflict", &stack_counters::arp_conflict},
    {"arp_bad_sender", &stack_counters::arp_bad_sender},
    {"arp_requests_sent", &stack_counters::arp_requests_sent},
    {"arp_replies_sent", &stack_counters::arp_replies_sent},
    {"neighbor_unresolved", &stack_counters::neighbor_unresolved},
    {"neighbor_evicted", &stack_counters::neighbor_evicted},
    {"neighbor_queue_dropped", &stack_counters::neighbor_queue_dropped},
    {"reply_queue_dropped", &stack_counters::reply_queue_dropped},
    {"ipv4_received", &stack_counters::ipv4_received},
    {"ipv4_too_short", &stack_counters::ipv4_too_short},
    {"ipv4_bad_version", &stack_counters::ipv4_bad_version},
    {"ipv4_bad_header_length", &stack_counters::ipv4_bad_header_length},
    {"ipv4_bad_total_length", &stack_counters::ipv4_bad_total_length},
    {"ipv4_bad_checksum", &stack_counters::ipv4_bad_checksum},
    {"ipv4_bad_options", &stack_counters::ipv4_bad_options},
    {"ipv4_bad_source", &stack_counters::ipv4_bad_source},
    {"ipv4_not_for_us", &stack_counters::ipv4_not_for_us},
    {"ipv4_unknown_protocol", &stack_counters::ipv4_unknown_protocol},
    {"ipv4_no_route", &stack_counters::ipv4_no_route},
    {"fragments_received", &stack_counters::fragments_received},
    {"fragments_malformed", &stack_counters::fragments_malformed},
    {"fragments_overlapping", &stack_counters::fragments_overlapping},
    {"fragments_timed_out", &stack_counters::fragments_timed_out},
    {"fragments_over_limit", &stack_counters::fragments_over_limit},
    {"datagrams_reassembled", &stack_counters::datagrams_reassembled},
    {"icmp_received", &stack_counters::icmp_received},
    {"icmp_bad_checksum", &stack_counters::icmp_bad_checksum},
    {"icmp_malformed", &stack_counters::icmp_malformed},
    {"icmp_unknown_type", &stack_counters::icmp_unknown_type},
    {"icmp_source_quench", &stack_counters::icmp_source_quench},
    {"icmp_redirect", &stack_counters::icmp_redirect},
    {"icmp_error_unmatched", &stack_counters::icmp_error_unmatched},
    {"icmp_error_delivered", &stack_counters::icmp_error_delivered},
    {"icmp_mtu_ignored", &stack_counters::icmp_mtu_ignored},
    {"icmp_mtu_deferred", &stack_counters::icmp_mtu_deferred},
    {"icmp_echo_replied", &stack_counters::icmp_echo_replied},
    {"icmp_errors_sent", &stack_counters::icmp_errors_sent},
    {"icmp_errors_limited", &stack_counters::icmp_errors_limited},
    {"tcp_segments_received", &stack_counters::tcp_segments_received},
    {"tcp_segments_sent", &stack_counters::tcp_segments_sent},
    {"tcp_bytes_received", &stack_counters::tcp_bytes_received},
    {"tcp_bytes_sent", &stack_counters::tcp_bytes_sent},
    {"tcp_active_opens", &stack_counters::tcp_active_opens},
    {"tcp_passive_opens", &stack_counters::tcp_passive_opens},
    {"tcp_attempt_fails", &stack_counters::tcp_attempt_fails},
    {"tcp_established_resets", &stack_counters::tcp_established_resets},
    {"tcp_current_established", &stack_counters::tcp_current_established},
    {"tcp_resets_sent", &stack_counters::tcp_resets_sent},
    {"tcp_resets_received", &stack_counters::tcp_resets_received},
    {"tcp_retransmitted_segments", &stack_counters::tcp_retransmitted_segments},
    {"tcp_timeouts", &stack_counters::tcp_timeouts},
    {"tcp_fast_retransmits", &stack_counters::tcp_fast_retransmits},
    {"tcp_sack_recoveries", &stack_counters::tcp_sack_recoveries},
    {"tcp_lost_retransmissions", &stack_counters::tcp_lost_retransmissions},
    {"tcp_tail_probes", &stack_counters::tcp_tail_probes},
    {"tcp_tail_probe_repairs", &stack_counters::tcp_tail_probe_repairs},
    {"tcp_spurious_recoveries", &stack_counters::tcp_spurious_recoveries},
    {"tcp_spurious_timeouts", &stack_counters::tcp_spurious_timeouts},
    {"tcp_duplicate_sacks_received", &stack_counters::tcp_duplicate_sacks_received},
    {"tcp_sack_blocks_rejected", &stack_counters::tcp_sack_blocks_rejected},
    {"tcp_sacks_reneged", &stack_counters::tcp_sacks_reneged},
    {"tcp_ecn_marks_received", &stack_counters::tcp_ecn_marks_received},
    {"tcp_ecn_reductions", &stack_counters::tcp_ecn_reductions},
    {"tcp_zero_window_probes", &stack_counters::tcp_zero_window_probes},
    {"tcp_keepalives_sent", &stack_counters::tcp_keepalives_sent},
    {"tcp_path_mtu_reduced", &stack_counters::tcp_path_mtu_reduced},
    {"tcp_path_mtu_black_holes", &stack_counters::tcp_path_mtu_black_holes},
    {"tcp_mtu_probes_sent", &stack_counters::tcp_mtu_probes_sent},
    {"tcp_mtu_probes_lost", &stack_counters::tcp_mtu_probes_lost},
    {"tcp_user_timeouts", &stack_counters::tcp_user_timeouts},
    {"tcp_too_short", &stack_counters::tcp_too_short},
    {"tcp_bad_checksum", &stack_counters::tcp_bad_checksum},
    {"tcp_bad_data_offset", &stack_counters::tcp_bad_data_offset},
    {"tcp_bad_options", &stack_counters::tcp_bad_options},
    {"tcp_bad_address", &stack_counters::tcp_bad_address},
    {"tcp_no_connection", &stack_counters::tcp_no_connection},
    {"tcp_out_of_window", &stack_counters::tcp_out_of_window},
    {"tcp_paws_rejected", &stack_counters::tcp_paws_rejected},
    {"tcp_bad_acknowledgments", &stack_counters::tcp_bad_acknowledgments},
    {"tcp_challenge_acks", &stack_counters::tcp_challenge_acks},
    {"tcp_challenge_acks_limited", &stack_counters::tcp_challenge_acks_limited},
    {"tcp_backlog_overflow", &stack_counters::tcp_backlog_overflow},
    {"tcp_syn_dropped", &stack_counters::tcp_syn_dropped},
    {"tcp_syn_cookies_sent", &stack_counters::tcp_syn_cookies_sent},
    {"tcp_syn_cookies_received", &stack_counters::tcp_syn_cookies_received},
    {"tcp_syn_cookies_invalid", &stack_counters::tcp_syn_cookies_invalid},
    {"tcp_duplicate_segments", &stack_counters::tcp_duplicate_segments},
    {"tcp_out_of_order_segments", &stack_counters::tcp_out_of_order_segments},
    {"tcp_out_of_order_dropped", &stack_counters::tcp_out_of_order_dropped},
    {"tcp_memory_dropped", &stack_counters::tcp_memory_dropped},
    {"tcp_memory_refused", &stack_counters::tcp_memory_refused},
    {"tcp_orphans_killed", &stack_counters::tcp_orphans_killed},
    {"tcp_time_wait_displaced", &stack_counters::tcp_time_wait_displaced},
    {"tcp_fast_open_cookie_requests", &stack_counters::tcp_fast_open_cookie_requests},
    {"tcp_fast_open_passive", &stack_counters::tcp_fast_open_passive},
    {"tcp_fast_open_passive_failed", &stack_counters::tcp_fast_open_passive_failed},
    {"tcp_fast_open_previous_key", &stack_counters::tcp_fast_open_previous_key},
    {"tcp_fast_open_overflow", &stack_counters::tcp_fast_open_overflow},
    {"tcp_fast_open_active", &stack_counters::tcp_fast_open_active},
    {"tcp_fast_open_active_failed", &stack_counters::tcp_fast_open_active_failed},
    {"tcp_fast_open_paused", &stack_counters::tcp_fast_open_paused},
    {"shard_passed_on", &stack_counters::shard_passed_on},
    {"shard_refused", &stack_counters::shard_refused},
    {"shard_taken_over", &stack_counters::shard_taken_over},
    {"udp_received", &stack_counters::udp_received},
    {"udp_sent", &stack_counters::udp_sent},
    {"udp_not_sent", &stack_counters::udp_not_sent},
    {"udp_malformed", &stack_counters::udp_malformed},
    {"udp_bad_checksum", &stack_counters::udp_bad_checksum},
    {"udp_bad_address", &stack_counters::udp_bad_address},
    {"udp_queue_overflow", &stack_counters::udp_queue_overflow},
    {"udp_memory_dropped", &stack_counters::udp_memory_dropped},
    {"udp_no_port", &stack_counters::udp_no_port},
});

static_assert(counter_fields.size() * sizeof(std::uint64_t) == sizeof(stack_counters),
              "a counter is missing from counter_fields");

template <class Function>
void stack_counters::for_each(Function&& f) const {
    for (const counter_field& counter : counter_fields) {
        f(counter.name, this->*counter.field);
    }
}

}  // namespace weft::net
