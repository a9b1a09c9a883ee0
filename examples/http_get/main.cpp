// Fetches a URL over Weft's own TCP or the kernel's: connect, GET, follow redirects, save the body.
//
//     http_get --net tap:name=weft0,addr=10.0.0.2/24 http://10.0.0.1:8000/ -o page.html
//     http_get --net kernel: http://127.0.0.1:8080/
//
// Hosts are addresses (there is no resolver yet); --resolve gives one a name.

#include "common/command_line.hpp"
#include "common/network.hpp"
#include "http_get/progress.hpp"

#include <weft/http/client_connection.hpp>
#include <weft/http/head_writer.hpp>
#include <weft/http/url.hpp>
#include <weft/io/file.hpp>
#include <weft/stop.hpp>

#include <array>
#include <chrono>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace {

namespace http = weft::http;

struct settings {
    settings() = default;

    examples::network_options network;
    std::string url;
    std::string output;
    std::vector<std::string> names;
    std::uint32_t max_redirects = 10;
    double timeout_seconds = 30;
    bool head_only = false;
    bool show_head = false;

    [[nodiscard]] weft::duration timeout() const {
        return std::chrono::duration_cast<weft::duration>(
            std::chrono::duration<double>{timeout_seconds});
    }
};

/// What one exchange came to: a status, and where it points to if it is a redirect.
struct outcome {
    outcome() = default;

    unsigned status = 0;
    std::optional<http::url> next;
};

struct buffers {
    std::array<char, 64 * 1024> input;
    std::array<char, 4096> head;
};

/// Where the body goes: a file, or stdout.
class sink {
public:
    explicit sink(std::string path) : path_{std::move(path)} {}

    /// Begins anew: what a redirect said is overwritten by what it led to.
    weft::task<weft::result<void>> open() {
        written_ = 0;
        if (path_.empty() || file_.is_open()) co_return weft::result<void>{};
        weft::result<weft::file> opened = co_await weft::file::open(
            path_, {.mode = weft::file_options::access::write, .create = true, .truncate = true});
        if (!opened) throw examples::cannot_start{path_ + ": " + opened.error().message()};
        file_ = std::move(*opened);
        co_return weft::result<void>{};
    }
    weft::task<weft::result<void>> write(std::string_view bytes) {
        weft::result<void> done;
        if (path_.empty()) {
            if (std::fwrite(bytes.data(), 1, bytes.size(), stdout) != bytes.size()) {
                done = std::errc::io_error;
            }
        } else {
            done = co_await file_.write_all_at(written_, std::as_bytes(std::span{bytes}));
        }
        written_ += bytes.size();
        co_return done;
    }
    weft::task<weft::result<void>> close() {
        if (path_.empty()) {
            if (std::fflush(stdout) != 0) co_return std::errc::io_error;
            co_return weft::result<void>{};
        }
        co_return co_await file_.close();
    }
    [[nodiscard]] std::uint64_t written_bytes() const noexcept { return written_; }

private:
    std::string path_;
    weft::file file_;
    std::uint64_t written_ = 0;
};

bool is_redirect(unsigned status) {
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

void print_head(const http::response_parser& response) {
    std::fprintf(stderr, "status %u\n", response.status());
    for (const http::field& each : response.fields().all()) {
        std::fprintf(stderr, "%.*s: %.*s\n", static_cast<int>(each.name.size()), each.name.data(),
                     static_cast<int>(each.value.size()), each.value.data());
    }
}

template <class Stream>
weft::task<weft::result<void>> save_body(http::client_connection<Stream>& connection, sink& into) {
    const weft::scheduler& on = co_await weft::current_scheduler();
    const weft::result<void> opened = co_await into.open();
    if (!opened) co_return opened.error();
    examples::progress shown{connection.response().content_length(), on.now()};
    for (;;) {
        const weft::result<std::string_view> piece = co_await connection.read_body();
        if (!piece) co_return piece.error();
        if (piece->empty()) break;
        const weft::result<void> written = co_await into.write(*piece);
        if (!written) co_return written.error();
        shown.update(into.written_bytes(), on.now());
    }
    shown.finish(into.written_bytes(), on.now());
    co_return co_await into.close();
}

/// One request and its response, on a connection of its own.
template <class Stream>
weft::task<weft::result<outcome>> exchange(Stream& stream, const http::url& from,
                                           const settings& options, sink& into) {
    using connection_type = http::client_connection<Stream>;
    const auto memory = std::make_unique<buffers>();
    http::input_buffer input{memory->input};
    connection_type connection{stream, input, options.timeout()};
    http::head_writer head{memory->head};
    head.request_line(options.head_only ? "HEAD" : "GET", from.target)
        .field("Host", from.authority())
        .field("User-Agent", "weft")
        .field("Accept", "*/*")
        .field("Connection", "close")
        .end();
    if (!head.is_complete()) co_return http::errc::head_too_large;

    const auto wanted =
        options.head_only ? connection_type::asks::head_only : connection_type::asks::body;
    const weft::result<void> answered =
        co_await connection.exchange(head.text(), wanted, UINT64_MAX);
    if (!answered) co_return answered.error();
    outcome came;
    came.status = connection.response().status();
    if (options.show_head) print_head(connection.response());
    const auto location = connection.response().fields().find("Location");
    if (is_redirect(came.status) && location && options.max_redirects > 0) {
        came.next = http::resolve(from, *location);
        if (!came.next) co_return http::errc::malformed_message;
        std::fprintf(stderr, "%u: on to %s\n", came.status, came.next->to_string().c_str());
        co_return came;
    }
    if (!options.head_only) {
        const weft::result<void> saved = co_await save_body(connection, into);
        if (!saved) co_return saved.error();
    }
    co_return came;
}

std::optional<weft::net::ip_address> address_of(const http::url& from, const settings& options) {
    for (const std::string& text : options.names) {
        const std::size_t equals = text.find('=');
        if (text.substr(0, equals) == from.host) {
            return weft::net::ip_address::parse(text.substr(equals + 1));
        }
    }
    return weft::net::ip_address::parse(from.host);
}

/// Follows redirects until something else comes. Returns the exit status.
template <class Network>
weft::task<int> fetch(Network& on, http::url from, const settings& options) {
    sink into{options.output};
    for (std::uint32_t hops = 0;; ++hops) {
        const auto address = address_of(from, options);
        if (!address) {
            throw std::runtime_error{"'" + from.host + "' is no address; name it with --resolve " +
                                     from.host + "=ADDRESS"};
        }
        const weft::endpoint remote{*address, from.port};
        auto stream = co_await weft::with_timeout(options.timeout(), on.connect(remote));
        if (!stream) throw std::runtime_error{remote.to_string() + ": " + stream.error().message()};
        const weft::result<outcome> came = co_await exchange(*stream, from, options, into);
        if (!came) throw std::runtime_error{from.to_string() + ": " + came.error().message()};
        if (!came->next) {
            std::fprintf(stderr, "%u %s, %llu bytes%s%s\n", came->status, from.to_string().c_str(),
                         static_cast<unsigned long long>(into.written_bytes()),
                         options.output.empty() ? "" : " in ", options.output.c_str());
            co_return came->status / 100 == 2 ? 0 : examples::exit_failed;
        }
        if (hops == options.max_redirects) throw std::runtime_error{"too many redirects"};
        from = *came->next;
    }
}

std::string check_name(const std::string& text) {
    const std::size_t equals = text.find('=');
    if (equals != std::string::npos && equals > 0 &&
        weft::net::ip_address::parse(text.substr(equals + 1))) {
        return {};
    }
    return "'" + text + "' is not NAME=ADDRESS";
}

}  // namespace

int main(int argc, char** argv) {
    settings options;
    CLI::App app{"Fetches a URL, over Weft's own TCP or the kernel's.", "http_get"};
    app.add_option("url", options.url, "http://ADDRESS[:PORT]/PATH")
        ->required()
        ->type_name("URL")
        ->check([](const std::string& text) {
            return http::parse_url(text) ? std::string{} : "'" + text + "' is no http URL";
        });
    app.add_option("-o,--output", options.output, "where the body goes; without it, to stdout")
        ->type_name("FILE");
    app.add_flag("-I,--head", options.head_only, "ask for the head only");
    app.add_flag("-i,--show-head", options.show_head, "print the fields of each response");
    app.add_option("--resolve", options.names, "the address of a name")
        ->type_name("NAME=ADDRESS")
        ->check(check_name)
        ->take_all();
    app.add_option("--max-redirects", options.max_redirects, "how many to follow; 0: none")
        ->capture_default_str();
    app.add_option("--timeout", options.timeout_seconds, "seconds for each step")
        ->capture_default_str()
        ->check(CLI::PositiveNumber);
    examples::add_network_options(app, options.network);
    if (const auto status = examples::parse_command_line(app, argc, argv)) return *status;
    return examples::run_program("http_get", [&options] {
        return examples::run_on_network(
            options.network,
            [](auto& on, const settings* asked) {
                return fetch(on, *http::parse_url(asked->url), *asked);
            },
            &options);
    });
}
