// Runs a fuzz target over files, and over all files of folders, without libFuzzer. Options (a
// leading dash) are for libFuzzer and ignored.

#include "input.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;

std::vector<fs::path> files_at(const fs::path& where) {
    if (!fs::is_directory(where)) return {where};
    std::vector<fs::path> found;
    for (const auto& each : fs::directory_iterator{where}) {
        if (each.is_regular_file()) found.push_back(each.path());
    }
    std::sort(found.begin(), found.end());
    return found;
}

}  // namespace

int main(int argc, char** argv) {
    std::size_t count = 0;
    for (int i = 1; i < argc; ++i) {
        const std::string argument = argv[i];
        if (argument.starts_with('-')) continue;
        for (const fs::path& file : files_at(argument)) {
            std::ifstream in{file, std::ios::binary};
            const std::vector<char> bytes{std::istreambuf_iterator<char>{in}, {}};
            if (in.bad() || !in.is_open()) {
                std::fprintf(stderr, "cannot read %s\n", file.c_str());
                return 1;
            }
            std::fprintf(stderr, "%s\n", file.c_str());  // the last one named is the one that fails
            LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()),
                                   bytes.size());
            ++count;
        }
    }
    std::printf("%zu inputs\n", count);
    return count == 0 ? 1 : 0;
}
