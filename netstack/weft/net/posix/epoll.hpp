#pragma once
// An epoll instance: which of our descriptors somebody wants to hear of, and how.
//
// Level-triggered, edge-triggered (an edge is any activity of the descriptor since it was last
// reported) and one-shot. Watches our own sockets only. The network's lock is held.

#include <weft/net/posix/descriptor.hpp>

#include <sys/epoll.h>

#include <map>
#include <memory>
#include <optional>

namespace weft::net::posix {

class epoll final : public descriptor {
public:
    answer add(int number, std::shared_ptr<descriptor> watched, const epoll_event& wanted);
    answer modify(int number, const descriptor* watched, const epoll_event& wanted);
    answer remove(int number, const descriptor* watched);
    /// The number is closed: nobody hears of it any more.
    void forget(int number, const descriptor* watched) { (void)remove(number, watched); }

    /// Writes down what is ready, `most` at most, as reported. Returns how many.
    int collect(epoll_event* events, int most);
    [[nodiscard]] bool is_any_ready();

    /// Readable when something that it watches is ready.
    [[nodiscard]] short poll_events() override;
    [[nodiscard]] std::uint64_t activity() const noexcept override { return 0; }

private:
    struct interest {
        std::weak_ptr<descriptor> watched;
        std::uint32_t events = 0;
        epoll_data_t data{};
        std::optional<std::uint64_t> reported;  ///< activity at the last report of an edge
        bool is_spent = false;                  ///< a one-shot that has been reported
    };

    /// What is to be reported of it now; 0: nothing.
    static std::uint32_t ready_events(const interest& of);
    interest* find(int number, const descriptor* watched);

    std::map<int, interest> interests_;
    int last_reported_ = -1;  ///< the next collection begins behind it, so that all get their turn
};

}  // namespace weft::net::posix
