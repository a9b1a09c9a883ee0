#pragma once
// A listening socket: one multishot accept, the connections that it has brought and that nobody has
// taken, and who waits for one.
//
// The request stays armed while connections are taken, and pauses when too many lie here: the
// kernel's backlog holds the rest. When the process or the system runs out of descriptors or
// memory, accepting rests for a while and goes on by itself; who waits does not learn of it, the
// network counts it. A connection that was promised to an accept which is then destroyed goes to
// the next.

#include <weft/base/intrusive_list.hpp>
#include <weft/base/operation.hpp>
#include <weft/base/result.hpp>
#include <weft/base/ring_queue.hpp>
#include <weft/base/timer_wheel.hpp>
#include <weft/io/ring.hpp>
#include <weft/kernel/kernel_socket.hpp>
#include <weft/kernel/options.hpp>
#include <weft/kernel/tcp_stream.hpp>

#include <string_view>
#include <system_error>

namespace weft::kernel {

class accept_operation;

class listening final : public kernel_socket, ring_completion {
public:
    listening(network& owner, int fd, const listen_options& options) noexcept;

    /// Ends the listener: accepts that wait end with broken_pipe, and the peers of connections that
    /// nobody has taken get a RST.
    void close() noexcept;
    [[nodiscard]] bool is_closed() const noexcept { return is_closed_; }
    /// The handle is gone.
    void release() noexcept {
        close();
        drop();
    }
    [[nodiscard]] const endpoint& local() const noexcept { return local_; }

    void withdraw_requests() noexcept override {
        owner_ring().withdraw(*this, ring::answers::close_unwanted);
    }

private:
    friend class accept_operation;

    struct pause_end : timer_node {
        explicit pause_end(listening& self) noexcept;
        listening& self_;
    };

    [[nodiscard]] bool has_requests() const noexcept override { return is_in_flight(); }
    [[nodiscard]] class ring& owner_ring() const noexcept;
    static void answered(ring_completion& done, int answer, unsigned flags) noexcept;
    void on_connection(int fd) noexcept;
    void on_failure(int error) noexcept;
    void want_connections() noexcept;
    void take_back(int fd) noexcept;
    void fail(std::error_code why) noexcept;

    connect_options connection_options_;
    endpoint local_;
    intrusive_list<operation> waiters_;
    ring_queue<int> come_;
    std::error_code error_;
    pause_end pause_end_;
    bool is_paused_ = false;  // the request was asked to end
    bool is_closed_ = false;
};

class accept_operation : public operation {
public:
    static constexpr std::string_view trace_name = "kernel::tcp_listener::accept";
    accept_operation(completion resume, listening* on) noexcept
        : operation{resume}, listening_{on} {}
    accept_operation(const accept_operation&) = delete;
    accept_operation& operator=(const accept_operation&) = delete;
    ~accept_operation();

    [[nodiscard]] bool ready() const noexcept;
    void start(const environment& in) noexcept;
    result<tcp_stream> finish() noexcept;

private:
    friend class listening;

    socket_reference<listening> listening_;
    int promised_ = -1;
};

}  // namespace weft::kernel
