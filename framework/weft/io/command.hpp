#pragma once
// What to run and with what: the description that `spawn` (process.hpp) takes.
//
// The program is looked for in PATH when its name has no `/`. It gets the arguments, the
// environment of this process as changed here, an empty signal mask, SIGPIPE in its default action,
// and the descriptors 0, 1 and 2, nothing else.

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace weft {

enum class stdio : std::uint8_t {
    inherit,  ///< what this process has
    null,     ///< /dev/null
    pipe      ///< a stream of the `process`
};

class command {
public:
    /// One standard stream of the child: a choice, or a descriptor that stays the caller's and open
    /// until the spawn has completed.
    class redirection {
    public:
        redirection(stdio what) noexcept  // NOLINT(google-explicit-constructor)
            : what_{what} {}
        explicit redirection(int descriptor) noexcept : descriptor_{descriptor} {}

        [[nodiscard]] stdio what() const noexcept { return what_; }
        [[nodiscard]] int descriptor() const noexcept { return descriptor_; }

    private:
        stdio what_ = stdio::inherit;
        int descriptor_ = -1;
    };

    explicit command(std::string program) : arguments_{std::move(program)} {}

    command& argument(std::string one) {
        arguments_.push_back(std::move(one));
        return *this;
    }
    command& arguments(const std::vector<std::string>& more) {
        arguments_.insert(arguments_.end(), more.begin(), more.end());
        return *this;
    }
    /// What the program sees as its own name, instead of what it was called by.
    command& called(std::string name) {
        name_ = std::move(name);
        return *this;
    }
    /// Sets a variable, or takes it away.
    command& variable(const std::string& name, const std::optional<std::string>& value) {
        changes_.emplace_back(name, value);
        return *this;
    }
    /// Begins with no variables instead of this process's.
    command& without_environment() {
        inherits_environment_ = false;
        return *this;
    }
    /// Where the program runs; a relative path of the program starts there.
    command& directory(std::string path) {
        directory_ = std::move(path);
        return *this;
    }
    command& input(redirection from) {
        streams_[0] = from;
        return *this;
    }
    command& output(redirection to) {
        streams_[1] = to;
        return *this;
    }
    command& error(redirection to) {
        streams_[2] = to;
        error_to_output_ = false;
        return *this;
    }
    /// Standard error goes where standard output goes.
    command& error_to_output() {
        error_to_output_ = true;
        return *this;
    }
    /// The program leads a process group of its own, and signals go to all of that group: for what
    /// starts further programs, as a shell does.
    command& own_group() {
        own_group_ = true;
        return *this;
    }

private:
    friend class process_start;

    std::vector<std::string> arguments_;  // the first is the program
    std::optional<std::string> name_;
    std::vector<std::pair<std::string, std::optional<std::string>>> changes_;
    std::string directory_;
    redirection streams_[3] = {stdio::inherit, stdio::inherit, stdio::inherit};
    bool inherits_environment_ = true;
    bool error_to_output_ = false;
    bool own_group_ = false;
};

}  // namespace weft
