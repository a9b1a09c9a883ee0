#include <fmt/format.h>
#include <weft/debug.hpp>
#include <weft/frame_allocator.hpp>

#include <chrono>
#include <cstdint>
#include <iterator>
#include <map>
#include <set>
#include <string_view>
#include <type_traits>
#include <utility>

namespace weft::debug {
namespace {

double seconds(duration length) noexcept { return std::chrono::duration<double>{length}.count(); }

void replace_all(std::string& text, std::string_view from, std::string_view to) {
    for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
        text.replace(at, from.size(), to);
    }
}

/// Where the bracket that ends at `last` begins; npos when the text is cut short.
std::size_t opening_of(std::string_view text, std::size_t last) noexcept {
    std::size_t depth = 0;
    for (std::size_t at = last + 1; at-- > 0;) {
        if (text[at] == ')') ++depth;
        if (text[at] == '(' && --depth == 0) return at;
    }
    return std::string_view::npos;
}

/// The last two components of a path: enough to find the file, short enough for a line.
std::string_view short_path(std::string_view path) noexcept {
    const std::size_t last = path.rfind('/');
    if (last == std::string_view::npos || last == 0) return path;
    const std::size_t before = path.rfind('/', last - 1);
    return before == std::string_view::npos ? path : path.substr(before + 1);
}

std::string describe_frames() {
    std::uint64_t count = 0;
    std::string classes;
    for (const live_frames& each : frame_allocator::alive()) {
        count += each.count;
        if (!classes.empty()) classes += ", ";
        classes += each.up_to_bytes == 0 ? fmt::format("{} larger", each.count)
                                         : fmt::format("{} of {} B", each.count, each.up_to_bytes);
    }
    return fmt::format("{} frames and the like of this thread{}{}\n", count,
                       classes.empty() ? "" : ": ", classes);
}

}  // namespace

std::string function_name(std::string_view as_compiled) {
    std::string name{as_compiled};
    const std::size_t with = name.rfind(" [");  // clang's template arguments
    if (with != std::string::npos && name.ends_with(']')) name.resize(with);
    const std::size_t closing = name.rfind(')');
    if (closing == std::string::npos) return name;
    const std::size_t parameters = opening_of(name, closing);
    if (parameters == std::string::npos) return name;
    name.resize(parameters);
    replace_all(name, "(anonymous namespace)::", "");
    replace_all(name, "{anonymous}::", "");
    replace_all(name, " &", "&");
    replace_all(name, " *", "*");
    replace_all(name, "(anonymous class)::operator()", "lambda");
    for (std::size_t lambda; (lambda = name.find("<lambda(")) != std::string::npos;) {
        const std::size_t end = name.find(")>::operator()", lambda);
        if (end == std::string::npos) break;
        name.replace(lambda, end + 14 - lambda, "lambda");
    }
    std::size_t begin = 0;  // behind the return type: the last space outside of all brackets
    int depth = 0;
    for (std::size_t at = 0; at < name.size(); ++at) {
        if (name[at] == '<' || name[at] == '(') ++depth;
        if (name[at] == '>' || name[at] == ')') --depth;
        if (name[at] == ' ' && depth == 0) begin = at + 1;
    }
    return name.substr(begin);
}

namespace {

/// What a line begins with.
std::string_view kind_of(traced::record_type type) noexcept {
    switch (type) {
        case traced::record_type::task: break;
        case traced::record_type::fiber: return "fiber ";
        case traced::record_type::generator: return "generator ";
        case traced::record_type::callback: return "callback of ";
    }
    return "";
}

/// The tasks of a loop as a forest.
class printer {
public:
    printer(traced::registry& of, instant now) : now_{now}, running_{of.last_run()} {
        for (traced::record& each : of.tasks()) {
            tasks_.emplace(each.starter().key, &each);
            for (const traced::wait_note* at = each.awaits(); at != nullptr; at = at->inner()) {
                awaited_.insert(at->of_tasks().key);
            }
        }
        awaited_.erase(nullptr);
    }

    std::string print() {
        for (const auto& [starter, task] : tasks_) {
            if (!awaited_.contains(starter)) print_task(*task, 0, "* ");
        }
        return std::move(out_);
    }

private:
    void line(std::size_t indent, std::string_view mark, std::string_view text) {
        fmt::format_to(std::back_inserter(out_), "{:{}}{}{}\n", "", indent, mark, text);
    }

    std::string head_of(const traced::record& task) const {
        std::string text{kind_of(task.type())};
        if (!task.name().empty()) text += fmt::format("\"{}\": ", task.name());
        if (task.where().is_known()) {
            const std::source_location& at = task.where().at();
            text += fmt::format("{} at {}:{}", function_name(at.function_name()),
                                short_path(at.file_name()), at.line());
        } else {
            text += "before its first wait";
        }
        if (task.awaits() == nullptr) {
            text += &task == running_ ? ", running" : ", awaits what does not tell";
        }
        return text;
    }

    /// A task's line is followed by what it awaits in the same column, children one step deeper.
    void print_task(const traced::record& task, std::size_t indent, std::string_view mark) {
        const bool is_adapter =
            !task.where().is_known() && task.awaits() != nullptr && task.name().empty();
        if (!is_adapter) {
            line(indent, mark, head_of(task));
            mark = "  ";
        }
        for (const traced::wait_note* at = task.awaits(); at != nullptr; at = at->inner()) {
            mark = print_wait(*at, indent, mark);
        }
    }

    std::string_view print_wait(const traced::wait_note& what, std::size_t indent,
                                std::string_view mark) {
        const bool is_call = what.kind().type == traced::wait_type::call;
        if (!is_call) {
            std::string text = fmt::format("awaits {}", what.kind().name);
            if (what.deadline() != never) {
                text += fmt::format(", {:.3f} s left", seconds(what.deadline() - now_));
            }
            line(indent, mark, text);
            mark = "  ";
        }
        if (what.of_tasks().key == nullptr) return mark;
        const auto [begin, end] = tasks_.equal_range(what.of_tasks().key);
        for (auto child = begin; child != end; ++child) {
            print_task(*child->second, is_call ? indent : indent + 2, is_call ? mark : "* ");
        }
        return "  ";
    }

    instant now_;
    const traced::record* running_;
    std::multimap<const void*, const traced::record*> tasks_;  // by starter, in order of starting
    std::set<const void*> awaited_;                            // starters that somebody waits for
    std::string out_;
};

template <class Registry>
std::string describe(Registry& of, instant now) {
    if constexpr (std::is_same_v<Registry, traced::registry>) {
        return printer{of, now}.print();
    } else {
        return "no tasks are known: build with the CMake option WEFT_ASYNC_TRACE\n";
    }
}

template <class Registry>
std::size_t count(Registry& of) noexcept {
    std::size_t tasks = 0;
    if constexpr (std::is_same_v<Registry, traced::registry>) {
        of.tasks().for_each([&tasks](traced::record&) { ++tasks; });
    }
    return tasks;
}

}  // namespace

std::size_t task_count(scheduler& loop) noexcept { return count(loop.traces()); }

std::string describe_tasks(scheduler& loop) {
    const std::string head = async_trace ? fmt::format("{} tasks at {:.3f} s, ", task_count(loop),
                                                       seconds(loop.now().time_since_epoch()))
                                         : std::string{};
    return head + describe_frames() + describe(loop.traces(), loop.now());
}

void print_tasks(scheduler& loop, std::FILE* out) {
    const std::string text = describe_tasks(loop);
    std::fwrite(text.data(), 1, text.size(), out);
    std::fflush(out);
}

}  // namespace weft::debug
