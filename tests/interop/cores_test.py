#!/usr/bin/env python3
"""One address on several cores, against the kernel's TCP: a TAP of several queues, a stack on each."""
# ctest: serial timeout=300

import contextlib
import re
import selectors
import socket
import threading
import unittest

import netns

SHARDS = 3
PORT = 7
EVENTS = selectors.EVENT_READ | selectors.EVENT_WRITE


def exchange_all(count, size):
    """`count` connections at once, each with bytes of its own there and back; how many were right."""
    selector = selectors.DefaultSelector()
    right = 0
    with contextlib.ExitStack() as stack:
        for i in range(count):
            sock = stack.enter_context(socket.socket())
            sock.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                sock.connect((netns.WEFT, PORT))
            selector.register(sock, EVENTS, data=[netns.random_bytes(size, i), 0, bytearray()])
        left = count
        while left:
            ready = selector.select(20)
            if not ready:
                raise AssertionError(f"nothing comes any more, {left} of {count} connections are left")
            for key, events in ready:
                message, sent, back = key.data
                if events & selectors.EVENT_WRITE:
                    key.data[1] += key.fileobj.send(message[sent:sent + 65536])
                    if key.data[1] == size:
                        key.fileobj.shutdown(socket.SHUT_WR)
                        selector.modify(key.fileobj, selectors.EVENT_READ, key.data)
                if events & selectors.EVENT_READ:
                    piece = key.fileobj.recv(65536)
                    back += piece
                    if not piece:
                        right += bytes(back) == message
                        selector.unregister(key.fileobj)
                        left -= 1
    return right


class Cores(netns.Case):
    limit_seconds = 240

    def setUp(self):
        if netns.TAP not in [name for _, name in socket.if_nameindex()]:
            netns.run("ip", "tuntap", "add", "dev", netns.TAP, "mode", "tap", "multi_queue")
            netns.run("ip", "address", "add", f"{netns.KERNEL}/24", "dev", netns.TAP)
        super().setUp()

    def start(self, *arguments, ready="listening on"):
        server = netns.Program("sharded_echo", "--threads", SHARDS, "--tap", netns.TAP, "--address",
                               f"{netns.WEFT}/24", "--port", PORT, *arguments, ready=ready)
        self.addCleanup(server.__exit__)
        return server

    def tallies(self, program):
        found = re.findall(r"shard \d+: (\d+) served, (\d+) connected, (\d+) failed", program.text())
        self.assertEqual(len(found), SHARDS, program.text())
        return [tuple(map(int, each)) for each in found]

    def serve(self, *arguments):
        server = self.start(*arguments)
        self.assertEqual(exchange_all(120, 30_000), 120)
        self.assertEqual(exchange_all(6, 3_000_000), 6)
        netns.run("ping", "-c", "2", "-i", "0.2", "-W", "3", netns.WEFT)
        with self.assertRaises(ConnectionRefusedError):  # by the shard whose it is
            netns.connect((netns.WEFT, 9))
        text = server.text()
        self.assertEqual(server.stop(), 0, server.text())
        tallies = self.tallies(server)
        self.assertEqual(sum(each[0] for each in tallies), 126, server.text())
        self.assertEqual(sum(each[2] for each in tallies), 0, server.text())
        for each in tallies:
            self.assertGreater(each[0], 15, server.text())
        counters = server.counters()
        # The refusal; and late acknowledgments of a FIN that was sent twice, on a machine that is busy.
        self.assertGreater(counters.get("tcp_no_connection", 0), 0, server.text())
        self.assertEqual(counters["tcp_resets_sent"], counters["tcp_no_connection"], server.text())
        self.assertEqual(counters.get("shard_refused", 0), 0, server.text())
        return text, counters

    def test_all_shards_serve_and_every_byte_is_right(self):
        text, counters = self.serve()
        if "steered by the kernel" not in text:
            self.skipTest("no permission for bpf(2) here")
        # What is passed on is ARP: no segment came to the wrong shard.
        self.assertLess(counters.get("shard_passed_on", 0), 50)

    def test_the_same_when_the_receivers_steer(self):
        text, counters = self.serve("--software-steering")
        self.assertIn("steered by software", text)
        self.assertGreater(counters["shard_passed_on"], 1000)

    def connect(self, *arguments):
        def echo_whole(peer):
            data = netns.read_all(peer)
            peer.sendall(data)

        # All of them fit its backlog.
        with netns.KernelServer(echo_whole, netns.KERNEL) as server:
            address = "%s:%d" % server.address
            client = self.start("--connect", address, "--connections", 40, "--bytes", 20_000,
                                *arguments, ready=None)
            self.assertEqual(client.wait(120), 0, client.text())
        for each in self.tallies(client):
            self.assertEqual(each, (0, 40, 0), client.text())
        counters = client.counters()
        self.assertEqual(counters["tcp_active_opens"], 40 * SHARDS)
        return counters

    def test_connections_out_land_on_their_own_shard(self):
        counters = self.connect()
        if counters.get("shard_taken_over", 0) > 1000:
            self.skipTest("no permission for bpf(2) here")
        self.assertLess(counters.get("shard_passed_on", 0), 50)

    def test_connections_out_with_receivers_that_steer(self):
        self.connect("--software-steering")

    def test_stopping_sends_a_fin_on_every_shard(self):
        server = self.start()
        with contextlib.ExitStack() as stack:
            socks = [stack.enter_context(netns.connect((netns.WEFT, PORT))) for _ in range(30)]
            for sock in socks:
                sock.sendall(b"hello")
                self.assertEqual(sock.recv(10), b"hello")
            stopper = threading.Thread(target=lambda: server.process.send_signal(2))
            stopper.start()
            for sock in socks:
                self.assertEqual(sock.recv(10), b"")
                sock.close()
            stopper.join()
            self.assertEqual(server.wait(20), 0, server.text())
        self.assertEqual(server.counters().get("tcp_resets_sent", 0), 0, server.text())


class OneQueue(netns.Case):
    def test_a_tap_of_one_queue_is_an_error_that_says_what_to_do(self):
        netns.run("ip", "tuntap", "add", "dev", "single0", "mode", "tap")
        program = netns.Program("sharded_echo", "--threads", 2, "--tap", "single0")
        self.addCleanup(program.__exit__)
        self.assertEqual(program.wait(20), 2)
        self.assertIn("multi_queue", program.text())


if __name__ == "__main__":
    netns.enter()
    unittest.main(verbosity=2)
