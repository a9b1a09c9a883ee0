#pragma once
// Tells AddressSanitizer which bytes of a memory pool are nobody's at the moment, so that a use
// after free is found although the memory was never given back. Does nothing without the sanitizer.

#include <cstddef>

#if defined(__has_feature)
    #if __has_feature(address_sanitizer) && !defined(__SANITIZE_ADDRESS__)
        #define __SANITIZE_ADDRESS__ 1  // as g++ and newer clang say it
    #endif
#endif
#if defined(__SANITIZE_ADDRESS__)
    #include <sanitizer/asan_interface.h>
#endif

namespace weft {

#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool address_sanitizer = true;
inline void poison(const void* from, std::size_t bytes) noexcept {
    __asan_poison_memory_region(from, bytes);
}
inline void unpoison(const void* from, std::size_t bytes) noexcept {
    __asan_unpoison_memory_region(from, bytes);
}
#else
inline constexpr bool address_sanitizer = false;
inline void poison(const void*, std::size_t) noexcept {}
inline void unpoison(const void*, std::size_t) noexcept {}
#endif

}  // namespace weft
