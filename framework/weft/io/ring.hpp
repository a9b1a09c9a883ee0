#pragma once
// One io_uring: requests go in as calls, completions come out as calls of a `ring_completion`.
//
// The only file pair that knows liburing. Nothing reaches the kernel before `enter()` (or until the
// submission queue is full), so a turn of the loop costs one system call. Buffers, addresses and
// the ring_completion itself must stay where they are until the completion arrived, also after
// `cancel()`; `withdraw()` is the way to end a request whose owner is about to go. One thread: the
// one that made the ring. Linux 6.1 or newer.

#include <weft/base/instant.hpp>
#include <weft/io/ring_abilities.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <system_error>

struct io_uring_sqe;
struct iovec;
struct msghdr;
struct sockaddr;
struct open_how;
struct statx;

namespace weft {

/// Whom the kernel's answer goes to: one request in flight at a time.
class ring_completion {
public:
    /// `result` as in io_uring: a count, a descriptor, or a negated errno. Called from
    /// `ring::reap()`; may start requests, and may destroy the ring_completion.
    using handler = void (*)(ring_completion&, int result, unsigned flags) noexcept;

    explicit ring_completion(handler on_completion) noexcept : on_completion_{on_completion} {}
    ring_completion(const ring_completion&) = delete;
    ring_completion& operator=(const ring_completion&) = delete;
    ~ring_completion();  // precondition: not in flight

    [[nodiscard]] bool is_in_flight() const noexcept { return in_flight_; }

private:
    friend class ring;
    handler on_completion_;
    bool in_flight_ = false;
};

/// Told of something by another loop's ring (`ring::notify`): any number of times, never in flight
/// in between. It must outlive whoever may still tell it.
class alignas(8) ring_notice {
public:
    /// Called from `ring::reap()`, as a ring_completion is.
    using handler = void (*)(ring_notice&, int value) noexcept;

    explicit ring_notice(handler on_notice) noexcept : on_notice_{on_notice} {}
    ring_notice(const ring_notice&) = delete;
    ring_notice& operator=(const ring_notice&) = delete;

private:
    friend class ring;
    handler on_notice_;
};

class ring_injector;

class ring {
public:
    struct options {
        unsigned submissions = 256;   ///< requests collected between two enters; more enters early
        unsigned completions = 4096;  ///< answers the kernel can post before it has to queue them
        /// Above zero: see `poll_busily`. Where the kernel cannot, it is not done.
        duration busy_poll = duration::zero();
        /// For tests: the ring does without the others, as on an older kernel.
        ring_abilities abilities = every_ability;
    };
    /// How `send` goes about it: as much as fits now; all, waiting for room; all, and out of the
    /// caller's memory if the kernel can (a second completion then says that it is free again).
    enum class sending : std::uint8_t { some, all, all_in_place };
    struct counters {
        std::uint64_t enters = 0;        ///< system calls made
        std::uint64_t submitted = 0;     ///< requests made, cancellations apart
        std::uint64_t completed = 0;     ///< answers dispatched
        std::uint64_t early_enters = 0;  ///< the submission queue was full
        std::uint64_t overflows = 0;     ///< times the completion queue had overflowed
    };

    /// Throws std::system_error that says what to do when the kernel has no io_uring, forbids it,
    /// or is older than 6.1; std::invalid_argument for no submissions, or fewer completions.
    explicit ring(options wanted = {256, 4096, duration::zero(), every_ability});
    ring(const ring&) = delete;
    ring& operator=(const ring&) = delete;
    /// Precondition: nothing is in flight.
    ~ring();

    // Requests. Each occupies `done` until its completion.
    void read(ring_completion& done, int fd, std::span<std::byte> into, std::uint64_t offset);
    void write(ring_completion& done, int fd, std::span<const std::byte> from,
               std::uint64_t offset);
    void write_vectored(ring_completion& done, int fd, std::span<const iovec> from,
                        std::uint64_t offset);
    /// Completes with the events (POLLIN, …) that came; `events` as in poll(2).
    void poll(ring_completion& done, int fd, unsigned events);
    void open(ring_completion& done, int directory, const char* path, open_how& how);
    void status(ring_completion& done, int fd, unsigned mask, struct statx& into);
    void close(ring_completion& done, int fd);
    void sync(ring_completion& done, int fd);
    void no_operation(ring_completion& done);

    // Requests on files (ring_files.cpp). Paths are taken when the request starts and stay until
    // its completion. `flags` are those of the system call of the same name.
    void sync_data(ring_completion& done, int fd);
    void status_of(ring_completion& done, int directory, const char* path, int flags, unsigned mask,
                   struct statx& into);
    void rename(ring_completion& done, int from_directory, const char* from, int to_directory,
                const char* to, unsigned flags);
    void unlink(ring_completion& done, int directory, const char* path, int flags);
    void make_directory(ring_completion& done, int directory, const char* path, unsigned mode);
    void symlink(ring_completion& done, const char* target, int directory, const char* path);
    void link(ring_completion& done, int from_directory, const char* from, int to_directory,
              const char* to, int flags);
    /// Answered with -EINVAL where `abilities().truncate` is false: Linux before 6.9.
    void truncate(ring_completion& done, int fd, std::uint64_t size_bytes);
    /// Moves bytes between two descriptors of which one is a pipe; an offset of -1 is none.
    void splice(ring_completion& done, int from, std::int64_t from_offset, int to,
                std::int64_t to_offset, std::size_t bytes);

    // Between loops (ring_messages.cpp).
    /// Tells `there`, with value 0, on the loop whose ring has the descriptor `target`. When the
    /// kernel cannot, `failed` is told here, with a negated errno; nobody is told of success.
    void notify(int target, ring_notice& there, ring_notice& failed);
    /// Names this ring to others: fixed, so any thread may ask.
    [[nodiscard]] int descriptor() const noexcept;
    /// Counts those that wait for notices: there is input to expect though nothing is in flight.
    void expect_notices(int change) noexcept { expected_notices_ += change; }
    [[nodiscard]] bool expects_notices() const noexcept { return expected_notices_ != 0; }

    /// For tests: `injector` (nullptr: none) decides about faults from now on; see
    /// weft/test/ring_faults.hpp.
    void inject(ring_injector* injector);
    [[nodiscard]] bool meets_faults() const noexcept;

    // Requests on sockets (ring_sockets.cpp). Sockets are in blocking mode: the ring waits for
    // them.
    /// The address stays until the completion.
    void connect(ring_completion& done, int fd, const struct sockaddr& to, unsigned length);
    /// A completion for each connection, with its descriptor; `flags` as in accept4(2).
    void accept_all(ring_completion& done, int fd, int flags);
    /// A completion each time that bytes have come, in a buffer of the group (ring_buffers.hpp); 0
    /// at the end; -ENOBUFS when no buffer is left. Ends once `most` bytes have come, where
    /// `abilities().receive_limit`; elsewhere it goes on.
    void receive_all(ring_completion& done, int fd, std::uint16_t buffers, std::uint32_t most);
    void send(ring_completion& done, int fd, std::span<const std::byte> from, sending how);
    void send_message(ring_completion& done, int fd, const msghdr& message);
    void receive_message(ring_completion& done, int fd, msghdr& into);
    /// A completion each time that poll(2) would see something new, with the events.
    void poll_all(ring_completion& done, int fd, unsigned events);

    // What the flags of a completion say: more completions of this request follow; the memory of a
    // send in place is free again; which provided buffer holds the bytes.
    [[nodiscard]] static bool goes_on(unsigned flags) noexcept;
    [[nodiscard]] static bool is_release(unsigned flags) noexcept;
    /// The answer of such a release: the kernel had to copy after all.
    [[nodiscard]] static bool was_copied(int answer) noexcept;
    [[nodiscard]] static std::optional<std::uint16_t> buffer_of(unsigned flags) noexcept;
    /// Names of groups of provided buffers, each given out once.
    [[nodiscard]] std::uint16_t next_buffer_group() noexcept { return buffer_groups_++; }

    // The kernel's abilities (ring_probe.cpp).
    [[nodiscard]] const ring_abilities& abilities() const noexcept { return abilities_; }
    /// Has the kernel poll network devices for up to `limit` before it waits for an interrupt
    /// (NAPI); zero: no more. `prefer`: packets wait for the poll while it lasts. Fails with EINVAL
    /// where `abilities().busy_poll` is false.
    std::error_code poll_busily(duration limit, bool prefer = false) noexcept;

    /// Asks the kernel to end a request that is in flight. Its completion still comes: -ECANCELED,
    /// or its result when it was faster.
    void cancel(ring_completion& target);

    /// Ends a request and waits, on the spot, until the kernel has let go of its buffers. Its
    /// handler is not called. Others' completions are kept for the next `reap()`. A request that
    /// makes descriptors may have made some: `close_unwanted` closes those.
    enum class answers : std::uint8_t { are_dropped, close_unwanted };
    void withdraw(ring_completion& target, answers that = answers::are_dropped) noexcept;

    /// Dispatches completions that have arrived, at most `budget`. Returns how many.
    std::size_t reap(std::size_t budget) noexcept;

    /// Submits, then collects what has completed; waits for the first completion until `timeout`
    /// has passed (nullopt: however long it takes). Does not wait when one is already there.
    void enter(std::optional<duration> timeout) noexcept;

    /// Something is there for `reap()`.
    [[nodiscard]] bool has_completions() const noexcept;
    [[nodiscard]] std::size_t in_flight() const noexcept { return in_flight_; }
    [[nodiscard]] const counters& statistics() const noexcept { return counters_; }

private:
    struct state;

    io_uring_sqe& next_entry();
    io_uring_sqe& request(ring_completion& done);
    void collect(int entered) noexcept;
    void set_aside_completions();
    [[nodiscard]] bool take_set_aside(const ring_completion& target, answers that);
    void dispatch(void* told, int result, unsigned flags) noexcept;

    [[nodiscard]] ring_abilities probe();
    [[nodiscard]] bool ends_receives();

    std::unique_ptr<state> state_;
    ring_abilities abilities_;
    std::uint16_t buffer_groups_ = 0;
    std::size_t in_flight_ = 0;
    int expected_notices_ = 0;
    counters counters_;
};

}  // namespace weft
