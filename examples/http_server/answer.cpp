#include "http_server/answer.hpp"

#include <weft/http/content_type.hpp>
#include <weft/log.hpp>

#include <chrono>
#include <cstring>
#include <span>

namespace examples {
namespace {

namespace http = weft::http;
using http::status;

http::date now() noexcept {
    return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
}

/// Appends `text` to a path in the path buffer; empty when it does not fit.
std::string_view append(std::string_view path, std::string_view text, std::span<char> buffer) {
    if (path.size() + text.size() > buffer.size()) return {};
    std::memcpy(buffer.data() + path.size(), text.data(), text.size());
    return {buffer.data(), path.size() + text.size()};
}

/// `/path/` or `/path/?query`, encoded anew from the decoded path: never `//host`.
std::string_view directory_location(const http::request_target& target, std::span<char> buffer) {
    buffer[0] = '/';
    const std::span<char> rest = buffer.subspan(1);
    std::size_t used = 1 + http::encode_path(target.path, rest).size();
    const std::size_t query_bytes = target.has_query ? target.query.size() + 1 : 0;
    if (buffer.size() - used < 1 + query_bytes) return {};
    buffer[used++] = '/';
    if (target.has_query) {
        buffer[used++] = '?';
        std::memcpy(buffer.data() + used, target.query.data(), target.query.size());
        used += target.query.size();
    }
    return {buffer.data(), used};
}

status status_of(lookup_result::kind what) noexcept {
    switch (what) {
        case lookup_result::kind::file: return status::ok;
        case lookup_result::kind::missing: return status::not_found;
        case lookup_result::kind::directory:
        case lookup_result::kind::forbidden: return status::forbidden;
        case lookup_result::kind::failed: break;
    }
    return status::internal_server_error;
}

/// Preconditions, then ranges (RFC 9110 §13.2.2).
void answer_with(const std::shared_ptr<const page>& found, const http::request_parser& request,
                 answer& out) {
    const http::validators current{found->tag.view(), found->modified};
    out.about = found;
    out.whole_bytes = found->size_bytes;
    switch (http::check_preconditions(request.fields(), current, now())) {
        case http::precondition::not_modified: out.status = status::not_modified; return;
        case http::precondition::failed: out.status = status::precondition_failed; return;
        case http::precondition::holds: break;
    }
    out.body = {http::byte_range::kind::whole, 0, found->size_bytes};
    if (request.method() == http::method::get) {
        out.body = http::select_range(request.fields(), current, found->size_bytes, now());
    }
    switch (out.body.what) {
        case http::byte_range::kind::unsatisfiable:
            out.status = status::range_not_satisfiable;
            return;
        case http::byte_range::kind::part: out.status = status::partial_content; break;
        case http::byte_range::kind::whole: out.status = status::ok; break;
    }
    out.file = found;
}

/// What can be said without looking at the folder; true: that is all.
bool refuse_early(const http::request_parser& request, answer& out) {
    const auto expectation = request.fields().find("Expect");
    if (request.method() == http::method::unknown) {
        out.status = status::not_implemented;
    } else if (request.method() == http::method::other) {
        out.status = status::method_not_allowed;
    } else if (expectation && !http::equal_without_case(*expectation, "100-continue")) {
        out.status = status::expectation_failed;
    } else {
        return false;
    }
    return true;
}

}  // namespace

answer_search::answer_search(const http::request_parser& request, const site& pages,
                             exchange_memory& memory, answer& out)
    : request_{request}, memory_{memory}, out_{out} {
    out.is_head_only = request.method() == http::method::head;
    if (!refuse_early(request, out)) begin(pages);
}

void answer_search::begin(const site& pages) {
    target_ = http::parse_request_target(request_.target(), memory_.path);
    switch (target_.what) {
        case http::request_target::verdict::malformed:
        case http::request_target::verdict::asterisk: out_.status = status::bad_request; return;
        case http::request_target::verdict::above_the_root: out_.status = status::forbidden; return;
        case http::request_target::verdict::good: break;
    }
    if (const std::string_view to = pages.redirect_of(target_.path); !to.empty()) {
        out_.status = status::found;
        out_.location = to;
        return;
    }
    wanted_ = target_.path;
}

void answer_search::found(const lookup_result& there) {
    wanted_.reset();
    lookup_result::kind what = there.what;
    if (is_index_) {
        // Listings are not made.
        if (what == lookup_result::kind::missing) what = lookup_result::kind::forbidden;
    } else if (what == lookup_result::kind::directory) {
        if (!target_.names_directory && !target_.path.empty()) {
            out_.status = status::moved_permanently;
            out_.location = directory_location(target_, memory_.location);
            if (out_.location.empty()) out_.status = status::uri_too_long;
            return;
        }
        is_index_ = true;
        wanted_ =
            append(target_.path, target_.path.empty() ? "index.html" : "/index.html", memory_.path);
        return;
    } else if (what == lookup_result::kind::file && target_.names_directory) {
        what = lookup_result::kind::missing;
    }
    if (what == lookup_result::kind::file) {
        answer_with(there.found, request_, out_);
    } else {
        out_.status = status_of(what);
    }
}

void write_head(http::head_writer& head, const answer& what) {
    head.status_line(what.status)
        .field("Server", "weft")
        .field("Date", http::date_text{now()}.view());
    if (!what.keeps_alive) {
        head.field("Connection", "close");
    } else if (what.is_http_1_0) {
        head.field("Connection", "keep-alive");
    }
    if (!what.location.empty()) head.field("Location", what.location);
    if (what.status == status::method_not_allowed) head.field("Allow", "GET, HEAD");
    if (what.status == status::range_not_satisfiable) {
        head.content_range_unsatisfied(what.whole_bytes);
    } else if (what.about) {
        head.field("Last-Modified", what.about->last_modified.view());
        head.field("ETag", what.about->tag.view());
    }
    if (what.file) {
        head.field("Accept-Ranges", "bytes").field("Content-Type", what.file->content_type);
        if (what.status == status::partial_content) {
            head.content_range(what.body.first, what.body.first + what.body.count - 1,
                               what.whole_bytes);
        }
        head.field("Content-Length", what.body.count).end();
        return;
    }
    if (what.status == status::not_modified) {
        head.end();
        return;
    }
    const std::string_view phrase = http::phrase_of(what.status);
    head.field("Content-Type", "text/plain; charset=utf-8");
    head.field("Content-Length", std::uint64_t{phrase.size() + 5}).end();
    if (what.is_head_only) return;
    head.put(std::uint64_t{http::code_of(what.status)}).put(" ").put(phrase).put("\n");
}

void log_answer(const http::request_parser* request, const answer& what) {
    static weft::log::logger& log = weft::log::get("http");
    if (!log.shows(weft::log::level::info)) return;
    const std::string_view method = request == nullptr ? "-" : request->method_name();
    const std::string_view target = request == nullptr ? "-" : request->target();
    log.info("{} {} {} {}", http::code_of(what.status), method, target,
             what.file ? what.body.count : 0);
}

}  // namespace examples
