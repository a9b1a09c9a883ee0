#pragma once
// The operations behind byte_stream.hpp: read and write without an offset, where a descriptor that
// is not ready (O_NONBLOCK) is polled and asked again. Nobody else needs them.

#include <weft/base/result.hpp>
#include <weft/io/io_operation.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace weft {

/// Instead of an offset: where the descriptor is, or nowhere where it has no position.
inline constexpr std::uint64_t at_its_position = ~std::uint64_t{0};

/// What the four have in common: the request, and the poll that takes its place after EAGAIN.
template <class Byte>
class stream_transfer : public io_operation {
public:
    void start(const environment& env) { start_request(env); }

protected:
    enum class extent : std::uint8_t { some, all };

    stream_transfer(completion on_completion, int fd, std::span<Byte> bytes, extent wanted,
                    std::uint64_t offset = at_its_position) noexcept
        : io_operation{on_completion, &make, &look, tolerates::not_ready},
          fd_{fd},
          rest_{bytes},
          offset_{offset},
          wanted_{wanted} {}

    /// What was not moved. With `extent::some`, all that was asked for.
    [[nodiscard]] std::span<Byte> rest() const noexcept { return rest_; }

private:
    static void make(io_operation& self, class ring& ring, ring_completion& done);
    static next_step look(io_operation& self, int answer) noexcept;

    int fd_;
    std::span<Byte> rest_;
    std::uint64_t offset_;  // with `extent::some` only
    extent wanted_;
    bool polling_ = false;
};

extern template class stream_transfer<std::byte>;
extern template class stream_transfer<const std::byte>;

class stream_read_operation : public stream_transfer<std::byte> {
public:
    stream_read_operation(completion on_completion, int fd, std::span<std::byte> into,
                          std::uint64_t offset = at_its_position) noexcept
        : stream_transfer{on_completion, fd, into, extent::some, offset} {}
    [[nodiscard]] result<std::size_t> finish() const noexcept { return count(); }
};

class stream_read_exactly_operation : public stream_transfer<std::byte> {
public:
    stream_read_exactly_operation(completion on_completion, int fd,
                                  std::span<std::byte> into) noexcept
        : stream_transfer{on_completion, fd, into, extent::all} {}
    [[nodiscard]] result<void> finish() const noexcept;
};

class stream_write_operation : public stream_transfer<const std::byte> {
public:
    stream_write_operation(completion on_completion, int fd, std::span<const std::byte> from,
                           std::uint64_t offset = at_its_position) noexcept
        : stream_transfer{on_completion, fd, from, extent::some, offset} {}
    [[nodiscard]] result<std::size_t> finish() const noexcept { return count(); }
};

class stream_write_all_operation : public stream_transfer<const std::byte> {
public:
    stream_write_all_operation(completion on_completion, int fd,
                               std::span<const std::byte> from) noexcept
        : stream_transfer{on_completion, fd, from, extent::all} {}
    [[nodiscard]] result<void> finish() const noexcept;
};

}  // namespace weft
