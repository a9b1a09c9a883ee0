#pragma once
// Pseudo-random numbers for simulated links: those of weft/base/random_source.hpp, under the name
// they have here.

#include <weft/base/random_source.hpp>

namespace weft::net {

using weft::random_source;

}  // namespace weft::net
