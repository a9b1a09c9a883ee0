#pragma once
// From one descriptor to another without a detour through the program: files, pipes, sockets.
//
// From file to file the kernel copies by itself (copy_file_range(2), a call on the offload pool,
// since io_uring has no request for it), and some file systems share the blocks instead. Else bytes
// are spliced through a pipe of the job's own (straight, where one side is a pipe already): pages
// change hands, as with sendfile(2). Where the kernel cannot splice a descriptor (one in append
// mode, some devices) the job reads and writes through a buffer instead, and goes on where it was.
// Both descriptors stay the caller's, and open, until the awaitable has completed.

#include <weft/base/result.hpp>
#include <weft/io/byte_stream.hpp>
#include <weft/task.hpp>

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <vector>

namespace weft {

struct copy_options {
    static constexpr std::uint64_t its_position = at_its_position;

    std::uint64_t from_offset = its_position;  ///< in a file; streams have no offsets
    std::uint64_t to_offset = its_position;    ///< in a file
    std::uint64_t bytes = ~std::uint64_t{0};   ///< at most; less when `from` ends before
    bool splices = true;                       ///< false: through a buffer from the start
};
static_assert(std::is_trivially_destructible_v<copy_options>);

/// One copy that can be stopped and told how far it is.
class copy_job {
public:
    copy_job(int from, int to, copy_options wanted = {}) noexcept
        : from_{from}, to_{to}, wanted_{wanted} {}

    /// Copies to the end, or to the number of bytes that was asked for. After a stop or an error
    /// `copied()` is exact, and a further run goes on there: what was taken from a stream and not
    /// delivered is kept in the job.
    [[nodiscard]] task<result<void>> run();

    /// Bytes that `to` has taken.
    [[nodiscard]] std::uint64_t copied() const noexcept { return copied_; }
    /// Bytes taken from `from` that `to` has not taken yet.
    [[nodiscard]] std::size_t held() const noexcept { return in_pipe_ + in_buffer_; }
    /// Whether bytes go through a buffer of the job.
    [[nodiscard]] bool is_buffered() const noexcept { return !wanted_.splices; }

private:
    enum class progress : std::uint8_t { moved, ended, cannot_splice, cannot_copy_ranges };

    [[nodiscard]] result<void> prepare();
    [[nodiscard]] result<void> make_way();
    [[nodiscard]] task<result<progress>> copy_range();
    [[nodiscard]] task<result<progress>> splice_once();
    [[nodiscard]] task<result<progress>> splice_straight();
    [[nodiscard]] task<result<progress>> move_buffered();
    [[nodiscard]] task<result<void>> empty_pipe();

    [[nodiscard]] std::size_t next_bytes() const noexcept;
    void taken(std::size_t bytes) noexcept;
    void delivered(std::size_t bytes) noexcept;

    const int from_;
    const int to_;
    copy_options wanted_;  // the offsets move along; `bytes` is what is still to be taken
    std::uint64_t copied_ = 0;
    bool prepared_ = false;
    bool ranges_ = false;    // both are files
    bool straight_ = false;  // one side is a pipe
    pipe_ends between_;
    std::size_t pipe_bytes_ = 0;
    std::size_t in_pipe_ = 0;
    std::vector<std::byte> buffer_;
    std::size_t buffer_begin_ = 0;
    std::size_t in_buffer_ = 0;
};

/// Copies as `copy_job::run` and tells the number of bytes. Where it matters how far a copy came
/// that was stopped or failed, use a job.
[[nodiscard]] task<result<std::uint64_t>> copy(int from, int to, copy_options wanted = {});

}  // namespace weft
