#pragma once
// What the tests of files, pipes and processes share: a folder that goes with the test, a pair of
// descriptors, the limit of descriptors, and a task as the main task of a loop.

#include <doctest/doctest.h>
#include <weft/io/io_context.hpp>
#include <weft/io/wait_fd.hpp>
#include <weft/task.hpp>

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace weft::test {

class scratch_folder {
public:
    scratch_folder() {
        std::string name = (std::filesystem::temp_directory_path() / "weft_XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        path_ = name;
    }
    scratch_folder(const scratch_folder&) = delete;
    scratch_folder& operator=(const scratch_folder&) = delete;
    ~scratch_folder() { std::filesystem::remove_all(path_); }
    [[nodiscard]] std::string operator/(std::string_view name) const {
        return (path_ / name).string();
    }
    [[nodiscard]] std::string path() const { return path_.string(); }
    void write(std::string_view name, std::string_view text) const {
        std::ofstream{path_ / name} << text;
    }
    [[nodiscard]] std::string read(std::string_view name) const {
        std::ifstream from{path_ / name};
        return {std::istreambuf_iterator<char>{from}, {}};
    }

private:
    std::filesystem::path path_;
};

/// Until it goes, the process can open no further descriptor.
class no_descriptors_left {
public:
    no_descriptors_left() {
        REQUIRE(::getrlimit(RLIMIT_NOFILE, &before_) == 0);
        const rlimit none{0, before_.rlim_max};
        REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
    }
    no_descriptors_left(const no_descriptors_left&) = delete;
    no_descriptors_left& operator=(const no_descriptors_left&) = delete;
    ~no_descriptors_left() { ::setrlimit(RLIMIT_NOFILE, &before_); }

private:
    rlimit before_{};
};

/// How many descriptors the process holds.
inline int open_descriptors() {
    int count = 0;
    ::DIR* folder = ::opendir("/proc/self/fd");
    REQUIRE(folder != nullptr);
    while (::readdir(folder) != nullptr) ++count;
    ::closedir(folder);
    return count;
}

inline std::span<const std::byte> bytes_of(std::string_view text) {
    return std::as_bytes(std::span{text});
}
inline std::span<std::byte> room_in(std::string& text) {
    return std::as_writable_bytes(std::span{text});
}

/// Some text that repeats nowhere within a few hundred thousand bytes.
inline std::string long_text(std::size_t bytes, unsigned seed = 1) {
    std::string text(bytes, '\0');
    for (char& letter : text) {
        seed = seed * 1'664'525U + 1'013'904'223U;
        letter = static_cast<char>(seed >> 24);
    }
    return text;
}

}  // namespace weft::test
