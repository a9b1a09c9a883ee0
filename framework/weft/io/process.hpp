#pragma once
// Programs as children: started, fed, read, waited for, ended.
//
// A `process` owns the child: it can only be waited for here, through a pidfd in the ring, so no
// SIGCHLD and no other wait is involved. It does not outlive its owner: a `process` that goes
// before the child was waited for kills it and waits on the spot, so no zombie stays. The program
// must not ignore SIGCHLD or wait for any child (`waitpid(-1)`): the exit would be lost
// (no_child_process).

#include <weft/awaiter.hpp>
#include <weft/base/instant.hpp>
#include <weft/base/timer_wheel.hpp>
#include <weft/io/byte_stream.hpp>
#include <weft/io/command.hpp>
#include <weft/task.hpp>

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <utility>

namespace weft {

class process;

/// How a process ended: by itself with a code, or by a signal.
struct exit_status {
    int code = 0;    ///< what it returned; 0 when a signal ended it
    int signal = 0;  ///< the signal that ended it, or 0

    [[nodiscard]] bool is_success() const noexcept { return code == 0 && signal == 0; }
    friend bool operator==(exit_status, exit_status) noexcept = default;
};

/// Waits for the end; the same operation ends the child first where it is asked to.
class process_end_operation : public io_operation {
public:
    process_end_operation(completion on_completion, process& child) noexcept;
    ~process_end_operation() { abandon(); }

    [[nodiscard]] bool ready() const noexcept;
    void start(const environment& env) { start_request(env); }
    [[nodiscard]] result<exit_status> finish() const noexcept;

protected:
    process& child_;

private:
    static void make(io_operation& self, class ring& ring, ring_completion& done);
    static next_step look(io_operation& self, int answer) noexcept;

    int reap_error_ = 0;
};

/// The same, and it sends SIGTERM and, after a grace time, SIGKILL: at once, or when stop is
/// requested. Never cancelled: it always completes with the end of the child.
class process_termination : public process_end_operation {
public:
    enum class begins : std::uint8_t { at_once, when_stopped };
    using ignores_stop = void;

    process_termination(completion on_completion, process& child, duration grace,
                        begins when) noexcept;
    void start(const environment& env);
    [[nodiscard]] result<exit_status> finish() noexcept;

private:
    struct alarm : timer_node {
        explicit alarm(process_termination& self) noexcept;
        process_termination& self_;
    };
    static void on_stop(operation& self) noexcept;
    void begin() noexcept;

    const duration grace_;
    const begins when_;
    scheduler* on_ = nullptr;
    alarm alarm_;
};

class process {
public:
    process() noexcept = default;  ///< none: every call fails
    /// Not while an operation on it is in flight.
    process(process&& other) noexcept;
    process& operator=(process&& other) noexcept;
    ~process();  ///< kills and waits on the spot, unless its end was seen

    /// Completes when the child has ended. A stop ends the wait, and the child goes on. Waiting
    /// again tells the same.
    [[nodiscard]] auto wait() noexcept { return awaiter<process_end_operation>{*this}; }
    /// The same, and a stop ends the child: politely (SIGTERM), and after `grace` hard (SIGKILL).
    /// Completes with the child's end, stopped or not.
    [[nodiscard]] auto wait_or_terminate(duration grace) noexcept {
        return awaiter<process_termination>{*this, grace,
                                            process_termination::begins::when_stopped};
    }
    /// Ends the child: SIGTERM now, SIGKILL after `grace`. Completes with its end; no stop keeps it
    /// from that.
    [[nodiscard]] auto terminate(duration grace) noexcept {
        return awaiter<process_termination>{*this, grace, process_termination::begins::at_once};
    }
    /// Sends a signal to the child, or to its group where it has its own. Errors: no_such_process
    /// after its end.
    result<void> send_signal(int signal) const noexcept;

    /// Writes to its standard input, where that was `stdio::pipe`; closing it is its end of file.
    [[nodiscard]] output_stream& input() noexcept { return input_; }
    [[nodiscard]] input_stream& output() noexcept { return output_; }
    [[nodiscard]] input_stream& error() noexcept { return error_; }

    [[nodiscard]] pid_t id() const noexcept { return id_; }
    /// How it ended, if that is known by now.
    [[nodiscard]] std::optional<exit_status> status() const noexcept { return status_; }

private:
    friend class process_start;
    friend class process_end_operation;

    /// 0: its end is in status_; EAGAIN: it has not ended; another errno: it cannot be told.
    int reap() noexcept;
    void end_on_the_spot() noexcept;

    pid_t id_ = -1;
    owned_descriptor handle_;
    bool own_group_ = false;
    std::optional<exit_status> status_;
    output_stream input_;
    input_stream output_;
    input_stream error_;
};

/// Starts a program. Takes a thread of offload_pool::shared() until the program is loaded.
///
/// What keeps it from running is an error here: no_such_file_or_directory, permission_denied,
/// executable_format_error, too_many_files_open, …; a stop before it began is `canceled`.
[[nodiscard]] task<result<process>> spawn(command wanted);

}  // namespace weft
