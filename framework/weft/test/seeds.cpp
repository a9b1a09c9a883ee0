#include <weft/test/seeds.hpp>

#include <signal.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <charconv>
#include <cstdlib>
#include <exception>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace weft::test {
namespace {

constexpr std::array deadly{SIGABRT, SIGSEGV};

std::atomic<std::uint64_t> current{0};
bool is_watched = false;
std::array<struct sigaction, deadly.size()> previous;

std::optional<std::uint64_t> number_in(const char* variable) {
    const char* const text = std::getenv(variable);
    if (text == nullptr) return {};
    const std::string_view given{text};
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(given.data(), given.data() + given.size(), number);
    if (error != std::errc{} || end != given.data() + given.size()) {
        throw std::invalid_argument{std::string{variable} + " is no number: " + text};
    }
    return number;
}

/// Of functions that a signal may interrupt only those that bear it.
void tell() noexcept {
    constexpr std::string_view words = "replay with WEFT_SEED=";
    std::array<char, words.size() + 24> line;
    char* at = line.data();
    for (const char each : words) *at++ = each;
    std::array<char, 20> digits;
    std::size_t count = 0;
    std::uint64_t left = current.load(std::memory_order_relaxed);
    do {
        digits[count++] = static_cast<char>('0' + left % 10);
        left /= 10;
    } while (left != 0);
    while (count != 0) *at++ = digits[--count];
    *at++ = '\n';
    const auto told =
        ::write(STDERR_FILENO, line.data(), static_cast<std::size_t>(at - line.data()));
    (void)told;  // there is nobody else to tell
}

/// Says it, and leaves the rest to whoever was asked before; the signal comes again on return.
void on_death(int signal) noexcept {
    tell();
    for (std::size_t i = 0; i < deadly.size(); ++i) {
        if (deadly[i] == signal) ::sigaction(signal, &previous[i], nullptr);
    }
    ::raise(signal);
}

}  // namespace

seeds::seeds(std::uint64_t count, std::uint64_t first)
    : first_{first},
      count_{count},
      is_outermost_{!is_watched},
      exceptions_{std::uncaught_exceptions()} {
    const std::optional<std::uint64_t> wanted_first = number_in("WEFT_SEED");
    const std::optional<std::uint64_t> wanted_count = number_in("WEFT_SEEDS");
    if (wanted_first) {
        first_ = *wanted_first;
        count_ = 1;
        is_replay_ = !wanted_count;
    }
    if (wanted_count) count_ = *wanted_count;
    if (!is_outermost_) return;
    is_watched = true;
    struct sigaction action{};
    action.sa_handler = on_death;
    action.sa_flags = SA_ONSTACK;
    ::sigemptyset(&action.sa_mask);
    for (std::size_t i = 0; i < deadly.size(); ++i) {
        ::sigaction(deadly[i], &action, &previous[i]);
    }
}

seeds::~seeds() {
    if (std::uncaught_exceptions() > exceptions_) tell();
    if (!is_outermost_) return;
    for (std::size_t i = 0; i < deadly.size(); ++i) ::sigaction(deadly[i], &previous[i], nullptr);
    is_watched = false;
}

std::uint64_t seeds::iterator::operator*() const noexcept {
    current.store(at_, std::memory_order_relaxed);
    return at_;
}

}  // namespace weft::test
