#include <weft/net/posix/plain_thread.hpp>

#include <sched.h>

#include <system_error>

namespace weft::net::posix {
namespace {

constexpr std::size_t stack_bytes = std::size_t{1}
                                    << 19;  // sanitizers need more than a page or two

void check(int error, const char* what) {
    if (error != 0) throw std::system_error{error, std::generic_category(), what};
}

/// Attributes that die with the scope.
struct attributes {
    attributes() { check(::pthread_attr_init(&value), "pthread_attr_init"); }
    attributes(const attributes&) = delete;
    attributes& operator=(const attributes&) = delete;
    ~attributes() { ::pthread_attr_destroy(&value); }
    pthread_attr_t value;
};

}  // namespace

void plain_thread::start(std::function<void()> body) {
    body_ = std::move(body);
    attributes wanted;
    const sched_param no_priority{};
    check(::pthread_attr_setinheritsched(&wanted.value, PTHREAD_EXPLICIT_SCHED), "inheritsched");
    check(::pthread_attr_setschedpolicy(&wanted.value, SCHED_OTHER), "schedpolicy");
    check(::pthread_attr_setschedparam(&wanted.value, &no_priority), "schedparam");
    check(::pthread_attr_setstacksize(&wanted.value, stack_bytes), "stacksize");
    check(::pthread_create(&thread_, &wanted.value, &run, this), "pthread_create");
    is_running_ = true;
}

void plain_thread::join() noexcept {
    if (!is_running_) return;
    ::pthread_join(thread_, nullptr);
    is_running_ = false;
}

void* plain_thread::run(void* self) noexcept {
    static_cast<plain_thread*>(self)->body_();
    return nullptr;
}

}  // namespace weft::net::posix
