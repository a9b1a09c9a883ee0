#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <weft/log.hpp>

#include <array>
#include <cstdlib>
#include <mutex>
#include <optional>
#include <utility>

namespace weft::log {
namespace {

constexpr std::string_view known_levels = "trace, debug, info, warning, error, off";

std::optional<level> level_named(std::string_view name) {
    static constexpr auto names = std::to_array<std::pair<std::string_view, level>>({
        {"trace", level::trace},
        {"debug", level::debug},
        {"info", level::info},
        {"warn", level::warning},
        {"warning", level::warning},
        {"error", level::error},
        {"off", level::off},
    });
    for (const auto& [known, value] : names) {
        if (known == name) return value;
    }
    return std::nullopt;
}

spdlog::level::level_enum to_spdlog(level of) noexcept {
    switch (of) {
        case level::trace: return spdlog::level::trace;
        case level::debug: return spdlog::level::debug;
        case level::info: return spdlog::level::info;
        case level::warning: return spdlog::level::warn;
        case level::error: return spdlog::level::err;
        case level::off: return spdlog::level::off;
    }
    return spdlog::level::off;
}

std::string_view trimmed(std::string_view text) noexcept {
    const auto first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

/// All loggers. Never destroyed, so that destructors of static objects may still log.
class registry {
public:
    registry() {
        sink_->set_pattern("%H:%M:%S.%f %^%-7l%$ %n: %v");
        if (const char* text = std::getenv("WEFT_LOG")) rules_ = parse_levels(text);
        if (!rules_.problem.empty()) find("log").warning("WEFT_LOG: {}", rules_.problem);
    }

    logger& get(std::string_view subsystem) {
        const std::lock_guard guard{mutex_};
        return find(subsystem);
    }

    void set(level_rules rules) {
        const std::lock_guard guard{mutex_};
        rules_ = std::move(rules);
        for (auto& [name, entry] : loggers_) entry->set_threshold(rules_.of(name));
    }

private:
    logger& find(std::string_view subsystem) {
        auto at = loggers_.find(subsystem);
        if (at == loggers_.end()) {
            auto out = std::make_shared<spdlog::logger>(std::string{subsystem}, sink_);
            out->set_level(spdlog::level::trace);  // the threshold is ours
            out->flush_on(spdlog::level::trace);
            auto made = std::make_unique<logger>(std::move(out), rules_.of(subsystem));
            at = loggers_.emplace(std::string{subsystem}, std::move(made)).first;
        }
        return *at->second;
    }

    std::mutex mutex_;
    std::shared_ptr<spdlog::sinks::stderr_color_sink_mt> sink_ =
        std::make_shared<spdlog::sinks::stderr_color_sink_mt>();
    level_rules rules_;
    std::map<std::string, std::unique_ptr<logger>, std::less<>> loggers_;
};

registry& all() {
    static registry& instance = *new registry;
    return instance;
}

}  // namespace

logger::logger(std::shared_ptr<spdlog::logger> sink, level threshold) noexcept
    : threshold_{threshold}, sink_{std::move(sink)} {}

logger::~logger() = default;

void logger::write(level of, fmt::string_view format, fmt::format_args args) {
    const std::string line = fmt::vformat(format, args);
    sink_->log(to_spdlog(of), spdlog::string_view_t{line.data(), line.size()});
}

level level_rules::of(std::string_view subsystem) const {
    const auto at = by_subsystem.find(subsystem);
    return at == by_subsystem.end() ? otherwise : at->second;
}

level_rules parse_levels(std::string_view text) {
    level_rules rules;
    while (!text.empty()) {
        const auto comma = text.find(',');
        const std::string_view part = trimmed(text.substr(0, comma));
        text = comma == std::string_view::npos ? std::string_view{} : text.substr(comma + 1);
        if (part.empty()) continue;

        const auto equals = part.find('=');
        const bool is_default = equals == std::string_view::npos;
        const std::string_view subsystem = is_default ? "" : trimmed(part.substr(0, equals));
        const auto value = level_named(trimmed(is_default ? part : part.substr(equals + 1)));
        if (!value || (!is_default && subsystem.empty())) {
            if (!rules.problem.empty()) rules.problem += "; ";
            rules.problem += fmt::format(
                "cannot use '{}': write LEVEL or SUBSYSTEM=LEVEL, where LEVEL is one of {}", part,
                known_levels);
        } else if (is_default) {
            rules.otherwise = *value;
        } else {
            rules.by_subsystem[std::string{subsystem}] = *value;
        }
    }
    return rules;
}

logger& get(std::string_view subsystem) { return all().get(subsystem); }

void set_levels(level_rules rules) {
    if (!rules.problem.empty()) get("log").warning("log levels: {}", rules.problem);
    all().set(std::move(rules));
}

}  // namespace weft::log
