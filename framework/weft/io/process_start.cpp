#include <weft/io/process_start.hpp>

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <new>
#include <string_view>

namespace weft {
namespace {

std::error_code as_code(int error) noexcept { return {error, std::generic_category()}; }

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
    std::vector<char*> pointers;
    pointers.reserve(texts.size() + 1);
    for (std::string& text : texts) pointers.push_back(text.data());
    pointers.push_back(nullptr);
    return pointers;
}

/// A child's 0, 1 and 2 are put in place one after the other: what goes there must not lie there.
result<owned_descriptor> above_standard(owned_descriptor fd) {
    if (fd.get() > STDERR_FILENO) return fd;
    const int moved = ::fcntl(fd.get(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    if (moved < 0) return as_code(errno);
    return owned_descriptor{moved};
}

}  // namespace

class process_start::attributes {
public:
    explicit attributes(bool own_group) {
        if (::posix_spawnattr_init(&it_) != 0) throw std::bad_alloc{};
        int flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
        sigset_t set{};
        ::sigemptyset(&set);
        ::posix_spawnattr_setsigmask(&it_, &set);
        ::sigaddset(&set, SIGPIPE);  // ours may be ignored: byte_stream.hpp
        ::posix_spawnattr_setsigdefault(&it_, &set);
        if (own_group) {
            flags |= POSIX_SPAWN_SETPGROUP;
            ::posix_spawnattr_setpgroup(&it_, 0);
        }
        ::posix_spawnattr_setflags(&it_, static_cast<short>(flags));
    }
    attributes(const attributes&) = delete;
    attributes& operator=(const attributes&) = delete;
    ~attributes() { ::posix_spawnattr_destroy(&it_); }
    [[nodiscard]] const posix_spawnattr_t* get() const noexcept { return &it_; }

private:
    posix_spawnattr_t it_{};
};

class process_start::actions {
public:
    actions() {
        if (::posix_spawn_file_actions_init(&it_) != 0) throw std::bad_alloc{};
    }
    actions(const actions&) = delete;
    actions& operator=(const actions&) = delete;
    ~actions() { ::posix_spawn_file_actions_destroy(&it_); }
    [[nodiscard]] posix_spawn_file_actions_t* get() noexcept { return &it_; }

private:
    posix_spawn_file_actions_t it_{};
};

process_start::process_start(command wanted) : wanted_{std::move(wanted)} {
    const auto name_of = [](std::string_view entry) { return entry.substr(0, entry.find('=')); };
    if (wanted_.inherits_environment_) {
        for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
            variables_.emplace_back(*entry);
        }
    }
    for (const auto& [name, value] : wanted_.changes_) {
        std::erase_if(variables_, [&](const auto& entry) { return name_of(entry) == name; });
        if (value) variables_.push_back(name + "=" + *value);
    }
}

result<process> process_start::operator()() {
    actions of_child;
    process made;
    if (const result<void> redirected = redirect(of_child, made); !redirected) {
        return redirected.error();
    }
    const attributes with{wanted_.own_group_};
    const std::string program = wanted_.arguments_.front();
    if (wanted_.name_) wanted_.arguments_.front() = *wanted_.name_;
    std::vector<char*> arguments = pointers_to(wanted_.arguments_);
    std::vector<char*> variables = pointers_to(variables_);

    pid_t id = -1;
    const int error = ::posix_spawnp(&id, program.c_str(), of_child.get(), with.get(),
                                     arguments.data(), variables.data());
    if (error != 0) return as_code(error);
    made.id_ = id;
    made.own_group_ = wanted_.own_group_;
    // The number is the child's until it was waited for, so this cannot hit another process.
    const auto handle = static_cast<int>(::syscall(SYS_pidfd_open, id, 0));
    if (handle >= 0) {
        made.handle_ = owned_descriptor{handle};
        return made;
    }
    const int no_handle = errno;
    ::kill(id, SIGKILL);
    while (::waitpid(id, nullptr, 0) < 0 && errno == EINTR) {
    }
    made.id_ = -1;
    return as_code(no_handle);
}

result<void> process_start::redirect(actions& of_child, process& made) {
    for (const int target : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
        if (target == STDERR_FILENO && wanted_.error_to_output_) {
            ::posix_spawn_file_actions_adddup2(of_child.get(), STDOUT_FILENO, STDERR_FILENO);
        } else if (auto redirected = redirect_one(target, of_child, made); !redirected) {
            return redirected;
        }
    }
    ::posix_spawn_file_actions_addclosefrom_np(of_child.get(), STDERR_FILENO + 1);
    if (!wanted_.directory_.empty()) {
        ::posix_spawn_file_actions_addchdir_np(of_child.get(), wanted_.directory_.c_str());
    }
    return {};
}

result<void> process_start::redirect_one(int target, actions& of_child, process& made) {
    const command::redirection& to = wanted_.streams_[target];
    if (to.descriptor() >= 0) {
        const int own = ::fcntl(to.descriptor(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
        if (own < 0) return as_code(errno);
        return connect(target, own, of_child);
    }
    if (to.what() == stdio::inherit) return {};
    if (to.what() == stdio::null) {
        ::posix_spawn_file_actions_addopen(of_child.get(), target, "/dev/null", O_RDWR, 0);
        return {};
    }
    result<pipe_ends> pipe = make_pipe();
    if (!pipe) return pipe.error();
    int child_end = -1;
    if (target == STDIN_FILENO) {
        made.input_ = std::move(pipe->writer);
        child_end = pipe->reader.release();
    } else {
        (target == STDOUT_FILENO ? made.output_ : made.error_) = std::move(pipe->reader);
        child_end = pipe->writer.release();
    }
    return connect(target, child_end, of_child);
}

/// Keeps `child_end` until the spawn is over, and makes it the child's `target`.
result<void> process_start::connect(int target, int child_end, actions& of_child) {
    result<owned_descriptor> kept = above_standard(owned_descriptor{child_end});
    if (!kept) return kept.error();
    ::posix_spawn_file_actions_adddup2(of_child.get(), kept->get(), target);
    child_ends_[static_cast<std::size_t>(target)] = *std::move(kept);
    return {};
}

}  // namespace weft
