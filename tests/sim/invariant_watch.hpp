#pragma once
// Looks after the connections of some hosts while a simulation runs: after every turn in which one
// of their stacks sent, received or changed a state, the variables of every connection have to
// agree (tcp::connection::violated_invariant). What is wrong first is kept; nothing is disturbed.
//
// It takes the place of each host's observer and hands on to another one. It must outlive the runs
// of the hosts' scheduler that it watches.

#include <weft/net/io/host.hpp>
#include <weft/net/observer.hpp>

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

namespace weft::sim::test {

class invariant_watch final : private turn_participant, private net::observer {
public:
    /// `next`: who else sees the segments; nullptr: nobody does.
    invariant_watch(std::initializer_list<net::host*> hosts, net::observer* next);
    ~invariant_watch();
    invariant_watch(const invariant_watch&) = delete;
    invariant_watch& operator=(const invariant_watch&) = delete;

    /// The first violation and whose it is; empty: there was none.
    [[nodiscard]] const std::string& violation() const noexcept { return violation_; }
    /// Connections looked at, each time counted.
    [[nodiscard]] std::uint64_t checks() const noexcept { return checks_; }

private:
    // turn_participant: between two steps of the stacks
    void deliver(instant now) noexcept override { check(now); }
    void settle(instant now) noexcept override { check(now); }
    // observer: within one
    void on_transition(const net::transition_event& event) override;
    void on_segment(const net::segment_event& event) override;

    void check(instant now);

    std::vector<net::host*> hosts_;
    net::observer* next_;
    std::string violation_;
    std::uint64_t checks_ = 0;
};

}  // namespace weft::sim::test
