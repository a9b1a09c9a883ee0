#include <weft/io/scheduler.hpp>
#include <weft/trace.hpp>

#include <algorithm>
#include <mutex>
#include <type_traits>
#include <utility>

namespace weft::traced {
namespace {

constinit std::mutex all_loops;

}  // namespace

constinit registry* registry::first = nullptr;

registry::registry() noexcept {
    const std::lock_guard guard{all_loops};
    next_ = first;
    if (first != nullptr) first->previous_ = this;
    first = this;
}

registry::~registry() {
    const std::lock_guard guard{all_loops};
    if (next_ != nullptr) next_->previous_ = previous_;
    (previous_ != nullptr ? previous_->next_ : first) = next_;
    tasks_.clear();
}

void record::end() noexcept {
    if (awaits_ != nullptr) std::exchange(awaits_, nullptr)->waiter_ = nullptr;
    if (!is_linked()) return;  // also when the loop is gone
    if (registry_->last_run_ == this) registry_->last_run_ = nullptr;
    registry_ = nullptr;
    unlink();
}

void record::begin(weft::scheduler* on, owner starter, record_type type) noexcept {
    type_ = type;
    starter_ = starter;
    if (on == nullptr) return;
    const auto list_on = [this]<class Registry>(Registry& loop) {
        if constexpr (std::is_same_v<Registry, registry>) {  // not in an untraced build
            registry_ = &loop;
            loop.tasks_.push_back(*this);
            loop.ran(*this);
        }
    };
    list_on(on->traces());
}

void record::set_name(task_name name) noexcept {
    const std::string_view text = name.text().substr(0, name_.size() - 1);
    *std::ranges::copy(text, name_.begin()).out = '\0';
}

}  // namespace weft::traced
