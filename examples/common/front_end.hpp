#pragma once
// `--front-end`: in which style the connections of a server are written. All three run on the same
// operations; see docs/front-ends.md.

#include <CLI/CLI.hpp>

#include <cstdint>
#include <map>
#include <string>

namespace examples {

enum class front_end : std::uint8_t { coroutine, fiber, callback };

inline void add_front_end_option(CLI::App& app, front_end& chosen) {
    app.add_option("--front-end", chosen, "coroutine, fiber or callback; default coroutine")
        ->transform(CLI::CheckedTransformer(
            std::map<std::string, front_end>{{"coroutine", front_end::coroutine},
                                             {"fiber", front_end::fiber},
                                             {"callback", front_end::callback}},
            CLI::ignore_case))
        ->type_name("STYLE");
}

}  // namespace examples
