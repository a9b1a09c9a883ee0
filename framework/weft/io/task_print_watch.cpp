#include <weft/debug.hpp>
#include <weft/io/task_print_watch.hpp>

#include <poll.h>

#include <utility>

namespace weft {

task_print_watch::task_print_watch(io_context& io, std::function<void()> next)
    : ring_completion{[](ring_completion& self, int, unsigned) noexcept {
          static_cast<task_print_watch&>(self).on_signal();
      }},
      io_{io},
      next_{std::move(next)} {
    io_.ring().poll(*this, signals_.descriptor(), POLLIN);
}

task_print_watch::~task_print_watch() { io_.ring().withdraw(*this); }

void task_print_watch::on_signal() noexcept {
    while (signals_.take()) {
        debug::print_tasks(io_);
        if (next_) next_();
    }
    io_.ring().poll(*this, signals_.descriptor(), POLLIN);
}

}  // namespace weft
