#pragma once
// The buffers of one exchange, lent to a connection while it has a request to answer. An idle
// connection holds none; what came back is handed out again, so a busy server allocates nothing.

#include <array>
#include <memory>
#include <utility>
#include <vector>

namespace examples {

struct exchange_memory {
    std::array<char, 16 * 1024> input;
    std::array<char, 32 * 1024> output;
    std::array<char, 2 * 1024> path;           // a decoded request target
    std::array<char, 8 * 1024 + 16> location;  // one encoded anew: at most three times as long
};

class exchange_pool {
public:
    class lease {
    public:
        lease(exchange_pool& pool, std::unique_ptr<exchange_memory> memory) noexcept
            : pool_{pool}, memory_{std::move(memory)} {}
        lease(lease&& other) noexcept = default;
        lease& operator=(lease&&) = delete;
        ~lease() {
            if (memory_) pool_.free_.push_back(std::move(memory_));
        }
        exchange_memory& operator*() const noexcept { return *memory_; }
        exchange_memory* operator->() const noexcept { return memory_.get(); }

    private:
        exchange_pool& pool_;
        std::unique_ptr<exchange_memory> memory_;
    };

    /// At most `max_lent` are out at once, which the limit of connections sees to.
    explicit exchange_pool(std::size_t max_lent) { free_.reserve(max_lent); }

    [[nodiscard]] lease take() {
        if (free_.empty()) {
            return lease{*this, std::unique_ptr<exchange_memory>{new exchange_memory}};
        }
        std::unique_ptr<exchange_memory> memory = std::move(free_.back());
        free_.pop_back();
        return lease{*this, std::move(memory)};
    }

private:
    std::vector<std::unique_ptr<exchange_memory>> free_;
};

}  // namespace examples
