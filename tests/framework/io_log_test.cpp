// Log levels: what WEFT_LOG may say, and what a level lets through.
#include <doctest/doctest.h>
#include <weft/log.hpp>

#include <unistd.h>

#include <array>
#include <cstdio>
#include <string>

namespace {

namespace log = weft::log;

/// What is written to stderr while it lives.
class captured_stderr {
public:
    captured_stderr() : file_{std::tmpfile()}, before_{::dup(2)} {
        std::fflush(stderr);
        ::dup2(::fileno(file_), 2);
    }
    ~captured_stderr() {
        restore();
        std::fclose(file_);
    }
    std::string text() {
        restore();
        std::string all;
        std::array<char, 512> part{};
        std::rewind(file_);
        while (std::fgets(part.data(), static_cast<int>(part.size()), file_) != nullptr) {
            all += part.data();
        }
        return all;
    }

private:
    void restore() {
        if (before_ < 0) return;
        std::fflush(stderr);
        ::dup2(before_, 2);
        ::close(before_);
        before_ = -1;
    }
    std::FILE* file_;
    int before_;
};

struct counting {
    int* formatted;
};

}  // namespace

template <>
struct fmt::formatter<counting> {
    static constexpr auto parse(fmt::format_parse_context& context) { return context.begin(); }
    template <class Context>
    auto format(const counting& value, Context& context) const {
        ++*value.formatted;
        return context.out();
    }
};

TEST_SUITE("framework.log") {
TEST_CASE("a default and exceptions from it") {
    const log::level_rules rules = log::parse_levels("info, tcp=debug,ip=off");
    CHECK(rules.problem.empty());
    CHECK(rules.of("tap") == log::level::info);
    CHECK(rules.of("tcp") == log::level::debug);
    CHECK(rules.of("ip") == log::level::off);
    CHECK(log::parse_levels("").of("tcp") == log::level::warning);
}

TEST_CASE("what makes no sense is named, the rest is used") {
    const log::level_rules rules = log::parse_levels("loud,tcp=debug,=info,ip=");
    CHECK(rules.of("tcp") == log::level::debug);
    CHECK(rules.of("ip") == log::level::warning);
    CHECK(rules.problem.find("'loud'") != std::string::npos);
    CHECK(rules.problem.find("'=info'") != std::string::npos);
    CHECK(rules.problem.find("'ip='") != std::string::npos);
    CHECK(rules.problem.find("debug") != std::string::npos);
}

TEST_CASE("a level that is off formats nothing and writes nothing") {
    log::logger& logger = log::get("test");
    int formatted = 0;
    captured_stderr errors;
    logger.set_threshold(log::level::warning);
    logger.info("{}", counting{&formatted});
    CHECK(formatted == 0);
    logger.warning("lost {} of {}{}", 3, 7, counting{&formatted});
    const std::string text = errors.text();
    CHECK(formatted == 1);
    CHECK(text.find("lost 3 of 7") != std::string::npos);
    CHECK(text.find("test") != std::string::npos);
    CHECK(text.find("warning") != std::string::npos);
}

TEST_CASE("a subsystem has one logger, and new rules reach it") {
    log::logger& logger = log::get("rules");
    CHECK(&logger == &log::get("rules"));
    log::set_levels(log::parse_levels("error,rules=trace"));
    CHECK(logger.shows(log::level::trace));
    CHECK_FALSE(log::get("others").shows(log::level::warning));
    log::set_levels({});
    CHECK_FALSE(logger.shows(log::level::info));
}
}  // TEST_SUITE("framework.log")
