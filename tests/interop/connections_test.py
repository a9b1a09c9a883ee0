#!/usr/bin/env python3
"""How connections begin and end between Weft's TCP and the kernel's, in order and not."""
# ctest: serial timeout=300

import contextlib
import os
import resource
import selectors
import socket
import struct
import threading
import time
import zlib

import netns


def reset(sock):
    """Closes with a RST."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def exchange_on_many(address, count, seconds, keep_open=None):
    """Opens `count` connections at once, has a message echoed on each; returns how many worked."""
    selector = selectors.DefaultSelector()
    with contextlib.ExitStack() as all_of_them:
        stack = keep_open or all_of_them
        for i in range(count):
            sock = stack.enter_context(socket.socket())
            sock.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                sock.connect(address)
            selector.register(sock, selectors.EVENT_WRITE, data=(b"%06d" % i * 100, bytearray()))
        done = 0
        deadline = time.monotonic() + seconds
        while done < count and time.monotonic() < deadline:
            for key, events in selector.select(1):
                message, back = key.data
                if events & selectors.EVENT_WRITE:
                    key.fileobj.sendall(message)
                    selector.modify(key.fileobj, selectors.EVENT_READ, key.data)
                    continue
                back += key.fileobj.recv(65536)
                if len(back) >= len(message):
                    if bytes(back) != message:
                        raise AssertionError(f"{bytes(back)} came back instead of {message}")
                    selector.unregister(key.fileobj)
                    done += 1
                    if keep_open is None:
                        key.fileobj.close()
        return done


class EchoCases:
    """What any echo server does; `address` is whose. Run against Weft and against the kernel."""

    def test_what_is_sent_comes_back(self):
        with netns.connect(self.address) as sock:
            for size in (1, 2, 1460, 1461, 65536, 300_000):
                data = netns.random_bytes(size, size)
                sender = threading.Thread(target=sock.sendall, args=(data,))
                sender.start()
                back = bytearray()
                while len(back) < size:
                    back += sock.recv(65536)
                sender.join()
                self.assertEqual(bytes(back), data)

    def test_it_goes_on_sending_after_our_fin(self):
        data = netns.random_bytes(3_000_000)
        with netns.connect(self.address) as sock:
            received = []
            reader = threading.Thread(target=lambda: received.append(netns.read_all(sock)))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
            sender = threading.Thread(target=lambda: (sock.sendall(data), sock.shutdown(socket.SHUT_WR)))
            sender.start()
            time.sleep(0.3)  # buffers are full: what comes now comes after the FIN was queued
            reader.start()
            sender.join(30)
            reader.join(30)
            self.assertEqual(received[0], data)

    def test_it_closes_when_we_close(self):
        with netns.connect(self.address) as sock:
            sock.shutdown(socket.SHUT_WR)
            self.assertEqual(sock.recv(10), b"")

    def test_a_reset_in_the_middle_hurts_nobody_else(self):
        with netns.connect(self.address) as other:
            for _ in range(50):
                sock = netns.connect(self.address)
                sock.sendall(b"x" * 100_000)
                reset(sock)
            other.sendall(b"still here")
            self.assertEqual(other.recv(100), b"still here")

    def test_a_thousand_at_once(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = 2200
        if hard != resource.RLIM_INFINITY and hard < wanted:
            self.skipTest(f"only {hard} open files")
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
        with contextlib.ExitStack() as opened:
            self.assertEqual(exchange_on_many(self.address, 1000, 60, opened), 1000)
            # And all are still open.


class AgainstWeft(EchoCases, netns.Case):
    front_end = "coroutine"

    def setUp(self):
        super().setUp()
        self.server = netns.echo_server("--stats", "--front-end", self.front_end)
        self.addCleanup(self.server.__exit__)
        self.address = (netns.WEFT, 7)

    def test_stopping_sends_a_fin(self):
        with netns.connect(self.address) as sock:
            sock.sendall(b"hello")
            self.assertEqual(sock.recv(10), b"hello")
            self.server.process.send_signal(2)
            self.assertEqual(sock.recv(10), b"")
        self.assertEqual(self.server.wait(10), 0)
        self.assertEqual(self.server.counters().get("tcp_resets_sent", 0), 0)

    def test_a_closed_port_refuses(self):
        with self.assertRaises(ConnectionRefusedError):
            netns.connect((netns.WEFT, 9))
        self.assertEqual(self.server.count("tcp_no_connection"), 1)

    def test_a_peer_that_died_is_forgotten(self):
        """A process that is killed with unread data: its kernel resets."""
        child = os.fork()
        if child == 0:
            sock = netns.connect(self.address)
            sock.sendall(b"x" * 200_000)
            time.sleep(60)
            os._exit(0)
        time.sleep(0.5)
        os.kill(child, 9)
        os.waitpid(child, 0)
        netns.wait_until(lambda: self.server.count("tcp_resets_received") > 0, 5, self.server.text)
        with netns.connect(self.address) as sock:
            sock.sendall(b"next")
            self.assertEqual(sock.recv(10), b"next")

    def test_a_server_that_dies_leaves_a_refusal(self):
        """Our process is killed: the TAP is without a stack, and then another one is there."""
        with netns.connect(self.address) as sock:
            sock.sendall(b"hello")
            self.assertEqual(sock.recv(10), b"hello")
            self.server.process.kill()
            self.server.process.wait()
            with netns.echo_server("--front-end", self.front_end):
                sock.settimeout(10)
                with self.assertRaises(ConnectionResetError):  # the new one knows nothing of it
                    for _ in range(100):
                        sock.sendall(b"are you there?")
                        time.sleep(0.05)


class AgainstWeftInFibers(AgainstWeft):
    front_end = "fiber"


class AgainstWeftInCallbacks(AgainstWeft):
    front_end = "callback"


class AgainstTheKernel(EchoCases, netns.Case):
    """Proves the cases themselves."""

    def setUp(self):
        super().setUp()
        self.server = netns.KernelServer(netns.echo)
        self.addCleanup(self.server.__exit__)
        self.address = self.server.address


class Backlog(netns.Case):
    front_end = "coroutine"

    def test_who_finds_the_backlog_full_comes_again_and_is_served(self):
        with netns.echo_server("--stats", "--backlog", 4, "--max-connections", 4,
                               "--front-end", self.front_end) as server:
            self.assertEqual(exchange_on_many((netns.WEFT, 7), 24, 60), 24)
            dropped = server.count("tcp_syn_dropped") + server.count("tcp_backlog_overflow")
            self.assertGreater(dropped, 0, server.text())


class BacklogInFibers(Backlog):
    front_end = "fiber"


class BacklogInCallbacks(Backlog):
    front_end = "callback"


class Modes(netns.Case):
    def test_hash_tells_count_and_sum_in_every_front_end(self):
        data = netns.random_bytes(3_000_000)
        for front_end in ("coroutine", "fiber", "callback"):
            with self.subTest(front_end=front_end):
                with netns.echo_server("--mode", "hash", "--front-end", front_end):
                    with netns.connect((netns.WEFT, 7)) as sock:
                        sock.sendall(data)
                        sock.shutdown(socket.SHUT_WR)
                        told = netns.read_all(sock).split()
                self.assertEqual(told, [b"%d" % len(data), b"%08x" % zlib.crc32(data)])


class Silence(netns.Case):
    front_end = "coroutine"

    def test_a_peer_that_says_nothing_is_reset_in_time(self):
        with netns.echo_server("--idle", 1, "--front-end", self.front_end), netns.connect((netns.WEFT, 7)) as sock:
            begin = time.monotonic()
            with self.assertRaises(ConnectionResetError):
                sock.recv(1)
            self.assertLess(time.monotonic() - begin, 3)

    def test_peers_that_never_read_cost_a_bounded_amount(self):
        with netns.echo_server("--mode", "chargen", "--idle", 3, "--front-end", self.front_end) as server:
            before = server.resident_bytes()
            with contextlib.ExitStack() as opened:
                socks = [opened.enter_context(netns.connect((netns.WEFT, 7))) for _ in range(30)]
                time.sleep(1.5)
                grown = server.resident_bytes() - before
                # A send buffer of 1 MiB, a piece of 64 KiB and the pattern, each.
                self.assertLess(grown, 30 * (2 << 20) * (4 if netns.SANITIZED else 1))
                time.sleep(2.5)
                for sock in socks:
                    with self.assertRaises(ConnectionResetError):
                        netns.read_all(sock)

    def test_a_window_that_opens_late(self):
        """Zero-window probes: the kernel reads nothing for a while, then everything."""
        size = 4_000_000
        with netns.echo_server("--mode", "chargen", "--bytes", size, "--stats",
                               "--front-end", self.front_end) as server:
            with socket.socket() as sock:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
                sock.settimeout(30)
                sock.connect((netns.WEFT, 7))
                time.sleep(2)
                self.assertEqual(netns.read_all(sock), b"".join(netns.pattern(size)))
            self.assertGreater(server.count("tcp_zero_window_probes"), 0)


class SilenceInFibers(Silence):
    front_end = "fiber"


class SilenceInCallbacks(Silence):
    front_end = "callback"


if __name__ == "__main__":
    netns.enter()
    netns.main()
