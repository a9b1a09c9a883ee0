#pragma once
// The seeds that a randomized test runs, and how one of them is run again.
//
//     for (const std::uint64_t seed : weft::test::seeds{200}) {
//         CAPTURE(seed);                      // or SCOPED_TRACE: failures that throw nothing
//         weft::sim::world world{seed};
//
// The environment decides: WEFT_SEED=4711 runs that one, WEFT_SEEDS=100000 so many, both so many
// from there on. When the loop is left by an exception, or the process dies in it of a failed
// assertion or a bad access, standard error says which WEFT_SEED it was. Works with any framework
// for tests. One thread.

#include <cstddef>
#include <cstdint>
#include <iterator>

namespace weft::test {

class seeds {
public:
    /// `count` seeds from `first` on, unless the environment wants others. Throws
    /// std::invalid_argument when what it wants is no number.
    explicit seeds(std::uint64_t count, std::uint64_t first = 1);
    seeds(const seeds&) = delete;
    seeds& operator=(const seeds&) = delete;
    ~seeds();

    class iterator {
    public:
        using value_type = std::uint64_t;
        using difference_type = std::ptrdiff_t;
        using iterator_concept = std::input_iterator_tag;

        /// The seed; from here on it is the one that a failure is blamed on.
        std::uint64_t operator*() const noexcept;
        iterator& operator++() noexcept {
            ++at_;
            return *this;
        }
        void operator++(int) noexcept { ++at_; }
        friend bool operator==(iterator, iterator) noexcept = default;

    private:
        friend seeds;
        explicit iterator(std::uint64_t at) noexcept : at_{at} {}
        std::uint64_t at_;
    };

    [[nodiscard]] iterator begin() const noexcept { return iterator{first_}; }
    [[nodiscard]] iterator end() const noexcept { return iterator{first_ + count_}; }
    [[nodiscard]] std::uint64_t size() const noexcept { return count_; }
    /// Somebody wants to look at one seed: a test may tell more, and expect less of sums.
    [[nodiscard]] bool is_replay() const noexcept { return is_replay_; }

private:
    std::uint64_t first_;
    std::uint64_t count_;
    bool is_replay_ = false;
    bool is_outermost_;
    int exceptions_;  // in flight when this began
};

}  // namespace weft::test
