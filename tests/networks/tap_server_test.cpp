#include "tap_setup.hpp"

// Weft's own stack is the server, on a TAP; the kernel is the client.

namespace weft::networks::test {
namespace {

using setup = tap_setup<stack_is::server>;

TEST_SUITE("networks.tap_server" * doctest::skip(!has_tap())) {
#include "./../networks/behaviours.inc"
}

}  // namespace
}  // namespace weft::networks::test
