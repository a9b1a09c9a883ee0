// The programs of docs/io.md.
#include "io_scratch.hpp"

#include <weft/io/directory.hpp>
#include <weft/io/file.hpp>
#include <weft/io/offload_pool.hpp>
#include <weft/io/process.hpp>
#include <weft/test/ring_faults.hpp>

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <span>
#include <string>

namespace {

weft::task<weft::result<std::uint64_t>> save(std::string path, std::string text) {
    weft::result<weft::file> opened = co_await weft::file::open(
        path + ".new", {.mode = weft::file_options::access::write, .create = true});
    if (!opened) co_return opened.error();
    const auto written = co_await opened->write_all_at(0, std::as_bytes(std::span{text}));
    if (!written) co_return written.error();
    const auto synced = co_await opened->sync_data();
    if (!synced) co_return synced.error();
    const auto renamed = co_await weft::file::rename(path + ".new", path);
    if (!renamed) co_return renamed.error();
    co_return text.size();
}

weft::task<weft::result<std::uint64_t>> bytes_below(weft::directory folder) {
    std::uint64_t sum = 0;
    for (;;) {
        const weft::result<weft::directory::page> page = co_await folder.next_page();
        if (!page) co_return page.error();
        if (page->empty()) co_return sum;
        for (const weft::directory_entry& entry : *page) {
            const auto status =
                co_await folder.status_of(std::string{entry.name}, weft::follow::nothing);
            if (status) sum += status->size_bytes;
        }
    }
}

weft::task<weft::result<std::string>> sorted(std::string lines) {
    weft::command sort{"sort"};
    sort.argument("-n").input(weft::stdio::pipe).output(weft::stdio::pipe);
    weft::result<weft::process> child = co_await weft::spawn(sort);
    if (!child) co_return child.error();
    const auto written = co_await child->input().write_all(std::as_bytes(std::span{lines}));
    (void)co_await child->input().close();
    if (!written) co_return written.error();
    std::string all;
    std::array<char, 4096> some{};
    for (;;) {
        const auto got =
            co_await child->output().read_some(std::as_writable_bytes(std::span{some}));
        if (!got) co_return got.error();
        if (*got == 0) break;
        all.append(some.data(), *got);
    }
    const auto ended = co_await child->wait_or_terminate(std::chrono::seconds{2});
    if (!ended) co_return ended.error();
    if (!ended->is_success()) co_return std::errc::io_error;
    co_return all;
}

weft::task<weft::result<std::size_t>> digest_of(std::string text) {
    co_return co_await weft::offload_pool::shared().run(std::hash<std::string>{}, std::move(text));
}

weft::task<weft::result<std::uint64_t>> bytes_in(std::string path) {
    weft::result<weft::directory> folder = co_await weft::directory::open(std::move(path));
    if (!folder) co_return folder.error();
    co_return co_await bytes_below(*std::move(folder));
}

}  // namespace

TEST_SUITE("framework.guide") {
TEST_CASE("the programs of the guide do what it says") {
    const weft::test::scratch_folder folder;
    weft::io_context io;
    CHECK(io.run_until_done(save(folder / "file", "12345")).value() == 5);
    CHECK(folder.read("file") == "12345");
    CHECK(io.run_until_done(bytes_in(folder.path())).value() == 5);
    CHECK(io.run_until_done(sorted("10\n9\n")).value() == "9\n10\n");
    CHECK(io.run_until_done(digest_of("x")).value() == std::hash<std::string>{}("x"));
}

TEST_CASE("the faults of the guide are borne, or told") {
    const weft::test::scratch_folder folder;
    const std::uint64_t seed = 42;

    weft::io_context io;
    weft::test::ring_faults faults{io.ring(), seed};
    faults.shorten(weft::ring_request::read, {.one_in = 2})
        .fail(weft::ring_request::write, std::errc::interrupted, {.one_in = 5})
        .fail(weft::ring_request::open, std::errc::too_many_files_open, {.one_in = 1, .times = 1})
        .delay(weft::ring_request::any, {.one_in = 3})
        .overflow({.one_in = 50})
        .refuse_enter({.one_in = 20});

    CHECK(io.run_until_done(save(folder / "file", "12345")).error() ==
          std::errc::too_many_files_open);
    CHECK(io.run_until_done(save(folder / "file", "12345")).value() == 5);
    CHECK(io.run_until_done(sorted("10\n9\n")).value() == "9\n10\n");
}
}  // TEST_SUITE("framework.guide")
