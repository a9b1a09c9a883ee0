#pragma once
// What to answer a request for a file: status, fields, and which bytes. RFC 9110.

#include "http_server/exchange_memory.hpp"
#include "http_server/site.hpp"

#include <weft/http/conditions.hpp>
#include <weft/http/head_writer.hpp>
#include <weft/http/message_parser.hpp>
#include <weft/http/request_target.hpp>
#include <weft/http/status.hpp>

#include <memory>
#include <optional>
#include <string_view>

namespace examples {

struct answer {
    answer() noexcept {}

    weft::http::status status = weft::http::status::ok;
    std::shared_ptr<const page> file;   ///< whose bytes are the body; null: a line of text
    std::shared_ptr<const page> about;  ///< whose validators are told
    weft::http::byte_range body;
    std::uint64_t whole_bytes = 0;  ///< of the file, for Content-Range
    std::string_view location;
    bool is_head_only = false;
    bool keeps_alive = false;
    bool is_http_1_0 = false;
};

/// Decides, one lookup after the other:
///
///     while (const auto path = search.wanted()) search.found(…what lies at *path…);
///
/// Then the answer is complete. `memory` holds the decoded path and a Location. Everything that is
/// referred to outlives the search, and so do the views it gives.
class answer_search {
public:
    answer_search(const weft::http::request_parser& request, const site& pages,
                  exchange_memory& memory, answer& out);

    /// What to look up next; nothing when it is decided.
    [[nodiscard]] std::optional<std::string_view> wanted() const noexcept { return wanted_; }
    void found(const lookup_result& there);

private:
    void begin(const site& pages);

    const weft::http::request_parser& request_;
    exchange_memory& memory_;
    answer& out_;
    weft::http::request_target target_;
    std::optional<std::string_view> wanted_;
    bool is_index_ = false;
};

/// Writes the head, and a short text behind it where the answer has no file and may have a body.
void write_head(weft::http::head_writer& head, const answer& what);

/// One line at level info; `request` may be null.
void log_answer(const weft::http::request_parser* request, const answer& what);

}  // namespace examples
