#pragma once
// Connections that carry as much as they can for a while, on one wire: what the sweep and the
// fairness run measure. The bytes are not looked at.

#include "two_hosts.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace weft::sim::test {

struct bulk_settings {
    std::uint64_t seed = 1;
    net::link_options up = {};    ///< with the data
    net::link_options down = {};  ///< with the acknowledgments
    net::tcp::connection_options options = {};
    host_settings hosts = {};
    std::uint32_t flows = 1;
    duration starts_within = duration::zero();  ///< flow i starts at a random time in this span
    duration warm_up = duration::zero();        ///< not measured
    duration measured = std::chrono::seconds{10};
};

/// Bytes that each flow's receiver read in the measured time.
[[nodiscard]] std::vector<std::uint64_t> run_bulk(const bulk_settings& settings);

/// Payload bytes in a time, as a share of a line's rate: 1 is a line that carried nothing else.
[[nodiscard]] double share_of_line(std::uint64_t bytes, duration in, std::uint64_t bits_per_second);

/// (sum x)² / (n · sum x²): 1 when all are equal, 1/n when one has everything (Jain, Chiu and Hawe
/// 1984).
[[nodiscard]] double jain_index(const std::vector<std::uint64_t>& shares);

/// A number, or a word, for a table: at the right of `width` columns.
[[nodiscard]] std::string column(double value, int width, int digits = 0);
[[nodiscard]] std::string column(std::string_view text, std::size_t width);

}  // namespace weft::sim::test
