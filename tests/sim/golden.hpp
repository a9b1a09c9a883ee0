#pragma once
// Golden files: what a program prints, held by a file in the source tree. With WEFT_REWRITE_GOLDEN
// set in the environment the file is written instead of compared.

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace weft::sim::test {

/// `path` is relative to the top of the source tree.
inline void check_golden(const std::string& path, const std::string& text) {
    const std::filesystem::path here{__FILE__};
    const std::filesystem::path file = here.parent_path().parent_path().parent_path() / path;
    if (std::getenv("WEFT_REWRITE_GOLDEN") != nullptr) {
        std::filesystem::create_directories(file.parent_path());
        std::ofstream{file, std::ios::binary} << text;
        return;
    }
    std::ifstream in{file, std::ios::binary};
    REQUIRE_MESSAGE(in.is_open(), file.string() << " is missing: set WEFT_REWRITE_GOLDEN=1");
    const std::string golden{std::istreambuf_iterator<char>{in}, {}};
    const bool is_same = text == golden;
    CHECK_MESSAGE(is_same, path << " differs (WEFT_REWRITE_GOLDEN=1 rewrites it)");
}

}  // namespace weft::sim::test
