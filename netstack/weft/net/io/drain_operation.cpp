#include <weft/net/io/drain_operation.hpp>
#include <weft/net/io/host.hpp>

namespace weft::net {

drain_operation::alarm::alarm(drain_operation& self) noexcept
    : timer_node{[](timer_node& node, instant) noexcept {
          static_cast<alarm&>(node).self_.host_.settle_later();
      }},
      self_{self} {}

void drain_operation::start(const environment&) noexcept {
    park(host_.scheduler_, stop_token{}, host_.draining_);
    host_.scheduler_.timers().arm(alarm_, deadline_);
    host_.settle_later();
}

}  // namespace weft::net
