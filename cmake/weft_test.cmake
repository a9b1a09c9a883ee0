# weft_test_group(<group> <library>…): tests/<group>/*.cpp as the executable weft_tests_<group>, with one
# ctest entry for each doctest TEST_SUITE. What lies in <group>/library/ is not part of it. The suites are listed when ctest starts, so a new one needs no
# configure; a program that is missing or cannot list its suites is a failed test.
function(weft_test_group group)
    file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${group}/*.cpp)
    list(FILTER sources EXCLUDE REGEX "/library/[^/]*$")
    if(NOT sources)
        return()
    endif()
    set(target weft_tests_${group})
    add_executable(${target} main.cpp ${sources})
    weft_warnings(${target})
    target_include_directories(${target} PRIVATE "${CMAKE_CURRENT_SOURCE_DIR}")
    target_link_libraries(${target} PRIVATE ${ARGN} doctest::doctest)

    set(entry "${CMAKE_CURRENT_BINARY_DIR}/${target}_ctest.cmake")
    file(GENERATE OUTPUT "${entry}" CONTENT
"set(group \"${group}\")
set(program \"$<TARGET_FILE:${target}>\")
include(\"${PROJECT_SOURCE_DIR}/cmake/weft_list_suites.cmake\")
")
    set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES "${entry}")
endfunction()

# weft_test_scripts(<group>): each tests/<group>/*_test.{sh,py} as one ctest entry <group>.<name>.
#
# A script finds the build in WEFT_BUILD_DIR, the source in WEFT_SOURCE_DIR and the sanitizers, if any, in
# WEFT_SANITIZE; it exits 0, or 77 when this machine cannot run it. A line "# ctest: slow serial timeout=900" near its top sets the label that --quick
# leaves out, that nothing may run beside it, and its seconds (300 unless told).
function(weft_test_scripts group)
    file(GLOB scripts CONFIGURE_DEPENDS ${group}/*_test.sh ${group}/*_test.py)
    foreach(script IN LISTS scripts)
        get_filename_component(name "${script}" NAME_WE)
        string(REGEX REPLACE "_test$" "" name "${name}")
        set(test "${group}.${name}")
        if(script MATCHES "\\.py$")
            set(interpreter python3)
        else()
            set(interpreter bash)
        endif()
        add_test(NAME ${test} COMMAND ${interpreter} "${script}")

        set(timeout 300)
        set(labels ${group})
        file(STRINGS "${script}" words LIMIT_COUNT 1 REGEX "^# ctest:")
        if(words MATCHES "timeout=([0-9]+)")
            set(timeout ${CMAKE_MATCH_1})
        endif()
        if(words MATCHES " slow")
            list(APPEND labels slow)
        endif()
        if(words MATCHES " serial")
            set_tests_properties(${test} PROPERTIES RUN_SERIAL ON)
        endif()
        set_property(TEST ${test} PROPERTY LABELS ${labels})
        set_tests_properties(${test} PROPERTIES TIMEOUT ${timeout} SKIP_RETURN_CODE 77)
        set_property(TEST ${test} PROPERTY ENVIRONMENT
            "WEFT_BUILD_DIR=${PROJECT_BINARY_DIR}" "WEFT_SOURCE_DIR=${PROJECT_SOURCE_DIR}"
            "WEFT_SANITIZE=${WEFT_SANITIZE}")
    endforeach()
endfunction()
