#pragma once
// splice(2) through the ring; the operation behind copy.hpp, and nobody else needs it.
//
// A side that is not ready (O_NONBLOCK) is polled, and the splice made again.

#include <weft/awaiter.hpp>
#include <weft/io/io_operation.hpp>

#include <cstddef>
#include <cstdint>

namespace weft {

struct splice_side {
    int fd = -1;
    std::int64_t offset = -1;  ///< none
};

class splice_operation : public io_operation {
public:
    /// Which side may be not ready: the other one is known to have bytes, or room.
    enum class waits_for : std::uint8_t { source, target };

    splice_operation(completion on_completion, splice_side from, splice_side to, std::size_t bytes,
                     waits_for side) noexcept
        : io_operation{on_completion, &make, &look, tolerates::not_ready},
          from_{from},
          to_{to},
          bytes_{bytes},
          side_{side} {}
    void start(const environment& env) { start_request(env); }
    [[nodiscard]] result<std::size_t> finish() const noexcept { return count(); }

private:
    static void make(io_operation& self, class ring& ring, ring_completion& done);
    static next_step look(io_operation& self, int answer) noexcept;

    splice_side from_;
    splice_side to_;
    std::size_t bytes_;
    waits_for side_;
    bool polling_ = false;
};

}  // namespace weft
