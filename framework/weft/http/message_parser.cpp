#include <weft/http/message_parser.hpp>

#include <boost/beast/http/impl/basic_parser.ipp>

#include <functional>

namespace weft::http {
namespace detail {
namespace {

namespace beast = boost::beast::http;

/// The first line is `… HTTP/d.d`, so what is wrong with it is only the number.
bool has_foreign_version(std::string_view input) noexcept {
    const std::string_view line = input.substr(0, input.find("\r\n"));
    if (line.size() < 8) return false;
    const std::string_view version = line.substr(line.size() - 8);
    const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
    return version.starts_with("HTTP/") && is_digit(version[5]) && version[6] == '.' &&
           is_digit(version[7]);
}

/// The first line, if it is whole, ends within a quoted string (RFC 9110 §5.6.4).
bool has_open_quote(std::string_view input) noexcept {
    const std::size_t end = input.find("\r\n");
    if (end == std::string_view::npos) return false;
    bool is_open = false;
    for (std::size_t at = 0; at < end; ++at) {
        if (input[at] == '"') is_open = !is_open;
        if (is_open && input[at] == '\\') ++at;
    }
    return is_open;
}

}  // namespace

template <bool IsRequest>
std::size_t message_parser<IsRequest>::feed(std::string_view input) {
    input_ = input;
    body_ = {};
    beast_error ec;
    if (this->is_header_done() && this->chunked() && chunk_left_ == 0) {
        // Beast 1.74 asserts that a last chunk is offered again only with its end in sight, 5
        // bytes. What a line with a leading 0 announces has at least as many.
        if (!has_chunk_ && input.starts_with('0') && input.size() < 5) return 0;
        // Beast looks for the end of a quoted string beyond the end of the line.
        if (has_open_quote(input.substr(has_chunk_ && input.starts_with("\r\n") ? 2 : 0))) {
            fail(parse_problem::malformed, ec);
            return 0;
        }
    }
    const std::size_t taken = this->put(boost::asio::const_buffer{input.data(), input.size()}, ec);
    take_error(ec, input);
    return taken;
}

template <bool IsRequest>
void message_parser<IsRequest>::feed_end() {
    body_ = {};
    beast_error ec;
    if (this->got_some()) {
        this->put_eof(ec);
    } else {
        ec = beast::error::end_of_stream;
    }
    take_error(ec, {});
}

template <bool IsRequest>
void message_parser<IsRequest>::fail(parse_problem why, beast_error& ec) noexcept {
    problem_ = why;
    ec = beast::error::bad_value;
}

template <bool IsRequest>
void message_parser<IsRequest>::take_error(const beast_error& ec, std::string_view input) noexcept {
    if (!ec || ec == beast::error::need_more || problem_ != parse_problem::none) return;
    if (ec == beast::error::body_limit) {
        problem_ = parse_problem::body_too_large;
    } else if (ec == beast::error::bad_version && has_foreign_version(input)) {
        problem_ = parse_problem::bad_version;
    } else {
        problem_ = parse_problem::malformed;
    }
}

template <bool IsRequest>
void message_parser<IsRequest>::on_request_impl(beast::verb verb, beast_view method,
                                                beast_view target, int version, beast_error&) {
    verb_ = verb;
    method_ = view(method);
    target_ = view(target);
    version_ = version;
}

template <bool IsRequest>
void message_parser<IsRequest>::on_response_impl(int code, beast_view, int version, beast_error&) {
    status_ = static_cast<unsigned>(code);
    version_ = version;
}

template <bool IsRequest>
void message_parser<IsRequest>::on_field_impl(beast::field, beast_view name, beast_view value,
                                              beast_error& ec) {
    if (this->is_header_done()) return;  // a trailer: nothing here asks for one
    // Beast joins folded lines in a buffer of its own. RFC 9112 §5.2: a server may refuse them.
    const std::less<> before;
    if (!value.empty() && (before(value.data(), input_.data()) ||
                           !before(value.data(), input_.data() + input_.size()))) {
        return fail(parse_problem::malformed, ec);
    }
    if (!fields_.add(view(name), view(value))) fail(parse_problem::too_many_fields, ec);
}

template <bool IsRequest>
parse_problem message_parser<IsRequest>::check_head() const noexcept {
    const std::size_t codings = fields_.count("Transfer-Encoding");
    if (codings > 1) return parse_problem::malformed;
    if (codings == 1) {
        // RFC 9112 §6.1: an HTTP/1.0 message with a transfer coding has faulty framing.
        if (version_ == 10) return parse_problem::malformed;
        const std::string_view coding = *fields_.find("Transfer-Encoding");
        if (!equal_without_case(trim(coding), "chunked")) return parse_problem::unknown_coding;
    }
    if constexpr (IsRequest) {  // RFC 9112 §3.2
        const std::size_t hosts = fields_.count("Host");
        if (hosts > 1 || (hosts == 0 && version_ == 11)) return parse_problem::malformed;
    }
    return parse_problem::none;
}

template <bool IsRequest>
void message_parser<IsRequest>::on_header_impl(beast_error& ec) {
    if (const parse_problem found = check_head(); found != parse_problem::none) fail(found, ec);
}

template <bool IsRequest>
void message_parser<IsRequest>::on_body_init_impl(const boost::optional<std::uint64_t>&,
                                                  beast_error&) {}

template <bool IsRequest>
std::size_t message_parser<IsRequest>::on_body_impl(beast_view piece, beast_error&) {
    body_ = view(piece);
    return piece.size();
}

template <bool IsRequest>
void message_parser<IsRequest>::on_chunk_header_impl(std::uint64_t size, beast_view, beast_error&) {
    has_chunk_ = true;
    chunk_left_ = size;
}

template <bool IsRequest>
std::size_t message_parser<IsRequest>::on_chunk_body_impl(std::uint64_t, beast_view piece,
                                                          beast_error&) {
    body_ = view(piece);
    chunk_left_ -= piece.size();
    return piece.size();
}

template <bool IsRequest>
void message_parser<IsRequest>::on_finish_impl(beast_error&) {}

template class message_parser<true>;
template class message_parser<false>;

}  // namespace detail

method request_parser::method() const noexcept {
    using boost::beast::http::verb;
    switch (verb_) {
        case verb::get: return http::method::get;
        case verb::head: return http::method::head;
        case verb::unknown: return http::method::unknown;
        default: return http::method::other;
    }
}

}  // namespace weft::http
