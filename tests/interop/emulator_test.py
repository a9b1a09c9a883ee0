#!/usr/bin/env python3
"""The path emulator: frames pass, faults are those asked for, and TCP gets its bytes through them."""
# ctest: serial timeout=300

import hashlib
import os
import re
import socket
import struct
import subprocess
import threading
import time
import zlib

import emulated
import netns

HARSH = ("--rate", 50, "--delay", 5, "--jitter", 1, "--loss", 2, "--loss-burst", 2, "--reorder", 2, "--duplicate", 1)
SIZE = 1_000_000
BYTES = b"".join(netns.pattern(SIZE))


def ping(path, *arguments, count=5):
    with path.left.entered():
        result = subprocess.run(["ping", "-c", str(count), "-i", "0.01", "-W", "10", *arguments, emulated.ADDRESS["right"]],
                                capture_output=True, text=True, check=False)
    return [float(each) for each in re.findall(r"time=([0-9.]+) ms", result.stdout)]


class Path(netns.Case):
    def test_pings_pass_and_frames_are_counted(self):
        with emulated.Path() as path:
            self.assertEqual(len(ping(path)), 5)
            counted = path.counters()
            for side in ("left", "right"):
                self.assertGreaterEqual(counted[side]["forwarded"], 5)
                self.assertEqual(counted[side]["forwarded"], counted[side]["taken"])
                self.assertGreaterEqual(counted[side]["forwarded_bytes"], 5 * 98)

    def test_the_round_trip_takes_both_delays(self):
        with emulated.Path("--delay", 20, "--back-delay", 35) as path:
            self.assertGreaterEqual(min(ping(path)), 55)

    def test_the_rate_holds_a_large_frame_up(self):
        with emulated.Path("--rate", 1) as path:
            self.assertGreaterEqual(min(ping(path, "-s", "1000")), 2 * 1042 * 8 / 1e3)

    def test_a_queue_that_is_full_drops(self):
        with emulated.Path("--rate", 0.1, "--queue", 8, "--back-rate", 100) as path:
            ends = {}
            for side in ("left", "right"):
                with path.end(side).entered():
                    ends[side] = self.enterContext(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            ends["right"].bind((emulated.ADDRESS["right"], 9))
            ends["left"].connect((emulated.ADDRESS["right"], 9))
            ends["left"].send(b"who has that address?")
            ends["right"].recv(100)
            for _ in range(40):
                ends["left"].send(bytes(1000))
            netns.wait_until(lambda: path.counters()["left"]["taken"] >= 40, 10, path.emulator.text)
            self.assertGreaterEqual(path.counters()["left"]["dropped_queue_full"], 30)

    def test_a_loss_of_everything_lets_nothing_pass_one_way_only(self):
        with emulated.Path("--back-loss", 100) as path:
            self.assertEqual(ping(path, "-W", "1", count=3), [])
            counted = path.counters()
            self.assertEqual(counted["right"]["forwarded"], 0)
            self.assertEqual(counted["right"]["dropped_by_chance"], counted["right"]["taken"])
            self.assertGreater(counted["left"]["forwarded"], 0)
            self.assertEqual(counted["left"]["dropped_by_chance"], 0)

    def test_every_ping_comes_twice_each_way(self):
        with emulated.Path("--duplicate", 100) as path:
            ping(path)
            counted = path.counters()
            for side in ("left", "right"):
                self.assertEqual(counted[side]["forwarded"], 2 * counted[side]["taken"])

    def numbers_that_pass(self, *arguments):
        """Of 200 frames of a type that no kernel knows, sent from left to right."""
        kind = 0x88B5
        with emulated.Path(*arguments) as path:
            ends = {}
            for side in ("left", "right"):
                with path.end(side).entered():
                    ends[side] = self.enterContext(socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(kind)))
                    ends[side].bind((path.taps[side], kind))
            for number in range(200):
                ends["left"].send(b"\xff" * 6 + b"\x02\0\0\0\0\x01" + struct.pack("!HI", kind, number))
            count = 0

            def all_are_through():
                nonlocal count
                counted = path.counters()["left"]
                count = counted["forwarded"]
                return count + counted["dropped_by_chance"] == 200

            netns.wait_until(all_are_through, 10, path.emulator.text)
            ends["right"].settimeout(10)
            return [struct.unpack_from("!I", ends["right"].recv(100), 14)[0] for _ in range(count)]

    def test_a_seed_gives_the_same_losses_again(self):
        first = self.numbers_that_pass("--loss", 30, "--seed", 5)
        self.assertLess(len(first), 200)
        self.assertEqual(self.numbers_that_pass("--loss", 30, "--seed", 5), first)
        self.assertNotEqual(self.numbers_that_pass("--loss", 30, "--seed", 6), first)

    def test_late_frames_are_overtaken(self):
        numbers = self.numbers_that_pass("--reorder", 20, "--reorder-by", 300)
        self.assertEqual(sorted(numbers), list(range(200)))
        self.assertNotEqual(numbers, sorted(numbers))

    def test_the_seed_is_told(self):
        with emulated.Path("--seed", 4711) as path:
            self.assertIn("seed 4711", path.emulator.text())
            self.assertEqual(path.emulator.stop(), 0)
            self.assertIn("forwarded", path.emulator.text())
            self.assertNotIn(path.taps["left"], os.listdir("/sys/class/net"))


class Transfers(netns.Case):
    """The same bytes through a path that does everything wrong that it can."""

    def send_and_sum(self, path, side):
        with path.connect(side) as sock:
            sock.sendall(BYTES)
            sock.shutdown(socket.SHUT_WR)
            count, crc = netns.read_all(sock).split()
        self.assertEqual((int(count), int(crc, 16)), (SIZE, zlib.crc32(BYTES)))

    def hurt(self, path, side):
        """The path did what it was asked to, to those who sent most."""
        counted = path.counters()[side]
        for name in ("dropped_by_chance", "duplicated", "reordered"):
            self.assertGreater(counted[name], 0, name)

    def test_from_kernel_to_kernel(self):
        def answer(listener):
            peer, _ = listener.accept()
            with peer:
                crc = zlib.crc32(data := netns.read_all(peer))
                peer.sendall(b"%d %08x\n" % (len(data), crc))

        with emulated.Path(*HARSH) as path, path.listen("right") as listener:
            threading.Thread(target=answer, args=(listener,), daemon=True).start()
            self.send_and_sum(path, "left")
            self.hurt(path, "left")

    def test_from_kernel_to_weft(self):
        with emulated.Path(*HARSH, weft="right") as path:
            with path.program("right", "echo_server", "--mode", "hash", ready="listening on"):
                self.send_and_sum(path, "left")
                self.hurt(path, "left")

    def from_weft(self, congestion):
        with emulated.Path(*HARSH, weft="left") as path:
            with path.program("left", "echo_server", "--mode", "chargen", "--bytes", SIZE, "--congestion", congestion,
                              ready="listening on"):
                with path.connect("right") as sock:
                    received = netns.read_all(sock)
            self.assertEqual(hashlib.sha256(received).digest(), hashlib.sha256(BYTES).digest())
            self.hurt(path, "left")

    def test_from_weft_to_kernel_with_cubic(self):
        self.from_weft("cubic")

    def test_from_weft_to_kernel_with_new_reno(self):
        self.from_weft("new_reno")

    def test_from_weft_to_kernel_with_bbr(self):
        self.from_weft("bbr")


class CannotStart(netns.Case):
    def start(self, *arguments):
        return subprocess.run([netns.program("link_emulator"), *map(str, arguments)], capture_output=True, text=True,
                              check=False, timeout=30, stdin=subprocess.DEVNULL)

    def test_wrong_options_print_usage(self):
        for wrong in ([], ["one"], ["one", "one"], ["one", "two", "three"],
                      *(["one", "two", *each.split()] for each in (
                          "--no-such-option", "--loss", "--loss x", "--loss 101", "--loss -1", "--back-loss 101",
                          "--rate 0", "--delay -1", "--seed -1", "--loss-burst 0.5", "--held 0", "--log loud",
                          "--loss 80 --loss-burst 2"))):
            with self.subTest(wrong=wrong):
                result = self.start(*wrong)
                self.assertEqual(result.returncode, 2, result.stderr)
                self.assertIn("--back-delay", result.stderr)

    def test_what_is_no_tap_is_named(self):
        for name, word in (("lo", "lo: "), ("a-name-that-is-too-long", "name")):
            result = self.start("left", name)
            self.assertEqual(result.returncode, 2)
            self.assertIn(word, result.stderr)
            self.assertEqual(len(result.stderr.splitlines()), 1, result.stderr)

    def test_no_dev_net_tun(self):
        netns.run("mount", "-t", "tmpfs", "none", "/dev/net")  # in our own mount namespace
        try:
            result = self.start("left", "right")
        finally:
            netns.run("umount", "/dev/net")
        self.assertEqual(result.returncode, 2)
        self.assertIn("modprobe", result.stderr)


if __name__ == "__main__":
    netns.enter()
    netns.main()
