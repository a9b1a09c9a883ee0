#pragma once
// What suspended coroutines tell about themselves, where the build asks for it: who awaits whom,
// from which line, for what, until when. <weft/debug.hpp> and the gdb command `weft bt` print it.
//
// `weft::trace` is `traced` when WEFT_ASYNC_TRACE is 1 (CMake's option of that name, on in Debug
// builds) and `untraced`, of empty classes that cost nothing, otherwise. The option is part of the
// library's interface: its CMake targets carry the definition, and a program that is compiled with
// the other setting does not link. Used by task and by awaiters; one thread, as all of a loop.

#include <weft/base/instant.hpp>
#include <weft/base/intrusive_list.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <source_location>
#include <string>
#include <string_view>
#include <utility>

namespace weft {

class scheduler;

/// Part of the signature of a function that every program calls: both settings do not link.
template <bool Traced>
struct trace_layout {};

namespace traced {

class record;
class registry;

/// Where a `co_await` stands; unknown unless it was taken with `current()`.
class location {
public:
    location() noexcept = default;
    static location current(
        const std::source_location& here = std::source_location::current()) noexcept {
        location made;
        made.at_ = here;
        return made;
    }
    [[nodiscard]] bool is_known() const noexcept { return at_.line() != 0; }
    [[nodiscard]] const std::source_location& at() const noexcept { return at_; }

private:
    std::source_location at_;
};

/// Told apart by address: who started a task, and who waits for the tasks that it started.
struct owner {
    constexpr owner() noexcept = default;
    constexpr explicit owner(const void* address) noexcept : key{address} {}
    const void* key = nullptr;
};

/// `call`: a task awaits one other; `wrapper`: adds something to what is awaited inside; `join`:
/// waits for tasks that run side by side; `event`: for anything else.
enum class wait_type : unsigned char { event, call, wrapper, join };

/// What all awaiters of one type have in common.
struct wait_kind {
    wait_type type = wait_type::event;
    std::string_view name;
};

/// The name of a type as the compiler spells it.
template <class T>
[[nodiscard]] constexpr std::string_view type_name() noexcept {
    const std::string_view text = __PRETTY_FUNCTION__;  // … [T = name] or … [with T = name; …]
    const std::size_t begin = text.find("T = ") + 4;
    const std::size_t end = std::min(text.find(';', begin), text.rfind(']'));
    return text.substr(begin, end - begin);
}

template <class Operation>
[[nodiscard]] constexpr wait_kind kind_of_operation() noexcept {
    wait_kind kind;
    if constexpr (requires { Operation::trace_name; }) {
        kind.name = Operation::trace_name;
    } else {
        kind.name = type_name<Operation>();
    }
    if constexpr (requires(const Operation& op) { op.trace_owner(); }) kind.type = wait_type::join;
    return kind;
}

/// The wait of an `Operation`: its `trace_name`, or the name of its type. One that waits for tasks
/// has a `trace_owner()`.
template <class Operation>
inline constexpr wait_kind operation_kind = kind_of_operation<Operation>();

inline constexpr wait_kind call_kind{wait_type::call, "task"};
inline constexpr wait_kind fiber_kind{wait_type::call, "fiber"};
inline constexpr wait_kind generator_kind{wait_type::call, "async_generator"};
inline constexpr wait_kind timeout_kind{wait_type::wrapper, "with_timeout"};
inline constexpr wait_kind shielded_kind{wait_type::wrapper, "shielded"};
inline constexpr wait_kind when_all_kind{wait_type::join, "when_all"};
inline constexpr wait_kind when_all_settled_kind{wait_type::join, "when_all_settled"};
inline constexpr wait_kind when_any_kind{wait_type::join, "when_any"};

/// The part of an awaiter that says what it waits for.
class wait_note {
public:
    explicit wait_note(const wait_kind& kind, owner of_tasks = owner{}) noexcept
        : kind_{&kind}, owner_{of_tasks} {}
    wait_note(const wait_note&) = delete;
    wait_note& operator=(const wait_note&) = delete;
    ~wait_note() { forget(); }

    void set_owner(owner of_tasks) noexcept { owner_ = of_tasks; }
    void set_deadline(instant deadline) noexcept { deadline_ = deadline; }
    void set_inner(const wait_note& inner) noexcept { inner_ = &inner; }

    /// The waiter goes on.
    void resumed() noexcept;

    [[nodiscard]] const wait_kind& kind() const noexcept { return *kind_; }
    [[nodiscard]] instant deadline() const noexcept { return deadline_; }
    [[nodiscard]] const wait_note* inner() const noexcept { return inner_; }
    [[nodiscard]] owner of_tasks() const noexcept { return owner_; }

private:
    friend class record;
    void forget() noexcept;

    const wait_kind* kind_;
    owner owner_;
    instant deadline_ = never;
    const wait_note* inner_ = nullptr;
    record* waiter_ = nullptr;
};

/// A name as it is given; see `record::set_name`.
class task_name {
public:
    task_name() noexcept = default;
    task_name(std::string_view text) noexcept : text_{text} {}
    task_name(const char* text) noexcept : text_{text} {}
    task_name(const std::string& text) noexcept : text_{text} {}
    [[nodiscard]] std::string_view text() const noexcept { return text_; }

private:
    std::string_view text_;
};

enum class record_type : unsigned char { task, fiber, generator, callback };

/// One coroutine, fiber or callback that has started and not ended.
class record : public list_hook<record> {
public:
    record() noexcept = default;
    record(const record&) = delete;
    record& operator=(const record&) = delete;
    ~record() { end(); }

    /// Begins: on the loop `on` (none: it is not listed), started by `starter`.
    void begin(weft::scheduler* on, owner starter, record_type type = record_type::task) noexcept;
    /// It has ended, or is between two readings of a generator: it is not listed any more.
    void end() noexcept;
    /// Is about to wait for `what`. An adapter has no location: it is not worth a line.
    void waits_for(wait_note& what, location where) noexcept {
        awaits_ = &what;
        what.waiter_ = this;
        where_ = where;
    }

    /// What it waited for has come; for who does not resume by the awaiter's `resumed()`.
    void goes_on() noexcept {
        if (awaits_ != nullptr) awaits_->resumed();
    }

    /// Shown in traces; what is longer than 39 bytes is cut.
    void set_name(task_name name) noexcept;

    [[nodiscard]] std::string_view name() const noexcept { return name_.data(); }
    [[nodiscard]] record_type type() const noexcept { return type_; }
    [[nodiscard]] owner starter() const noexcept { return starter_; }
    /// What it waits for; null while it runs.
    [[nodiscard]] const wait_note* awaits() const noexcept { return awaits_; }
    /// Its last `co_await`.
    [[nodiscard]] const location& where() const noexcept { return where_; }

private:
    friend class wait_note;

    owner starter_;
    wait_note* awaits_ = nullptr;
    location where_;
    registry* registry_ = nullptr;
    record_type type_ = record_type::task;
    std::array<char, 40> name_{};
};

/// The coroutines of one loop, and which of them ran last.
class registry {
public:
    registry() noexcept;
    registry(const registry&) = delete;
    registry& operator=(const registry&) = delete;
    ~registry();

    [[nodiscard]] intrusive_list<record, record>& tasks() noexcept { return tasks_; }

    /// Where a coroutine went on first since `forget_runs()`, and the last one that did.
    [[nodiscard]] const location& first_run() const noexcept { return first_run_; }
    [[nodiscard]] const record* last_run() const noexcept { return last_run_; }
    void forget_runs() noexcept {
        first_run_ = {};
        last_run_ = nullptr;
    }

private:
    friend class record;
    friend class wait_note;

    void ran(const record& who) noexcept {
        if (!first_run_.is_known()) first_run_ = who.where();
        last_run_ = &who;
    }

    intrusive_list<record, record> tasks_;
    location first_run_;
    const record* last_run_ = nullptr;
    // All loops of the program, for a debugger: it has nobody to ask.
    static constinit registry* first;
    registry* next_ = nullptr;
    registry* previous_ = nullptr;
};

inline void wait_note::forget() noexcept {
    if (waiter_ != nullptr && waiter_->awaits_ == this) waiter_->awaits_ = nullptr;
}

inline void wait_note::resumed() noexcept {
    if (waiter_ == nullptr) return;
    record& who = *std::exchange(waiter_, nullptr);  // who may be gone before this awaiter is
    if (who.awaits_ == this) who.awaits_ = nullptr;
    if (who.registry_ != nullptr) who.registry_->ran(who);
}

}  // namespace traced

/// The same, saying nothing.
namespace untraced {

struct location {
    static constexpr location current() noexcept { return {}; }
};
struct owner {
    constexpr owner() noexcept = default;
    constexpr explicit owner(const void*) noexcept {}
};
struct no_kind {};
template <class Operation>
inline constexpr no_kind operation_kind{};
inline constexpr no_kind call_kind, fiber_kind, generator_kind, timeout_kind, shielded_kind,
    when_all_kind, when_all_settled_kind, when_any_kind;

struct wait_note {
    constexpr explicit wait_note(no_kind, owner = {}) noexcept {}
    void set_owner(owner) noexcept {}
    void set_deadline(instant) noexcept {}
    void set_inner(const wait_note&) noexcept {}
    void resumed() noexcept {}
};
struct task_name {
    constexpr task_name() noexcept = default;
    constexpr task_name(std::string_view) noexcept {}
    constexpr task_name(const char*) noexcept {}
    constexpr task_name(const std::string&) noexcept {}
};
enum class record_type : unsigned char { task, fiber, generator, callback };
struct record {
    void begin(weft::scheduler*, owner, record_type = record_type::task) noexcept {}
    void end() noexcept {}
    void goes_on() noexcept {}
    void waits_for(wait_note&, location) noexcept {}
    void set_name(task_name) noexcept {}
};
struct registry {};

}  // namespace untraced

#if defined(WEFT_ASYNC_TRACE) && WEFT_ASYNC_TRACE
inline constexpr bool async_trace = true;
namespace trace = traced;
#else
inline constexpr bool async_trace = false;
namespace trace = untraced;
#endif

/// Notes in the promise of a coroutine that has a `trace_record()` that it waits.
template <class Promise>
void note_wait([[maybe_unused]] Promise& waiter, [[maybe_unused]] trace::wait_note& what,
               [[maybe_unused]] trace::location where) noexcept {
    if constexpr (requires { waiter.trace_record(); }) waiter.trace_record().waits_for(what, where);
}

}  // namespace weft
