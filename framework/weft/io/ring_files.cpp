// The ring's requests on files and paths.
#include <weft/io/ring.hpp>

#include <fcntl.h>
#include <liburing.h>

#include <algorithm>

namespace weft {
namespace {

constexpr std::uint8_t opcode_ftruncate = 55;  // Linux 6.9; not in liburing 2.3
constexpr std::uint8_t opcode_of_nothing =
    255;  // the kernel answers as to any that it does not know

}  // namespace

void ring::sync_data(ring_completion& done, int fd) {
    io_uring_sqe& entry = request(done);
    io_uring_prep_fsync(&entry, fd, IORING_FSYNC_DATASYNC);
    io_uring_sqe_set_data(&entry, &done);
}

void ring::status_of(ring_completion& done, int directory, const char* path, int flags,
                     unsigned mask, struct statx& into) {
    io_uring_sqe& entry = request(done);
    io_uring_prep_statx(&entry, directory, path, flags, mask, &into);
    io_uring_sqe_set_data(&entry, &done);
}

void ring::rename(ring_completion& done, int from_directory, const char* from, int to_directory,
                  const char* to, unsigned flags) {
    io_uring_sqe& entry = request(done);
    io_uring_prep_renameat(&entry, from_directory, from, to_directory, to, flags);
    io_uring_sqe_set_data(&entry, &done);
}

void ring::unlink(ring_completion& done, int directory, const char* path, int flags) {
    io_uring_sqe& entry = request(done);
    io_uring_prep_unlinkat(&entry, directory, path, flags);
    io_uring_sqe_set_data(&entry, &done);
}

void ring::make_directory(ring_completion& done, int directory, const char* path, unsigned mode) {
    io_uring_sqe& entry = request(done);
    io_uring_prep_mkdirat(&entry, directory, path, mode);
    io_uring_sqe_set_data(&entry, &done);
}

void ring::symlink(ring_completion& done, const char* target, int directory, const char* path) {
    io_uring_sqe& entry = request(done);
    io_uring_prep_symlinkat(&entry, target, directory, path);
    io_uring_sqe_set_data(&entry, &done);
}

void ring::link(ring_completion& done, int from_directory, const char* from, int to_directory,
                const char* to, int flags) {
    io_uring_sqe& entry = request(done);
    io_uring_prep_linkat(&entry, from_directory, from, to_directory, to, flags);
    io_uring_sqe_set_data(&entry, &done);
}

void ring::truncate(ring_completion& done, int fd, std::uint64_t size_bytes) {
    io_uring_sqe& entry = request(done);
    const std::uint8_t opcode = abilities_.truncate ? opcode_ftruncate : opcode_of_nothing;
    io_uring_prep_rw(opcode, &entry, fd, nullptr, 0, size_bytes);
    io_uring_sqe_set_data(&entry, &done);
}

void ring::splice(ring_completion& done, int from, std::int64_t from_offset, int to,
                  std::int64_t to_offset, std::size_t bytes) {
    constexpr std::size_t largest = 0x7fff'f000;
    io_uring_sqe& entry = request(done);
    io_uring_prep_splice(&entry, from, from_offset, to, to_offset,
                         static_cast<unsigned>(std::min(bytes, largest)), 0);
    io_uring_sqe_set_data(&entry, &done);
}

}  // namespace weft
