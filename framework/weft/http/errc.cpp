#include <weft/http/errc.hpp>

#include <string>

namespace weft::http {
namespace {

class category final : public std::error_category {
public:
    [[nodiscard]] const char* name() const noexcept override { return "http"; }
    [[nodiscard]] std::string message(int value) const override {
        switch (static_cast<errc>(value)) {
            case errc::malformed_message: return "the peer's message is not HTTP/1.x";
            case errc::head_too_large: return "the head of the peer's message is too large";
            case errc::body_too_large: return "the body of the peer's message is too large";
            case errc::unknown_coding: return "the peer uses a transfer coding other than chunked";
            case errc::unexpected_end: return "the peer closed before its message was complete";
        }
        return "unknown HTTP error";
    }
};

}  // namespace

const std::error_category& error_category() noexcept {
    static const category the_category;
    return the_category;
}

}  // namespace weft::http
