#!/usr/bin/env python3
"""UDP of Weft's own stack against the kernel's: udp_echo on a TAP, and sockets of the kernel."""
# ctest: serial timeout=180

import contextlib
import errno
import os
import re
import socket
import unittest

import netns

PORT = 7


def client(timeout=5.0):
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.settimeout(timeout)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    return made


class Udp(netns.Case):
    def echo_server(self, *arguments):
        return netns.Program("udp_echo", "--net", f"tap:name={netns.TAP},addr={netns.WEFT}/24",
                             "--stats", *arguments, ready="listening")

    def test_datagrams_of_every_size_come_back(self):
        with self.echo_server() as server, client() as peer:
            for size in (0, 1, 7, 512, 1471, 1472, 1473, 2952, 2953, 9000, 65507):
                with self.subTest(size=size):
                    sent = os.urandom(size)
                    peer.sendto(sent, (netns.WEFT, PORT))
                    got, source = peer.recvfrom(65536)
                    self.assertEqual(got, sent)
                    self.assertEqual(source, (netns.WEFT, PORT))
            self.assertEqual(server.stop(), 0)
            counters = server.counters()
            self.assertEqual(counters["udp_received"], 11)
            self.assertEqual(counters["udp_sent"], 11)
            self.assertEqual(counters["datagrams_reassembled"], 5)
            self.assertNotIn("udp_bad_checksum", counters)

    def test_fragments_on_a_link_with_a_small_mtu(self):
        netns.make_tap(mtu=576)
        with self.echo_server() as server, client() as peer:
            for size in (548, 549, 1500, 20000, 65507):
                sent = os.urandom(size)
                peer.sendto(sent, (netns.WEFT, PORT))
                self.assertEqual(peer.recv(65536), sent)
            self.assertEqual(server.stop(), 0)

    def test_many_in_a_row_are_answered_in_order(self):
        with self.echo_server() as server, client() as peer:
            for burst in range(100):
                for i in range(20):
                    peer.sendto(f"{burst} {i}".encode() * 20, (netns.WEFT, PORT))
                for i in range(20):
                    self.assertEqual(peer.recv(65536), f"{burst} {i}".encode() * 20)
            self.assertEqual(server.stop(), 0)
            self.assertEqual(server.counters()["udp_received"], 2000)

    def test_a_closed_port_is_refused(self):
        with self.echo_server(), client() as peer:
            peer.connect((netns.WEFT, 9))
            peer.send(b"anybody?")
            with self.assertRaises(OSError) as caught:
                peer.recv(100)
            self.assertEqual(caught.exception.errno, errno.ECONNREFUSED)

    def test_a_checksum_that_is_missing_is_accepted(self):
        with self.echo_server(), client() as peer:
            so_no_check = 11
            peer.setsockopt(socket.SOL_SOCKET, so_no_check, 1)
            peer.sendto(b"without", (netns.WEFT, PORT))
            self.assertEqual(peer.recv(100), b"without")

    def test_a_broadcast_is_received(self):
        with self.echo_server(), client() as peer:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            peer.sendto(b"everybody", ("10.0.0.255", PORT))
            got, source = peer.recvfrom(100)
            self.assertEqual(got, b"everybody")
            self.assertEqual(source, (netns.WEFT, PORT))

    def test_a_peer_that_closes_before_the_answer_does_no_harm(self):
        with self.echo_server() as server:
            for _ in range(50):
                with client() as peer:
                    peer.sendto(b"x" * 3000, (netns.WEFT, PORT))
            with client() as peer:
                peer.sendto(b"still there", (netns.WEFT, PORT))
                self.assertEqual(peer.recv(100), b"still there")
            self.assertEqual(server.stop(), 0)


class OnEveryCore:
    """A socket on each of three shards, all with one port."""

    SHARDS = 3

    def server(self, *arguments):
        made = netns.Program("udp_echo", "--net", self.net, "--threads", self.SHARDS, "--port", self.address[1],
                             "--stats", "--log", "tap=info", *arguments, ready="listening")
        self.addCleanup(made.__exit__)
        return made

    def echoed(self, server):
        found = dict(re.findall(r"^shard (\d+): echoed (\d+) datagrams$", server.text(), re.MULTILINE))
        self.assertEqual(len(found), self.SHARDS, server.text())
        return [int(found[str(i)]) for i in range(self.SHARDS)]

    def exchange(self):
        """Datagrams of all sizes from many ports."""
        count = 0
        with contextlib.ExitStack() as stack:
            for peer in [stack.enter_context(client()) for _ in range(90)]:
                for size in (0, 1, 1472, 1473, 9000):
                    sent = os.urandom(size)
                    peer.sendto(sent, self.address)
                    got, source = peer.recvfrom(65536)
                    self.assertEqual(got, sent)
                    self.assertEqual(source, self.address)
                    count += 1
        return count

    def check_spread(self):
        server = self.server()
        count = self.exchange()
        self.assertEqual(server.stop(), 0, server.text())
        each = self.echoed(server)
        self.assertEqual(sum(each), count)
        for one in each:
            self.assertEqual(one % 5, 0)  # all of a sender are one shard's
            self.assertGreater(one, count / self.SHARDS / 3)
        return server

    def test_datagrams_are_spread_over_the_shards_by_their_sender(self):
        self.check_spread()


class OnEveryCoreOfATap(OnEveryCore, netns.Case):
    net = "tap:name=udp0,addr=10.1.0.2/24"
    address = ("10.1.0.2", PORT)

    def setUp(self):
        if "udp0" not in [name for _, name in socket.if_nameindex()]:
            netns.run("ip", "tuntap", "add", "dev", "udp0", "mode", "tap", "multi_queue")
            netns.run("ip", "address", "add", "10.1.0.1/24", "dev", "udp0")
            netns.run("ip", "link", "set", "udp0", "up")
        super().setUp()

    def test_only_fragments_and_arp_are_passed_on(self):
        server = self.server()
        with contextlib.ExitStack() as stack:
            for peer in [stack.enter_context(client()) for _ in range(100)]:
                peer.sendto(b"whole", self.address)
                self.assertEqual(peer.recv(100), b"whole")
        self.assertEqual(server.stop(), 0, server.text())
        if "steering program" in server.text():
            self.skipTest("no permission for bpf(2) here")
        self.assertLess(server.counters().get("shard_passed_on", 0), 20, server.text())

    def test_the_same_when_the_receivers_steer(self):
        self.net += ",steer=software"
        server = self.check_spread()
        self.assertGreater(server.counters()["shard_passed_on"], 50, server.text())

    def test_a_closed_port_is_refused_by_the_shard_whose_it_is(self):
        with self.server():
            for _ in range(12):
                with client() as peer:
                    peer.connect((self.address[0], 9))
                    peer.send(b"anybody?")
                    with self.assertRaises(ConnectionRefusedError):
                        peer.recv(100)

    def test_a_port_of_one_shard_cannot_be_everybodys(self):
        program = netns.Program("udp_echo", "--net", self.net, "--threads", self.SHARDS, "--port", 40000)
        self.addCleanup(program.__exit__)
        self.assertEqual(program.wait(20), 2, program.text())
        self.assertIn("cannot receive on port 40000", program.text())


class OnEveryCoreOfTheKernel(OnEveryCore, netns.Case):
    net = "kernel:"
    address = ("127.0.0.1", 7007)


class OnTheKernel(netns.Case):
    def test_the_same_program_on_the_kernels_sockets(self):
        with netns.Program("udp_echo", "--net", "kernel:", "--port", 7007, ready="listening") as server:
            with client() as peer:
                for size in (0, 1, 1472, 1473, 65507):
                    sent = os.urandom(size)
                    peer.sendto(sent, ("127.0.0.1", 7007))
                    self.assertEqual(peer.recv(65536), sent)
            self.assertEqual(server.stop(), 0)


if __name__ == "__main__":
    netns.enter()
    netns.main()
