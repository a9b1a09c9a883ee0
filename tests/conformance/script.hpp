#pragma once
// Plays a script of packets and socket calls against weft_packetdrill.so, which it loads as
// packetdrill does: dlopen, a table of functions filled in by a line of flags, at most two threads
// that call in, one lock around the wire. What leaves is compared as text (segment_text.hpp), with
// its time.
//
// Times are held to 4 ms or an eighth, whichever is more. To that comes how late this machine woke
// a sleeping thread while the script ran, which a thread that only sleeps measures: a loaded
// machine makes a script slow, not wrong.

#include "library/packetdrill_interface.hpp"
#include "segment_text.hpp"

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

namespace weft::conformance {

using namespace std::chrono_literals;
using std::chrono::microseconds;

/// The habits of a host of old: no options but the MSS, a window of 65535.
inline const std::string plain = "timestamps=0,sack=0,window_scale=0,receive_buffer=65535";

/// A call that sleeps, on the second thread.
class blocking_call {
public:
    using body = std::function<long()>;
    explicit blocking_call(body call);
    ~blocking_call();

    /// True once the thread sleeps in the kernel (state S); false when the call ends instead.
    bool is_asleep();
    /// What it returned, and errno. Waits for it.
    long result();
    int error();

private:
    struct outcome {
        long result = 0;
        int error = 0;
        std::atomic<bool> is_done = false;
        std::atomic<int> thread_id = 0;
    };
    std::shared_ptr<outcome> outcome_ = std::make_shared<outcome>();
    std::thread thread_;
};

class script {
public:
    explicit script(const std::string& flags = "");
    /// Whatever has left and was not looked at is a failure.
    ~script();
    script(const script&) = delete;
    script& operator=(const script&) = delete;

    // ---- the wire
    /// A segment from the peer.
    void in(const std::string& segment, std::uint8_t traffic_class = 0);
    /// The next packet is this segment; its time is noted.
    void out(const std::string& segment);
    /// And it left so long after the last event: a call, an `in` or an `out`.
    void out(microseconds after, const std::string& segment);
    /// At once: so many segments of 1000 bytes, from this number on.
    void out_full(std::uint32_t from, int count);
    /// Time passes, and nothing leaves.
    void silence(microseconds d);
    /// Nothing has left that was not looked at.
    void nothing();
    /// A raw packet from anywhere.
    void raw_in(const std::vector<std::byte>& packet);
    /// An ICMP error about a segment of ours that began at `seq`.
    void icmp(std::uint8_t type, std::uint8_t code, std::uint32_t seq, std::uint16_t mtu = 0);
    /// The next packet from another pair of ports belongs to a new connection.
    void from_port(std::uint16_t remote_port, std::uint16_t local_port = 8080);
    /// Our next SYN,ACK begins numbers anew: 0, for use in what is expected of it.
    std::uint32_t new_origin();
    /// Time passes.
    void wait(microseconds d);

    // ---- calls, with what they must answer
    [[nodiscard]] int socket(int kind = SOCK_STREAM);
    void bind(int fd, std::uint16_t port = 8080, int result = 0, int error = 0);
    void listen(int fd, int backlog = 1);
    int accept(int fd);
    void connect(int fd, int result = 0, int error = 0);
    /// Checks that a call answered this, and errno if it is -1.
    void answers(long got, long result, int error = 0);
    void write(int fd, std::size_t bytes, long result = -2, int error = 0);
    void read(int fd, std::size_t bytes, long result, int error = 0);
    void close(int fd, int result = 0, int error = 0);
    void shutdown(int fd, int how, int result = 0, int error = 0);
    void set(int fd, int level, int name, int value, int result = 0, int error = 0);
    [[nodiscard]] int get(int fd, int level, int name);
    /// poll() at once with everything asked for; the events.
    [[nodiscard]] int events(int fd, int wanted = ~0);
    void set_non_blocking(int fd);
    [[nodiscard]] int ioctl(int fd, unsigned long request);

    /// The listening socket, made if there is none yet.
    void start_listening();
    /// A listening socket and one accepted connection, by a handshake in three steps.
    int accepted(const std::string& syn_options = "mss 1000", std::uint32_t window = 65535);
    /// A connected socket that opened actively.
    int connected(const std::string& syn_options = "mss 1000", std::uint32_t window = 65535);

    packetdrill_interface api;
    parsed_packet last;  ///< the last packet that has left
    int listener = -1;

private:
    struct arrival {
        std::vector<std::byte> packet;
        microseconds at{};
    };
    arrival receive();
    [[nodiscard]] microseconds clock();
    void note_event() { last_event_ = clock(); }
    [[nodiscard]] microseconds lateness() const { return microseconds{lateness_}; }

    std::mutex lock_;
    ends ends_;
    origins origins_{0, 0x1000'0000};
    microseconds last_event_{};
    bool knows_origin_ = false;
    std::atomic<bool> is_over_ = false;
    std::atomic<std::int64_t> lateness_ = 0;
    std::thread metronome_;
};

}  // namespace weft::conformance
