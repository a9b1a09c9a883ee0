#pragma once
// Boost.Beast's HTTP/1 parser as Weft uses it: fed from a caller's buffer, with results that are
// views into it. No allocation, no sockets, no Asio. RFC 9112.
//
// Beast does the grammar (start line, fields, Content-Length, chunks). This class keeps the fields,
// names what went wrong, and is stricter in three places where leniency helps request smuggling:
// folded lines, transfer codings that are not exactly `chunked`, and a missing or repeated Host.
// One object a message. The fed bytes of the head must stay where they are while it is looked at.

#include <weft/http/fields.hpp>

#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/verb.hpp>

#include <cstdint>
#include <span>
#include <string_view>

namespace weft::http {

enum class parse_problem : std::uint8_t {
    none,
    malformed,        ///< 400
    bad_version,      ///< 505: HTTP, of a version that is not 1.x
    too_many_fields,  ///< 431
    body_too_large,   ///< 413
    unknown_coding,   ///< 501: a transfer coding that we do not decode
};

namespace detail {

template <bool IsRequest>
class message_parser : boost::beast::http::basic_parser<IsRequest> {
    using beast_parser = boost::beast::http::basic_parser<IsRequest>;
    using beast_view = boost::beast::string_view;
    using beast_error = boost::beast::error_code;

public:
    /// `max_body_bytes` limits what is taken of a body; the head is limited by the caller's buffer.
    explicit message_parser(std::uint64_t max_body_bytes) {
        this->body_limit(max_body_bytes);
        this->header_limit(UINT32_MAX);
    }

    /// Takes bytes from the front of `input` and returns how many. When it takes none and there is
    /// no problem, it needs more than `input` holds. One piece of a body at most is taken a call:
    /// see body(). Precondition: not is_complete(), and no problem so far.
    std::size_t feed(std::string_view input);
    /// The peer closed: right for a body without a length, a problem for everything else.
    void feed_end();

    [[nodiscard]] bool is_started() const { return this->got_some(); }
    [[nodiscard]] bool is_head_complete() const { return this->is_header_done(); }
    [[nodiscard]] bool is_complete() const { return this->is_done(); }
    [[nodiscard]] parse_problem problem() const noexcept { return problem_; }

    /// The piece of body that the last feed() took: a view into its input.
    [[nodiscard]] std::string_view body() const noexcept { return body_; }

    // The head, from is_head_complete() on.
    [[nodiscard]] const http::fields& fields() const noexcept { return fields_; }
    [[nodiscard]] bool is_http_1_0() const noexcept { return version_ == 10; }
    /// What the version and Connection say (RFC 9112 §9.3).
    [[nodiscard]] bool keeps_alive() const { return this->keep_alive(); }
    [[nodiscard]] bool has_body() const { return !this->is_done(); }
    [[nodiscard]] bool is_chunked() const { return this->chunked(); }
    /// Of a body that is not chunked; 0 when there is none, or none is known.
    [[nodiscard]] std::uint64_t content_length() const {
        const auto length = beast_parser::content_length();
        return length ? *length : 0;
    }
    [[nodiscard]] bool has_content_length() const {
        return static_cast<bool>(beast_parser::content_length());
    }

protected:
    std::string_view method_;
    std::string_view target_;
    boost::beast::http::verb verb_ = boost::beast::http::verb::unknown;
    unsigned status_ = 0;

    void expect_no_body() { this->skip(true); }

private:
    static std::string_view view(beast_view text) noexcept { return {text.data(), text.size()}; }
    void fail(parse_problem why, beast_error& ec) noexcept;
    void take_error(const beast_error& ec, std::string_view input) noexcept;
    [[nodiscard]] parse_problem check_head() const noexcept;

    void on_request_impl(boost::beast::http::verb verb, beast_view method, beast_view target,
                         int version, beast_error& ec) override;
    void on_response_impl(int code, beast_view reason, int version, beast_error& ec) override;
    void on_field_impl(boost::beast::http::field id, beast_view name, beast_view value,
                       beast_error& ec) override;
    void on_header_impl(beast_error& ec) override;
    void on_body_init_impl(const boost::optional<std::uint64_t>& length, beast_error& ec) override;
    std::size_t on_body_impl(beast_view piece, beast_error& ec) override;
    void on_chunk_header_impl(std::uint64_t size, beast_view extensions, beast_error& ec) override;
    std::size_t on_chunk_body_impl(std::uint64_t remain, beast_view piece,
                                   beast_error& ec) override;
    void on_finish_impl(beast_error& ec) override;

    http::fields fields_;
    std::string_view input_;  // of the feed() that is running
    std::string_view body_;
    std::uint64_t chunk_left_ = 0;  // of the chunk that is being read
    int version_ = 11;
    bool has_chunk_ = false;  // the line of the first chunk was read
    parse_problem problem_ = parse_problem::none;
};

extern template class message_parser<true>;
extern template class message_parser<false>;

}  // namespace detail

enum class method : std::uint8_t {
    get,
    head,
    other,    ///< a method of RFC 9110 or of its registry
    unknown,  ///< a word
};

class request_parser : public detail::message_parser<true> {
public:
    using message_parser::message_parser;

    [[nodiscard]] http::method method() const noexcept;
    [[nodiscard]] std::string_view method_name() const noexcept { return method_; }
    [[nodiscard]] std::string_view target() const noexcept { return target_; }
};

class response_parser : public detail::message_parser<false> {
public:
    /// `answers_head`: to a HEAD, so there is no body whatever the fields say.
    response_parser(std::uint64_t max_body_bytes, bool answers_head)
        : message_parser{max_body_bytes} {
        if (answers_head) expect_no_body();
    }

    [[nodiscard]] unsigned status() const noexcept { return status_; }
};

}  // namespace weft::http
