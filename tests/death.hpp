#pragma once
// For rules whose breach ends a debug build: runs code in a child process and says how it ended.

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <string>

/// Whether assert() does something in this build.
#if defined(NDEBUG)
inline constexpr bool has_assertions = false;
#else
inline constexpr bool has_assertions = true;
#endif

/// What `breach()` wrote to stderr before an assertion ended it; empty when nothing ended it so.
template <class Breach>
std::string last_words_of(Breach breach) {
    std::array<int, 2> ends{};
    if (::pipe(ends.data()) != 0) return {};
    const ::pid_t child = ::fork();
    if (child == 0) {
        const struct rlimit no_core{0, 0};
        ::setrlimit(RLIMIT_CORE, &no_core);
        ::signal(SIGABRT, SIG_DFL);
        ::dup2(ends[1], STDERR_FILENO);
        ::alarm(20);
        breach();
        std::_Exit(0);
    }
    ::close(ends[1]);
    std::string words;
    std::array<char, 4096> some{};
    for (::ssize_t got; (got = ::read(ends[0], some.data(), some.size())) > 0;) {
        words.append(some.data(), static_cast<std::size_t>(got));
    }
    ::close(ends[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT ? words : std::string{};
}
