#!/usr/bin/env python3
"""1 GiB up and 1 GiB down between Weft's TCP and the kernel's: equal sums, nothing lost or doubled."""
# ctest: slow serial timeout=600

import hashlib
import socket
import time
import zlib

import netns

SIZE = (1 << 28) if netns.SANITIZED else (1 << 30)


def crc_of_pattern(count):
    sum_so_far = 0
    for piece in netns.pattern(count):
        sum_so_far = zlib.crc32(piece, sum_so_far)
    return sum_so_far


def upload(address, size):
    """Returns what the server counted and summed."""
    with netns.connect(address, 60) as sock:
        for piece in netns.pattern(size):
            sock.sendall(piece)
        sock.shutdown(socket.SHUT_WR)
        count, crc = netns.read_all(sock).split()
        return int(count), int(crc, 16)


def download(address):
    """Returns bytes and hash of all that came."""
    count, digest = 0, hashlib.sha256()
    buffer = memoryview(bytearray(1 << 18))
    with netns.connect(address, 60) as sock:
        while got := sock.recv_into(buffer):
            digest.update(buffer[:got])
            count += got
    return count, digest.hexdigest()


def hash_server(peer):
    """What echo_server --mode hash does, on the kernel's TCP."""
    count, crc = 0, 0
    while data := peer.recv(1 << 18):
        count, crc = count + len(data), zlib.crc32(data, crc)
    peer.sendall(b"%d %08x\n" % (count, crc))
    peer.shutdown(socket.SHUT_WR)


class Bulk(netns.Case):
    limit_seconds = 280

    def report(self, what, size, begin):
        seconds = time.monotonic() - begin
        print(f"{what}: {size} bytes in {seconds:.2f} s, {size * 8 / seconds / 1e9:.2f} Gbit/s", flush=True)

    def test_up(self):
        expected = SIZE, crc_of_pattern(SIZE)
        with netns.echo_server("--mode", "hash", "--stats") as server:
            begin = time.monotonic()
            self.assertEqual(upload((netns.WEFT, 7), SIZE), expected)
            self.report("up", SIZE, begin)
            self.assertEqual(server.count("tcp_bytes_received"), SIZE)

    def test_down(self):
        digest = hashlib.sha256()
        for piece in netns.pattern(SIZE):
            digest.update(piece)
        with netns.echo_server("--mode", "chargen", "--bytes", SIZE, "--stats") as server:
            begin = time.monotonic()
            self.assertEqual(download((netns.WEFT, 7)), (SIZE, digest.hexdigest()))
            self.report("down", SIZE, begin)
            self.assertEqual(server.count("tcp_bytes_sent"), SIZE)

    def test_up_without_offloads(self):
        size = SIZE // 8
        with netns.echo_server("--mode", "hash", "--no-offload"):
            self.assertEqual(upload((netns.WEFT, 7), size), (size, crc_of_pattern(size)))

    def test_both_ways_at_once(self):
        """Our client echoes through a kernel server: what we send comes back while we send."""
        size = SIZE // 4
        with netns.KernelServer(netns.echo, netns.KERNEL, 7007):
            with netns.Program("echo_client", f"{netns.KERNEL}:7007", "--bytes", size) as client:
                self.assertEqual(client.wait(120), 0, client.text())
                self.assertIn("as expected", client.text())

    def test_the_test_itself_kernel_to_kernel(self):
        size = 1 << 26
        with netns.KernelServer(hash_server) as server:
            self.assertEqual(upload(server.address, size), (size, crc_of_pattern(size)))


if __name__ == "__main__":
    netns.enter()
    netns.main()
