// Names of files and what is in folders.
#include "io_scratch.hpp"

#include <weft/io/directory.hpp>

#include <sys/stat.h>

#include <algorithm>
#include <set>
#include <vector>

namespace {

using namespace weft::test;
using weft::directory;
using weft::file;
using weft::file_status;
using weft::result;
using weft::task;
using access = weft::file_options::access;

task<file_status> status_of(std::string path, weft::follow what) {
    const result<file_status> status = co_await file::status_of(std::move(path), what);
    co_return status.value();
}

task<std::multiset<std::string>> names_in(std::string path, std::size_t& pages) {
    result<directory> folder = co_await directory::open(std::move(path));
    std::multiset<std::string> names;
    for (;;) {
        const result<directory::page> page = co_await folder->next_page();
        if (page.value().empty()) co_return names;
        ++pages;
        for (const weft::directory_entry& entry : *page) names.emplace(entry.name);
    }
}

task<std::error_code> open_folder_error(std::string path) {
    const result<directory> opened = co_await directory::open(std::move(path));
    co_return opened.error();
}

task<> kinds(std::string path) {
    result<directory> folder = co_await directory::open(std::move(path));
    const result<directory::page> page = co_await folder->next_page();
    CHECK(page.value().size() == 4);
    for (const weft::directory_entry& entry : page.value()) {
        const result<file_status> status =
            co_await folder->status_of(std::string{entry.name}, weft::follow::nothing);
        CHECK(status.value().kind == entry.kind);
        CHECK(status->inode == entry.inode);
    }
    const result<void> again = folder->rewind();
    CHECK(again.has_value());
    const result<directory::page> second = co_await folder->next_page();
    CHECK(second.value().size() == 4);
}

task<> within(std::string path, std::string other) {
    const result<directory> folder = co_await directory::open(std::move(path));
    const result<directory> target = co_await directory::open(std::move(other));
    const auto made = co_await folder->make_directory("new");
    CHECK(made.has_value());
    const auto twice = co_await folder->make_directory("new");
    CHECK(twice.error() == std::errc::file_exists);
    const auto moved = co_await folder->rename("file", *target, "there");
    CHECK(moved.has_value());
    const auto full = co_await folder->remove_directory("full");
    CHECK(full.error() == std::errc::directory_not_empty);
    const auto wrong = co_await folder->remove_file("new");
    CHECK(wrong.error() == std::errc::is_a_directory);
    const auto removed = co_await folder->remove_directory("new");
    CHECK(removed.has_value());
    for (const char* outside : {"../file", "/tmp", "..", ".", "", "a/b"}) {
        const auto refused = co_await folder->remove_file(outside);
        CHECK(refused.error() == std::errc::invalid_argument);
    }
    const result<directory> inner = co_await folder->open_directory("full");
    CHECK(inner.has_value());
    const result<directory> no_folder = co_await target->open_directory("there");
    CHECK(no_folder.error() == std::errc::not_a_directory);
    const result<directory> above = co_await folder->open_directory("..");
    CHECK(above.error() == std::errc::cross_device_link);
    const auto synced = co_await folder->sync();
    CHECK(synced.has_value());
}

task<> grow_and_cut(std::string path) {
    const result<file> opened =
        co_await file::open(std::move(path), {.mode = access::read_write, .create = true});
    const auto grown = co_await opened->truncate(10'000);
    CHECK(grown.has_value());
    std::string back(10'000, 'x');
    const auto zeros = co_await opened->read_exactly_at(0, room_in(back));
    CHECK(zeros.has_value());
    CHECK(back == std::string(10'000, '\0'));
    const auto cut = co_await opened->truncate(3);
    CHECK(cut.has_value());
    const auto short_read = co_await opened->read_exactly_at(0, room_in(back));
    CHECK(short_read.error() == weft::errc::end_of_stream);
    const auto impossible = co_await opened->truncate(std::uint64_t{1} << 63);
    CHECK(impossible.error() == std::errc::invalid_argument);
    const auto synced = co_await opened->sync_data();
    CHECK(synced.has_value());
}

task<> unnamed(std::string folder) {
    result<file> opened = co_await file::open_unnamed(folder);
    if (opened.error() == std::errc::operation_not_supported) co_return;  // the file system's say
    const auto written = co_await opened->write_all_at(0, bytes_of("x"));
    CHECK(written.has_value());
    CHECK(std::filesystem::is_empty(folder));
    const result<file_status> status = co_await opened->status();
    CHECK(status.value().links == 0);
    CHECK(status->permissions == 0600);
    const auto published = co_await opened->publish(folder + "/named");
    CHECK(published.has_value());
    const auto twice = co_await opened->publish(folder + "/named");
    CHECK(twice.error() == std::errc::file_exists);
    CHECK(std::filesystem::file_size(folder + "/named") == 1);
    const auto removed = co_await file::remove(folder + "/named");
    CHECK(removed.has_value());
}

}  // namespace

TEST_SUITE("framework.names") {
TEST_CASE("files are linked, renamed and removed by their paths") {
    const scratch_folder folder;
    folder.write("a", "text");
    weft::io_context io;
    const auto does = [&](weft::path_change&& what) {
        return [](weft::path_change& awaited) -> task<std::error_code> {
            const result<void> changed = co_await awaited;
            co_return changed.error();
        }(what);
    };
    CHECK_FALSE(io.run_until_done(does(file::link(folder / "a", folder / "b"))));
    CHECK_FALSE(io.run_until_done(does(file::rename(folder / "b", folder / "c"))));
    CHECK_FALSE(io.run_until_done(does(file::symlink("c", folder / "s"))));
    CHECK(folder.read("s") == "text");
    CHECK_FALSE(io.run_until_done(does(file::remove(folder / "a"))));
    CHECK(folder.read("c") == "text");
    CHECK(io.run_until_done(does(file::remove(folder / "a"))) ==
          std::errc::no_such_file_or_directory);
    CHECK_FALSE(io.run_until_done(does(directory::make(folder / "d", 0700))));
    CHECK(io.run_until_done(does(directory::make(folder / "d"))) == std::errc::file_exists);
    CHECK_FALSE(io.run_until_done(does(directory::remove(folder / "d"))));
}

TEST_CASE("a path with a zero byte in it is no path") {
    weft::io_context io;
    auto removal = file::remove(std::string{"/tmp\0/x", 7});
    const auto remove = [](weft::path_change& awaited) -> task<std::error_code> {
        const result<void> changed = co_await awaited;
        co_return changed.error();
    };
    CHECK(io.run_until_done(remove(removal)) == std::errc::invalid_argument);
}

TEST_CASE("the status of a path follows a symbolic link or does not") {
    const scratch_folder folder;
    folder.write("file", "12345");
    std::filesystem::create_symlink("file", folder / "link");
    weft::io_context io;
    const file_status followed =
        io.run_until_done(status_of(folder / "link", weft::follow::symlinks));
    CHECK(followed.kind == file_status::type::regular);
    CHECK(followed.size_bytes == 5);
    const file_status itself = io.run_until_done(status_of(folder / "link", weft::follow::nothing));
    CHECK(itself.kind == file_status::type::symlink);
    CHECK_FALSE(itself.is_same_file(followed));
    struct stat expected{};
    REQUIRE(::stat((folder / "file").c_str(), &expected) == 0);
    CHECK(followed.inode == expected.st_ino);
    CHECK(followed.device == expected.st_dev);
    CHECK(followed.permissions == (expected.st_mode & 07777U));
}

TEST_CASE("a folder of 3,000 entries is listed in pages, each entry once") {
    const scratch_folder folder;
    std::multiset<std::string> expected;
    for (int i = 0; i < 3000; ++i) {
        const std::string name = "entry_with_a_rather_long_name_" + std::to_string(i);
        folder.write(name, "");
        expected.insert(name);
    }
    weft::io_context io;
    std::size_t pages = 0;
    CHECK(io.run_until_done(names_in(folder.path(), pages)) == expected);
    CHECK(pages >= 3);
    pages = 0;
    std::filesystem::create_directory(folder / "empty");
    CHECK(io.run_until_done(names_in(folder / "empty", pages)).empty());
    CHECK(pages == 0);
}

TEST_CASE("entries say what they are, and a folder can be read again") {
    const scratch_folder folder;
    folder.write("file", "x");
    std::filesystem::create_directory(folder / "folder");
    std::filesystem::create_symlink("file", folder / "link");
    REQUIRE(::mkfifo((folder / "fifo").c_str(), 0600) == 0);
    weft::io_context io;
    io.run_until_done(kinds(folder.path()));
}

TEST_CASE("what is no folder does not open as one") {
    const scratch_folder folder;
    folder.write("file", "x");
    weft::io_context io;
    CHECK(io.run_until_done(open_folder_error(folder / "file")) == std::errc::not_a_directory);
    CHECK(io.run_until_done(open_folder_error(folder / "none")) ==
          std::errc::no_such_file_or_directory);
}

TEST_CASE("names in an open folder are made, moved and removed, and lead nowhere else") {
    const scratch_folder folder;
    const scratch_folder other;
    folder.write("file", "moved");
    std::filesystem::create_directories(folder / "full/of");
    weft::io_context io;
    io.run_until_done(within(folder.path(), other.path()));
    CHECK(other.read("there") == "moved");
    CHECK_FALSE(std::filesystem::exists(folder / "file"));
    CHECK_FALSE(std::filesystem::exists(folder / "new"));
}

TEST_CASE("a file is cut and grown, and reading exactly is told the end") {
    const scratch_folder folder;
    weft::io_context io;
    io.run_until_done(grow_and_cut(folder / "file"));
    CHECK(std::filesystem::file_size(folder / "file") == 3);
}

TEST_CASE("an unnamed file leaves nothing in its folder, unless it is given a name") {
    const scratch_folder folder;
    weft::io_context io;
    io.run_until_done(unnamed(folder.path()));
    CHECK(std::filesystem::is_empty(folder.path()));
}

TEST_CASE("a file that says it must not follow a symbolic link does not") {
    const scratch_folder folder;
    folder.write("file", "x");
    std::filesystem::create_symlink("file", folder / "link");
    weft::io_context io;
    const auto open = [](std::string path) -> task<std::error_code> {
        const result<file> opened = co_await file::open(std::move(path), {.no_follow = true});
        co_return opened.error();
    };
    CHECK(io.run_until_done(open(folder / "link")) == std::errc::too_many_symbolic_link_levels);
    CHECK_FALSE(io.run_until_done(open(folder / "file")));
}

TEST_CASE("out of descriptors, opening is an error and the loop goes on") {
    const scratch_folder folder;
    folder.write("file", "x");
    weft::io_context io;
    const auto open = [](std::string path) -> task<std::error_code> {
        const result<file> opened = co_await file::open(std::move(path));
        co_return opened.error();
    };
    {
        const no_descriptors_left scarce;
        CHECK(io.run_until_done(open(folder / "file")) == std::errc::too_many_files_open);
        CHECK(io.run_until_done(open_folder_error(folder.path())) ==
              std::errc::too_many_files_open);
    }
    CHECK_FALSE(io.run_until_done(open(folder / "file")));
}
}  // TEST_SUITE("framework.names")
