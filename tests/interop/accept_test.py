#!/usr/bin/env python3
"""What becomes of connections that end before a program accepts them, on the kernel's sockets and on Weft's."""
# ctest: serial timeout=300

import errno
import select
import socket
import struct

import netns
import wire

TEXT = b"last words"
ABORTS = (socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
EVERYTHING = select.POLLIN | select.POLLOUT | select.POLLRDHUP | select.POLLERR | select.POLLHUP


class Silence:
    """A router that, once told, lets nothing of the left pass but SYNs and RSTs: no third step."""

    has_begun = False

    def __call__(self, packet):
        may_pass = packet.side == "right" or packet.has(wire.SYN) or packet.has(wire.RST)
        return [] if self.has_begun and not may_pass else None


class Accept(wire.Case):
    def connect(self, between, text):
        """A client whose text has arrived."""
        client = between.sockets.enter_context(between.ends["left"].socket())
        client.connect(wire.SERVER)
        if text:
            client.sendall(text)
            netns.wait_until(lambda: between.packets("right")[-1].ack == between.packets("left")[-1].end, 10)
        return client

    def abort(self, between, client):
        client.setsockopt(*ABORTS)
        client.close()
        netns.wait_until(lambda: between.packets("left")[-1].has(wire.RST), 10)

    def check_reset(self, listener, text):
        """What came is read, then the reset is heard of, once."""
        server, _ = listener.accept()
        with server:
            self.assertEqual(server.events(EVERYTHING, 10), EVERYTHING)
            if text:
                self.assertEqual(server.recv(100), text)
            self.assertTrue(wire.fails_with(errno.ECONNRESET, server.recv, 100))
            self.assertEqual(server.recv(100), b"")
            self.assertTrue(wire.fails_with(errno.EPIPE, server.send, b"x", socket.MSG_NOSIGNAL))

    def test_one_that_was_reset_is_accepted_with_what_it_brought(self):
        def play(between):
            listener = between.listen([wire.FAST_OPEN])
            for text in (TEXT, b""):
                self.abort(between, self.connect(between, text))
                self.check_reset(listener, text)

        self.on_each(play)

    def test_one_that_was_opened_fast_and_reset_before_the_third_step_as_well(self):
        def play(between):
            listener = between.listen([wire.FAST_OPEN])
            with between.ends["left"].socket() as client:
                client.sendto(b"x", socket.MSG_FASTOPEN, wire.SERVER)
                listener.accept()[0].close()
            between.router.has_begun = True
            client = between.sockets.enter_context(between.ends["left"].socket())
            self.assertEqual(client.sendto(TEXT, socket.MSG_FASTOPEN, wire.SERVER), len(TEXT))
            syn = [each for each in between.packets("left") if each.has(wire.SYN)][-1]
            self.assertEqual(syn.text, TEXT)
            self.abort(between, client)
            self.check_reset(listener, TEXT)

        self.on_each(play, make_router=Silence,
                     settings={"tcp_fastopen": 3, "tcp_fastopen_blackhole_timeout_sec": 0})

    def test_a_listener_that_goes_resets_whom_nobody_accepted(self):
        def play(between):
            listener = between.listen([wire.FAST_OPEN])
            client = self.connect(between, TEXT)
            self.abort(between, self.connect(between, TEXT))
            listener.close()
            self.assertTrue(wire.fails_with(errno.ECONNRESET, client.recv, 100))
            self.assertEqual(len([each for each in between.packets("right") if each.has(wire.RST)]), 1)

        self.on_each(play)


if __name__ == "__main__":
    wire.enter()
    netns.main()
