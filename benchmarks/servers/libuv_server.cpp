// libuv's callbacks on Linux sockets (epoll). One thread.

#include "exchange.hpp"

#include <uv.h>

#include <array>

namespace {

/// A connection; freed when libuv has closed its handle.
struct session {
    explicit session(bench::protocol speaks) : exchange{speaks} {}

    uv_tcp_t peer{};
    uv_write_t write{};
    bench::exchange exchange;
    std::array<char, bench::buffer_bytes> bytes;
};

session& session_of(uv_handle_t* handle) { return *static_cast<session*>(handle->data); }

void end(session& of) {
    auto* const handle = reinterpret_cast<uv_handle_t*>(&of.peer);
    if (uv_is_closing(handle) != 0) return;
    uv_close(handle, [](uv_handle_t* closed) { delete &session_of(closed); });
}

void start_reading(session& at);

void on_read(uv_stream_t* stream, ssize_t count, const uv_buf_t*) {
    session& at = session_of(reinterpret_cast<uv_handle_t*>(stream));
    if (count < 0) return end(at);
    const std::string_view text =
        at.exchange.answer({at.bytes.data(), static_cast<std::size_t>(count)});
    if (text.empty()) return;
    // As its users do: try at once, and wait only for what did not fit.
    uv_buf_t buffer =
        uv_buf_init(const_cast<char*>(text.data()), static_cast<unsigned>(text.size()));
    const int written = uv_try_write(stream, &buffer, 1);
    if (written == static_cast<int>(text.size())) return;
    const std::size_t done = written > 0 ? static_cast<std::size_t>(written) : 0;
    buffer = uv_buf_init(buffer.base + done, static_cast<unsigned>(text.size() - done));
    uv_read_stop(stream);  // the buffer is in use
    uv_write(&at.write, stream, &buffer, 1, [](uv_write_t* write, int error) {
        session& of = session_of(reinterpret_cast<uv_handle_t*>(write->handle));
        if (error != 0) return end(of);
        start_reading(of);
    });
}

void start_reading(session& at) {
    uv_read_start(
        reinterpret_cast<uv_stream_t*>(&at.peer),
        [](uv_handle_t* handle, std::size_t, uv_buf_t* into) {
            session& of = session_of(handle);
            *into = uv_buf_init(of.bytes.data(), static_cast<unsigned>(of.bytes.size()));
        },
        on_read);
}

void on_connection(uv_stream_t* listener, int error) {
    if (error != 0) return;
    auto* const at = new session{*static_cast<bench::protocol*>(listener->data)};
    uv_tcp_init(listener->loop, &at->peer);
    at->peer.data = at;
    if (uv_accept(listener, reinterpret_cast<uv_stream_t*>(&at->peer)) != 0) return end(*at);
    uv_tcp_nodelay(&at->peer, 1);
    start_reading(*at);
}

}  // namespace

int main(int argc, char** argv) {
    auto options =
        bench::parse_server_options({argv, static_cast<std::size_t>(argc)}, {"callback"});
    if (!options) return 2;
    uv_loop_t* const loop = uv_default_loop();
    uv_tcp_t listener;
    uv_tcp_init(loop, &listener);
    sockaddr_in at{};
    uv_ip4_addr("0.0.0.0", options->port, &at);
    listener.data = &options->speaks;
    uv_tcp_bind(&listener, reinterpret_cast<const sockaddr*>(&at), 0);
    const int error = uv_listen(reinterpret_cast<uv_stream_t*>(&listener), 4096, on_connection);
    if (error != 0) {
        std::fprintf(stderr, "libuv_server: %s\n", uv_strerror(error));
        return 1;
    }
    return uv_run(loop, UV_RUN_DEFAULT);
}
