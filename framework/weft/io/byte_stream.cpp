#include <weft/io/byte_stream.hpp>

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <mutex>

namespace weft {
namespace {

/// A second descriptor for the same open file; never 0, 1 or 2.
template <class Stream>
result<Stream> stream_on(int fd) {
    const int own = ::fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (own < 0) return std::error_code{errno, std::generic_category()};
    return Stream{own};
}

}  // namespace

owned_descriptor::~owned_descriptor() {
    if (fd_ >= 0) ::close(fd_);
}

output_stream::output_stream(int fd) noexcept : fd_{fd} { ignore_broken_pipes(); }

result<pipe_ends> make_pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
        return std::error_code{errno, std::generic_category()};
    }
    return pipe_ends{input_stream{ends[0]}, output_stream{ends[1]}};
}

result<input_stream> standard_input() { return stream_on<input_stream>(STDIN_FILENO); }
result<output_stream> standard_output() { return stream_on<output_stream>(STDOUT_FILENO); }
result<output_stream> standard_error() { return stream_on<output_stream>(STDERR_FILENO); }

void ignore_broken_pipes() noexcept {
    static std::once_flag once;
    std::call_once(once, [] {
        struct sigaction now{};
        if (::sigaction(SIGPIPE, nullptr, &now) != 0 || now.sa_handler != SIG_DFL) return;
        now.sa_handler = SIG_IGN;
        ::sigaction(SIGPIPE, &now, nullptr);
    });
}

}  // namespace weft
