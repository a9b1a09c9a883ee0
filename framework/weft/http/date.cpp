#include <weft/http/date.hpp>
#include <weft/http/text.hpp>

#include <algorithm>

namespace weft::http {
namespace {

namespace chrono = std::chrono;

constexpr std::array<std::string_view, 7> days{"Sunday",   "Monday", "Tuesday", "Wednesday",
                                               "Thursday", "Friday", "Saturday"};
constexpr std::array<std::string_view, 12> months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                  "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

/// Takes a text apart from its front; the first thing that does not fit ends it all.
class reader {
public:
    explicit reader(std::string_view text) noexcept : rest_{text} {}

    [[nodiscard]] bool is_complete() const noexcept { return good_ && rest_.empty(); }

    void literal(std::string_view expected) noexcept {
        if (!rest_.starts_with(expected)) return fail();
        rest_.remove_prefix(expected.size());
    }
    unsigned digits(std::size_t count) noexcept {
        const auto value = parse_decimal(rest_.substr(0, count));
        if (rest_.size() < count || !value) return fail(), 0;
        rest_.remove_prefix(count);
        return static_cast<unsigned>(*value);
    }
    /// asctime's day of the month: one digit is preceded by a blank.
    unsigned padded_day() noexcept {
        if (!rest_.starts_with(' ')) return digits(2);
        rest_.remove_prefix(1);
        return digits(1);
    }
    unsigned month() noexcept {
        const auto* found = std::find(months.begin(), months.end(), rest_.substr(0, 3));
        if (found == months.end()) return fail(), 0;
        rest_.remove_prefix(3);
        return static_cast<unsigned>(found - months.begin()) + 1;
    }
    void day_name(std::size_t letters) noexcept {
        for (const std::string_view day : days) {
            const std::string_view name = day.substr(0, letters);
            if (rest_.starts_with(name)) return rest_.remove_prefix(name.size());
        }
        fail();
    }
    chrono::seconds time() noexcept {
        const unsigned hours = digits(2);
        literal(":");
        const unsigned minutes = digits(2);
        literal(":");
        const unsigned seconds = digits(2);
        if (hours > 23 || minutes > 59 || seconds > 60) fail();
        return chrono::hours{hours} + chrono::minutes{minutes} +
               chrono::seconds{std::min(seconds, 59U)};  // a leap second is the one before it
    }

private:
    void fail() noexcept {
        good_ = false;
        rest_ = {};
    }

    std::string_view rest_;
    bool good_ = true;
};

struct parts {
    unsigned year = 0;
    unsigned month = 0;
    unsigned day = 0;
    chrono::seconds time{};

    [[nodiscard]] std::optional<date> as_date() const noexcept {
        const chrono::year_month_day calendar{chrono::year{static_cast<int>(year)},
                                              chrono::month{month}, chrono::day{day}};
        if (!calendar.ok()) return std::nullopt;
        return date{chrono::sys_days{calendar}} + time;
    }
};

unsigned year_of(date when) noexcept {
    const chrono::year_month_day calendar{chrono::floor<chrono::days>(when)};
    return static_cast<unsigned>(static_cast<int>(calendar.year()));
}

std::optional<date> parse_fixdate(std::string_view text) noexcept {
    reader in{text};
    parts p;
    in.day_name(3);
    in.literal(", ");
    p.day = in.digits(2);
    in.literal(" ");
    p.month = in.month();
    in.literal(" ");
    p.year = in.digits(4);
    in.literal(" ");
    p.time = in.time();
    in.literal(" GMT");
    return in.is_complete() ? p.as_date() : std::nullopt;
}

std::optional<date> parse_rfc850(std::string_view text, date now) noexcept {
    reader in{text};
    parts p;
    in.day_name(std::string_view::npos);
    in.literal(", ");
    p.day = in.digits(2);
    in.literal("-");
    p.month = in.month();
    in.literal("-");
    const unsigned two_digits = in.digits(2);
    in.literal(" ");
    p.time = in.time();
    in.literal(" GMT");
    const unsigned this_year = year_of(now);
    p.year = this_year / 100 * 100 + two_digits;
    if (p.year > this_year + 50) p.year -= 100;
    return in.is_complete() ? p.as_date() : std::nullopt;
}

std::optional<date> parse_asctime(std::string_view text) noexcept {
    reader in{text};
    parts p;
    in.day_name(3);
    in.literal(" ");
    p.month = in.month();
    in.literal(" ");
    p.day = in.padded_day();
    in.literal(" ");
    p.time = in.time();
    in.literal(" ");
    p.year = in.digits(4);
    return in.is_complete() ? p.as_date() : std::nullopt;
}

}  // namespace

date_text::date_text(date when) noexcept {
    using namespace std::chrono_literals;
    constexpr date first = chrono::sys_days{0000y / 1 / 1};
    constexpr date last = date{chrono::sys_days{10000y / 1 / 1}} - 1s;
    when = std::clamp(when, first, last);

    const auto day = chrono::floor<chrono::days>(when);
    const chrono::year_month_day calendar{day};
    const chrono::hh_mm_ss time{when - day};
    char* out = text_.data();
    const auto put = [&out](std::string_view text) {
        out = std::copy(text.begin(), text.end(), out);
    };
    const auto put_number = [&out](unsigned value, int width) {
        for (int i = width - 1; i >= 0; --i, value /= 10) {
            out[i] = static_cast<char>('0' + value % 10);
        }
        out += width;
    };
    put(days[chrono::weekday{day}.c_encoding()].substr(0, 3));
    put(", ");
    put_number(static_cast<unsigned>(calendar.day()), 2);
    put(" ");
    put(months[static_cast<unsigned>(calendar.month()) - 1]);
    put(" ");
    put_number(static_cast<unsigned>(static_cast<int>(calendar.year())), 4);
    put(" ");
    put_number(static_cast<unsigned>(time.hours().count()), 2);
    put(":");
    put_number(static_cast<unsigned>(time.minutes().count()), 2);
    put(":");
    put_number(static_cast<unsigned>(time.seconds().count()), 2);
    put(" GMT");
}

std::optional<date> parse_date(std::string_view text, date now) noexcept {
    if (const auto fixdate = parse_fixdate(text)) return fixdate;
    if (const auto old = parse_rfc850(text, now)) return old;
    return parse_asctime(text);
}

}  // namespace weft::http
