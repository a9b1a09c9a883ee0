#include "common/command_line.hpp"

namespace examples {

std::optional<int> parse_command_line(CLI::App& app, int argc, char** argv) {
    try {
        app.parse(argc, argv);
        return std::nullopt;
    } catch (const CLI::CallForHelp&) {
        std::fputs(app.help().c_str(), stdout);
        return 0;
    } catch (const CLI::ParseError& problem) {
        std::fprintf(stderr, "%s: %s\n%s", app.get_name().c_str(), problem.what(),
                     app.help().c_str());
        return exit_unusable;
    }
}

}  // namespace examples
