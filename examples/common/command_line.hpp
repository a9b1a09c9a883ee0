#pragma once
// What every program here does alike: read its command line, and say in one line why it cannot
// start. Exit status: 0 done, 1 failed on the way, 2 wrong usage or cannot start.

#include <CLI/CLI.hpp>

#include <cstdio>
#include <exception>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>

namespace examples {

inline constexpr int exit_failed = 1;
inline constexpr int exit_unusable = 2;

/// Something outside keeps the program from starting; the text is one line that says what.
class cannot_start : public std::runtime_error {
public:
    using runtime_error::runtime_error;
};

/// Reads the arguments. A value: exit with it (help was printed, or what is wrong with them).
std::optional<int> parse_command_line(CLI::App& app, int argc, char** argv);

/// Runs `body`, which returns the exit status, and reports what it throws.
template <class Body>
int run_program(const std::string& name, Body&& body) {
    try {
        return body();
    } catch (const cannot_start& problem) {
        std::fprintf(stderr, "%s: %s\n", name.c_str(), problem.what());
        return exit_unusable;
    } catch (const std::system_error& problem) {  // no io_uring, for instance
        std::fprintf(stderr, "%s: %s\n", name.c_str(), problem.what());
        return exit_unusable;
    } catch (const std::exception& problem) {
        std::fprintf(stderr, "%s: %s\n", name.c_str(), problem.what());
        return exit_failed;
    }
}

}  // namespace examples
