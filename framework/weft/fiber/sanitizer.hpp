#pragma once
// What the sanitizers want to be told when a thread goes on on another stack; nothing without them.
// Used by context only.

#include <weft/base/poison.hpp>

#include <cstddef>

#if defined(__has_feature)
    #if __has_feature(thread_sanitizer) && !defined(__SANITIZE_THREAD__)
        #define __SANITIZE_THREAD__ 1  // as g++ and newer clang say it
    #endif
#endif
#if defined(__SANITIZE_ADDRESS__)
    #include <sanitizer/common_interface_defs.h>
#endif
#if defined(__SANITIZE_THREAD__)
    #include <sanitizer/tsan_interface.h>
#endif

namespace weft::fiber::sanitizer {

// AddressSanitizer: `frames` is its own stack for locals, kept while the stack is left; null on
// the last departure.
#if defined(__SANITIZE_ADDRESS__)
inline void start_switch(void** frames, const void* bottom, std::size_t bytes) noexcept {
    __sanitizer_start_switch_fiber(frames, bottom, bytes);
}
inline void finish_switch(void* frames, const void** left_bottom, std::size_t* left) noexcept {
    __sanitizer_finish_switch_fiber(frames, left_bottom, left);
}
#else
inline void start_switch(void**, const void*, std::size_t) noexcept {}
inline void finish_switch(void*, const void**, std::size_t*) noexcept {}
#endif

#if defined(__SANITIZE_THREAD__)
inline void* make_shadow() noexcept { return __tsan_create_fiber(0); }
inline void destroy_shadow(void* shadow) noexcept {
    if (shadow != nullptr) __tsan_destroy_fiber(shadow);
}
inline void* current_shadow() noexcept { return __tsan_get_current_fiber(); }
inline void switch_shadow(void* to) noexcept { __tsan_switch_to_fiber(to, 0); }
#else
inline void* make_shadow() noexcept { return nullptr; }
inline void destroy_shadow(void*) noexcept {}
inline void* current_shadow() noexcept { return nullptr; }
inline void switch_shadow(void*) noexcept {}
#endif

}  // namespace weft::fiber::sanitizer
