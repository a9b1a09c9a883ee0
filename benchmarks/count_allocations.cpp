// Counts a program's allocations: preload it (LD_PRELOAD), send SIGUSR2, read a line on stderr.
//
// Stands in for malloc and its kin, which operator new calls too, and hands on to glibc's own. The
// line is "allocations N". benchmarks/requests.py divides by the number of requests.

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>

extern "C" {
void* __libc_malloc(std::size_t);                 // NOLINT(bugprone-reserved-identifier)
void* __libc_calloc(std::size_t, std::size_t);    // NOLINT(bugprone-reserved-identifier)
void* __libc_realloc(void*, std::size_t);         // NOLINT(bugprone-reserved-identifier)
void* __libc_memalign(std::size_t, std::size_t);  // NOLINT(bugprone-reserved-identifier)
}

namespace {

std::atomic<std::uint64_t> allocations{0};

void count() noexcept { allocations.fetch_add(1, std::memory_order_relaxed); }

void tell(int) {
    const int saved = errno;
    constexpr char words[] = "allocations ";
    char line[sizeof words + 24];
    std::memcpy(line, words, sizeof words - 1);
    char* const digits = line + sizeof words - 1;
    char* end = std::to_chars(digits, digits + 20, allocations.load()).ptr;
    *end++ = '\n';
    (void)!::write(STDERR_FILENO, line, static_cast<std::size_t>(end - line));
    errno = saved;
}

[[gnu::constructor]] void listen_for_the_signal() {
    struct sigaction action{};
    action.sa_handler = &tell;
    action.sa_flags = SA_RESTART;
    ::sigaction(SIGUSR2, &action, nullptr);
}

}  // namespace

extern "C" {

void* malloc(std::size_t size) noexcept {
    count();
    return __libc_malloc(size);
}

void* calloc(std::size_t items, std::size_t size) noexcept {
    count();
    return __libc_calloc(items, size);
}

void* realloc(void* old, std::size_t size) noexcept {
    count();
    return __libc_realloc(old, size);
}

void* memalign(std::size_t alignment, std::size_t size) noexcept {
    count();
    return __libc_memalign(alignment, size);
}

void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept {
    return memalign(alignment, size);
}

int posix_memalign(void** out, std::size_t alignment, std::size_t size) noexcept {
    *out = memalign(alignment, size);
    return *out == nullptr ? ENOMEM : 0;
}

}  // extern "C"
