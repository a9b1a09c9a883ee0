#pragma once
// A command made ready for posix_spawn, and the call itself: what `spawn` does on a thread of the
// pool. Nobody else needs it.

#include <weft/base/result.hpp>
#include <weft/io/command.hpp>
#include <weft/io/process.hpp>

#include <array>
#include <string>
#include <vector>

namespace weft {

class process_start {
public:
    /// Reads this process's environment, so it is made where nobody changes that.
    explicit process_start(command wanted);

    /// Blocks until the program is loaded, or has failed to.
    result<process> operator()();

private:
    class attributes;
    class actions;

    result<void> redirect(actions& of_child, process& made);
    result<void> redirect_one(int target, actions& of_child, process& made);
    result<void> connect(int target, int child_end, actions& of_child);

    command wanted_;
    std::vector<std::string> variables_;
    std::array<owned_descriptor, 3> child_ends_;
};

}  // namespace weft
