#include "invariant_watch.hpp"

namespace weft::sim::test {

invariant_watch::invariant_watch(std::initializer_list<net::host*> hosts, net::observer* next)
    : hosts_{hosts}, next_{next} {
    for (net::host* each : hosts_) each->observe(this);
}

invariant_watch::~invariant_watch() {
    for (net::host* each : hosts_) each->observe(next_);
}

void invariant_watch::on_transition(const net::transition_event& event) {
    hosts_.front()->scheduler().settle_later(*this);
    if (next_ != nullptr) next_->on_transition(event);
}

void invariant_watch::on_segment(const net::segment_event& event) {
    hosts_.front()->scheduler().settle_later(*this);
    if (next_ != nullptr) next_->on_segment(event);
}

void invariant_watch::check(instant now) {
    for (net::host* each : hosts_) {
        each->stack().tcp().for_each_connection([&](const net::tcp::connection& c) {
            ++checks_;
            std::string_view wrong = c.violated_invariant();
            if (wrong.empty() && c.bytes_in_flight() > c.unacked_bytes()) {
                wrong = "more is in flight than was sent";
            }
            if (wrong.empty() || !violation_.empty()) return;
            violation_ = c.tuple().local().to_string() + " to " + c.tuple().remote().to_string() +
                         " after " + std::to_string(now.time_since_epoch().count()) +
                         " ns: " + std::string{wrong};
        });
    }
}

}  // namespace weft::sim::test
