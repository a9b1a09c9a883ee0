# weft_library(<name> ROOT <include root> [SOURCES …] [HEADERS …])
#
# A static library weft_<name>, known as weft::<name> in this build and in the installed package. Its
# headers form a verified file set: `all_verify_interface_header_sets` compiles each one alone.
function(weft_library name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "ROOT" "SOURCES;HEADERS")
    set(target weft_${name})

    if(NOT arg_SOURCES)  # all headers so far: an archive still needs one object
        set(placeholder "${CMAKE_CURRENT_BINARY_DIR}/${target}_placeholder.cpp")
        file(CONFIGURE OUTPUT "${placeholder}" CONTENT "// ${target} has headers only.\n")
        set(arg_SOURCES "${placeholder}")
    endif()

    add_library(${target} STATIC ${arg_SOURCES})
    add_library(weft::${name} ALIAS ${target})
    target_sources(${target} PUBLIC
        FILE_SET HEADERS BASE_DIRS "${arg_ROOT}" FILES ${arg_HEADERS})
    target_compile_features(${target} PUBLIC cxx_std_20)
    set_target_properties(${target} PROPERTIES
        EXPORT_NAME ${name}
        CXX_EXTENSIONS OFF
        POSITION_INDEPENDENT_CODE ON
        VERIFY_INTERFACE_HEADER_SETS ON)
    weft_warnings(${target})

    if(WEFT_INSTALL)
        install(TARGETS ${target} EXPORT weft
            ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
            FILE_SET HEADERS DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
    endif()
endfunction()
