#include "tap_setup.hpp"

// Weft's own stack is the client, on a TAP; the kernel is the server.

namespace weft::networks::test {
namespace {

using setup = tap_setup<stack_is::client>;

TEST_SUITE("networks.tap_client" * doctest::skip(!has_tap())) {
#include "./behaviours.inc"
}

}  // namespace
}  // namespace weft::networks::test
