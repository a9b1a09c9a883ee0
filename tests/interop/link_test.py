#!/usr/bin/env python3
"""Pings, fragments, MTUs and frames that are wrong, from the kernel to Weft's stack."""
# ctest: serial timeout=300

import contextlib
import hashlib
import random
import socket
import struct
import subprocess

import netns

SIZE = 20_000_000


def ping(*arguments, count=3):
    return subprocess.run(["ping", "-q", "-c", str(count), "-i", "0.05", "-W", "2", *arguments, netns.WEFT],
                          capture_output=True, text=True, check=False)


def download(size):
    digest = hashlib.sha256()
    with netns.connect((netns.WEFT, 7), 30) as sock:
        data = netns.read_all(sock)
    digest.update(data)
    return len(data), digest.hexdigest()


class Pings(netns.Case):
    def test_pings_are_answered(self):
        with netns.echo_server():
            for size in (0, 1, 56, 1472):
                with self.subTest(size=size):
                    self.assertEqual(ping("-s", str(size)).returncode, 0)

    def test_large_pings_come_back_in_fragments(self):
        with netns.echo_server("--stats") as server:
            for size in (1473, 3000, 20000, 65507):
                with self.subTest(size=size):
                    result = ping("-s", str(size))
                    self.assertEqual(result.returncode, 0, result.stdout + server.text())
            self.assertGreater(server.count("datagrams_reassembled"), 0)


class Mtu(netns.Case):
    def bulk(self, mtu, *arguments):
        netns.make_tap(mtu)
        self.addCleanup(netns.make_tap, 1500)
        expected = hashlib.sha256(b"".join(netns.pattern(SIZE))).hexdigest()
        with netns.echo_server("--mode", "chargen", "--bytes", SIZE, *arguments):
            self.assertEqual(download(SIZE), (SIZE, expected))
        with netns.echo_server("--mode", "hash", *arguments):
            with netns.connect((netns.WEFT, 7), 30) as sock:
                for piece in netns.pattern(SIZE):
                    sock.sendall(piece)
                sock.shutdown(socket.SHUT_WR)
                self.assertEqual(int(netns.read_all(sock).split()[0]), SIZE)

    def test_576(self):
        self.bulk(576)

    def test_576_without_offloads(self):
        self.bulk(576, "--no-offload")

    def test_1500_without_offloads(self):
        self.bulk(1500, "--no-offload")

    def test_9000(self):
        self.bulk(9000)

    def test_9000_without_offloads(self):
        self.bulk(9000, "--no-offload")


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ipv4(payload, protocol=6, total=None, header_words=5, fix=0):
    head = struct.pack("!BBHHHBBH4s4s", 0x40 | header_words, 0, 20 + len(payload) if total is None else total,
                       1, 0, 64, protocol, 0, socket.inet_aton(netns.KERNEL), socket.inet_aton(netns.WEFT))
    return head[:10] + struct.pack("!H", checksum(head) ^ fix) + head[12:] + payload


def tcp(flags, options=b"", offset=None, fix=0, port=7):
    words = 5 + len(options) // 4 if offset is None else offset
    head = struct.pack("!HHIIBBHHH", 40000, port, 1, 0, words << 4, flags, 1000, 0, 0) + options
    pseudo = socket.inet_aton(netns.KERNEL) + socket.inet_aton(netns.WEFT) + struct.pack("!BBH", 0, 6, len(head))
    return head[:16] + struct.pack("!H", checksum(pseudo + head) ^ fix) + head[18:]


class WrongFrames(netns.Case):
    """Through a packet socket, as only a peer on the link could send them."""

    def setUp(self):
        super().setUp()
        self.server = netns.echo_server("--stats")
        self.addCleanup(self.server.__exit__)
        ping(count=1)  # the neighbours know each other
        self.raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        self.addCleanup(self.raw.close)
        self.raw.bind((netns.TAP, 0))
        neighbors = netns.run("ip", "neigh", "show", netns.WEFT)
        words = neighbors.split()
        self.to = bytes.fromhex(words[words.index("lladdr") + 1].replace(":", ""))

    def send(self, packet, kind=0x0800):
        frame = self.to + b"\x02\0\0\0\0\x01" + struct.pack("!H", kind) + packet
        with contextlib.suppress(OSError):  # longer than the MTU, or shorter than a header
            self.raw.send(frame)

    def test_each_is_dropped_and_counted_by_name(self):
        for name, packet in (
                ("ipv4_too_short", b"\x45\0\0"),
                ("ipv4_bad_version", b"\x65" + ipv4(tcp(2))[1:]),
                ("ipv4_bad_header_length", b"\x44" + ipv4(tcp(2))[1:]),
                ("ipv4_bad_total_length", ipv4(tcp(2), total=2000)),
                ("ipv4_bad_checksum", ipv4(tcp(2), fix=1)),
                ("tcp_too_short", ipv4(tcp(2)[:12])),
                ("tcp_bad_checksum", ipv4(tcp(2, fix=1))),
                ("tcp_bad_data_offset", ipv4(tcp(2, offset=4))),
                ("tcp_bad_options", ipv4(tcp(2, b"\x02\x00\x00\x00")))):
            with self.subTest(name=name):
                before = self.server.count(name)
                self.send(packet)
                netns.wait_until(lambda n=name, b=before: self.server.count(n) == b + 1, 3, self.server.text)

    def test_noise_does_no_harm(self):
        chance = random.Random(7)
        good = ipv4(tcp(2, b"\x02\x04\x05\xb4\x01\x03\x03\x07"))
        for _ in range(5000):
            frame = bytearray(good + chance.randbytes(chance.randrange(40)))
            for _ in range(chance.randrange(1, 6)):
                frame[chance.randrange(len(frame))] = chance.randrange(256)
            self.send(bytes(frame[:chance.randrange(1, len(frame) + 1)]), chance.choice((0x0800, 0x0806, 0x86DD)))
        with netns.connect((netns.WEFT, 7)) as sock:
            sock.sendall(b"still here")
            self.assertEqual(sock.recv(100), b"still here")
        self.assertEqual(self.server.stop(), 0)


if __name__ == "__main__":
    netns.enter()
    netns.main()
