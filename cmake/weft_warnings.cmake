# weft_warnings(<target>): the warnings that Weft's own code is held to. PRIVATE, so that nobody who
# links Weft inherits them.
function(weft_warnings target)
    target_compile_options(${target} PRIVATE
        -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wold-style-cast
        -Wnon-virtual-dtor -Woverloaded-virtual -Wcast-align -Wdouble-promotion -Wformat=2
        -Wextra-semi)
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
        target_compile_options(${target} PRIVATE -Wduplicated-cond -Wlogical-op)
    endif()
    if(WEFT_WERROR)
        target_compile_options(${target} PRIVATE -Werror)
    endif()
endfunction()
