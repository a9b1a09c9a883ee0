#!/usr/bin/env python3
"""Urgent data between the kernel's sockets and Weft's: where its byte stands, and who hears of it when."""
# ctest: serial timeout=300

import errno
import select
import socket

import netns
import wire

INLINE = (socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)


def read(sock, count):
    """So many bytes; a read ends at the mark."""
    data = b""
    while len(data) < count:
        data += sock.recv(count - len(data))
    return data


class Urgent(wire.Case):
    def hears(self, sock):
        self.assertEqual(sock.events(select.POLLPRI, 10), select.POLLPRI)

    def test_the_last_octet_stands_beside_the_stream(self):
        def play(between):
            for sender, receiver in self.both_ways(between):
                sender.sendall(b"abc")
                sender.send(b"deX", socket.MSG_OOB)
                sender.sendall(b"fgh")
                self.hears(receiver)
                netns.wait_until(lambda r=receiver: len(r.recv(100, socket.MSG_PEEK)) == 5, 10)
                self.assertFalse(receiver.is_at_mark())
                self.assertEqual(read(receiver, 5), b"abcde")
                self.assertTrue(receiver.is_at_mark())
                self.assertEqual(receiver.recv(10, socket.MSG_OOB), b"X")
                self.assertTrue(wire.fails_with(errno.EINVAL, receiver.recv, 10, socket.MSG_OOB))
                self.assertEqual(read(receiver, 3), b"fgh")
                self.assertFalse(receiver.is_at_mark())

        self.on_each(play)

    def both_ways(self, between, **options):
        client, server = between.connect(**options)
        return (client, server), (server, client)

    def test_the_pointer_is_to_the_octet_behind_it(self):
        """RFC 6093 section 3.1, RFC 9293 MUST-62; a kernel that takes RFC 1122's word finds another byte."""
        def play(between, found):
            client, server = between.connect()
            client.send(b"abX", socket.MSG_OOB)
            client.sendall(b"Y")
            self.hears(server)
            netns.wait_until(lambda: server.recv(10, socket.MSG_OOB | socket.MSG_PEEK) == found, 10)
            urgent = [each for each in between.packets("left") if each.has(wire.URG)]
            self.assertEqual({each.seq + each.urgent for each in urgent}, {urgent[0].seq + 3})

        self.on_each(lambda between: play(between, b"X"))
        self.on_each(lambda between: play(between, b"Y"), pairs=(("kernel", "kernel"), ("weft", "kernel")),
                     settings={"tcp_stdurg": 1})

    def test_inline_it_stays_in_the_stream_and_a_read_ends_in_front_of_it(self):
        def play(between):
            for sender, receiver in self.both_ways(between, client_options=[INLINE], server_options=[INLINE]):
                sender.send(b"abcX", socket.MSG_OOB)
                sender.sendall(b"def")
                self.hears(receiver)
                self.assertTrue(wire.fails_with(errno.EINVAL, receiver.recv, 1, socket.MSG_OOB))
                self.assertEqual(receiver.recv(100), b"abc")
                self.assertTrue(receiver.is_at_mark())
                self.assertEqual(read(receiver, 4), b"Xdef")
                self.assertFalse(receiver.is_at_mark())

        self.on_each(play)

    def test_taken_ahead_of_its_turn_it_is_not_read_again(self):
        def play(between):
            for sender, receiver in self.both_ways(between):
                sender.sendall(b"abc")
                sender.send(b"X", socket.MSG_OOB)
                self.hears(receiver)
                self.assertEqual(receiver.recv(1, socket.MSG_OOB), b"X")
                self.assertEqual(receiver.events(select.POLLPRI, 0), 0)
                sender.sendall(b"def")
                self.assertEqual(read(receiver, 6), b"abcdef")

        self.on_each(play)

    def test_one_after_the_other(self):
        def play(between):
            for sender, receiver in self.both_ways(between):
                for octet in (b"1", b"2", b"3"):
                    sender.sendall(b"calm")
                    sender.send(octet, socket.MSG_OOB)
                    self.hears(receiver)
                    self.assertEqual(receiver.recv(1, socket.MSG_OOB), octet)
                    self.assertEqual(read(receiver, 4), b"calm")

        self.on_each(play)

    def test_a_closed_window_does_not_keep_the_news_back(self):
        small = (socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        large = (socket.SOL_SOCKET, socket.SO_SNDBUF, 200_000)

        def play(between):
            client, server = between.connect([large], [small])
            client.sendall(bytes(60_000))
            netns.wait_until(lambda: between.packets("right")[-1].window == 0, 10)
            client.send(b"X", socket.MSG_OOB)
            netns.wait_until(lambda: wire.is_announced(server), 10)
            self.assertEqual(server.events(select.POLLPRI, 0), 0)
            self.assertEqual(read(server, 60_000), bytes(60_000))
            self.hears(server)
            self.assertEqual(server.recv(1, socket.MSG_OOB), b"X")

        self.on_each(play)


if __name__ == "__main__":
    wire.enter()
    netns.main()
