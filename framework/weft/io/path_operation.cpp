#include <weft/io/path_operation.hpp>
#include <weft/io/ring.hpp>
#include <weft/io/scheduler.hpp>

#include <fcntl.h>

namespace weft {

path_operation::place::place(std::string path) noexcept
    : directory_{AT_FDCWD}, name_{std::move(path)}, valid_{name_.find('\0') == std::string::npos} {}

path_operation::place::place(int directory, std::string name) noexcept
    : directory_{directory},
      name_{std::move(name)},
      valid_{!name_.empty() && name_ != "." && name_ != ".." &&
             name_.find('/') == std::string::npos && name_.find('\0') == std::string::npos} {}

void path_operation::start(const environment& env) {
    if (is_valid()) {
        start_request(env);
    } else {
        post_now(*env.scheduler);
    }
}

void path_operation::make(io_operation& self, class ring& ring, ring_completion& done) {
    auto& op = static_cast<path_operation&>(self);
    const place& from = op.from_;
    const place& to = op.to_;
    switch (op.what_) {
        case change::remove:
            ring.unlink(done, from.directory(), from.name(), static_cast<int>(op.flags_));
            return;
        case change::rename:
            ring.rename(done, from.directory(), from.name(), to.directory(), to.name(), op.flags_);
            return;
        case change::link:
            ring.link(done, from.directory(), from.name(), to.directory(), to.name(),
                      static_cast<int>(op.flags_));
            return;
        case change::symlink: ring.symlink(done, from.name(), to.directory(), to.name()); return;
        case change::make_directory:
            ring.make_directory(done, from.directory(), from.name(), op.flags_);
            return;
    }
}

result<void> path_operation::finish() const noexcept {
    if (!is_canceled() && !is_valid()) return std::errc::invalid_argument;
    return nothing();
}

}  // namespace weft
