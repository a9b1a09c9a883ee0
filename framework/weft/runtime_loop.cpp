#include <weft/runtime.hpp>
#include <weft/runtime_loop.hpp>
#include <weft/stop.hpp>

namespace weft {

runtime_loop::runtime_loop(runtime& owner, std::size_t index) noexcept
    : owner_{owner}, index_{index} {}

runtime_loop::~runtime_loop() = default;

void runtime_loop::set_up(const runtime_options& wanted) {
    context_ = std::make_unique<io_context>(wanted.ring);
    context_->warn_of_slow_resumes(wanted.slow_resume);
    mail_ = std::make_unique<mailbox>(*context_, wanted.mail);
}

void runtime_loop::connect(const std::vector<std::unique_ptr<runtime_loop>>& all) {
    for (const auto& other : all) {
        routes_.push_back(std::make_unique<mail_route>(*context_, *other->mail_));
    }
}

void runtime_loop::tear_down() noexcept {
    if (mail_ != nullptr) mail_->close();
    mail_.reset();
    context_.reset();
    routes_.clear();  // behind the ring: until then it may tell them of a failure
}

task<void> runtime_loop::serve() {
    environment in = co_await current_environment();
    in.stop = stop_.token();
    task_group group{in};
    tasks_ = &group;
    (void)co_await finish_.wait();
    while (!group.empty()) (void)co_await group.join();
    close_mail();
    (void)post(0, finished_letter_, mailbox::admission::always);
}

/// From here on others are refused; what lies there is dropped, and its senders hear of it.
void runtime_loop::close_mail() noexcept {
    mail_->close();
    tasks_ = nullptr;
}

void runtime_loop::report_stop_wanted() noexcept { owner_.begin_stop(); }
void runtime_loop::report_finished() noexcept { owner_.on_loop_finished(); }

}  // namespace weft
