#!/usr/bin/env python3
"""TCP Fast Open between the kernel's TCP and Weft's (RFC 7413): text in the SYN, at both ends."""
# ctest: serial timeout=300

import socket

import netns
import wire

TEXT = b"GET / HTTP/1.1\r\n\r\n"
COOKIE = 34  # the option's kind
TCP_FASTOPEN_KEY = 33
ON = {"settings": {"tcp_fastopen": 3, "tcp_fastopen_blackhole_timeout_sec": 0}}


class FastOpen(wire.Case):
    def ask(self, between, listener, text=TEXT):
        """One connection with its text in sendto(). Its packets."""
        before = len(between.packets())
        with between.ends["left"].socket() as client:
            self.assertEqual(client.sendto(text, socket.MSG_FASTOPEN, wire.SERVER), len(text))
            server, _ = listener.accept()
            with server:
                got = b""
                while len(got) < len(text):
                    got += server.recv(65536)
                self.assertEqual(got, text)
                server.sendall(b"answer")
                self.assertEqual(client.recv(100), b"answer")
                client.shutdown(socket.SHUT_WR)
                self.assertEqual(server.recv(1), b"")
                server.shutdown(socket.SHUT_WR)
                self.assertEqual(client.recv(1), b"")
        return between.packets()[before:]

    @staticmethod
    def opening(packets):
        """The SYNs of the left, and the first SYN,ACK of the right."""
        syns = [each for each in packets if each.side == "left" and each.has(wire.SYN)]
        answer = next(each for each in packets if each.side == "right" and each.has(wire.SYN | wire.ACK))
        return syns, answer

    def test_the_first_connection_gets_a_cookie_and_the_second_sends_text_with_it(self):
        def play(between):
            listener = between.listen([wire.FAST_OPEN])
            (first,), answer = self.opening(self.ask(between, listener))
            self.assertEqual(first.options[COOKIE], b"")
            self.assertEqual(first.text, b"")
            cookie = answer.options[COOKIE]
            self.assertIn(len(cookie), range(4, 17))

            packets = self.ask(between, listener)
            (second,), answer = self.opening(packets)
            self.assertEqual(second.options[COOKIE], cookie)
            self.assertEqual(second.text, TEXT)
            self.assertEqual(answer.ack, (second.seq + 1 + len(TEXT)) % 2**32)
            # It went once, and the cookie was not handed out again.
            self.assertEqual(b"".join(each.text for each in packets if each.side == "left"), TEXT)
            self.assertNotIn(COOKIE, answer.options)

        self.on_each(play, **ON)

    def test_a_key_makes_the_same_cookies_in_either_server(self):
        cookies = set()

        def play(between):
            listener = between.listen([wire.FAST_OPEN])
            listener.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN_KEY, bytes(range(16)))
            _, answer = self.opening(self.ask(between, listener))
            cookies.add(answer.options[COOKIE])

        self.on_each(play, **ON)
        self.assertEqual(len(cookies), 1)

    def test_more_text_than_a_syn_holds_goes_on_behind_it(self):
        def play(between):
            listener = between.listen([wire.FAST_OPEN])
            self.ask(between, listener)
            text = netns.random_bytes(8_000)
            (syn,), answer = self.opening(self.ask(between, listener, text))
            self.assertGreater(len(syn.text), 1000)
            self.assertEqual(answer.ack, (syn.seq + 1 + len(syn.text)) % 2**32)

        self.on_each(play, **ON)

    def test_a_cookie_that_the_server_does_not_know_costs_one_round_trip_and_gets_a_new_one(self):
        def spoil(packet):
            if packet.side != "left" or not packet.has(wire.SYN) or not packet.text:
                return None
            cookie = packet.options[COOKIE]
            return [spoilt(packet, cookie, bytes(each ^ 0x55 for each in cookie))]

        def play(between):
            listener = between.listen([wire.FAST_OPEN])
            self.ask(between, listener)
            (syn,), answer = self.opening(self.ask(between, listener))
            self.assertEqual(syn.text, TEXT)
            self.assertEqual(answer.ack, (syn.seq + 1) % 2**32)
            self.assertEqual(answer.options[COOKIE], syn.options[COOKIE])

        self.on_each(play, make_router=lambda: spoil, **ON)

    def test_a_syn_with_text_that_is_lost_is_followed_by_one_without(self):
        def lose(packet):
            return [] if packet.side == "left" and packet.has(wire.SYN) and packet.text else None

        def play(between):
            listener = between.listen([wire.FAST_OPEN])
            self.ask(between, listener)
            syns, answer = self.opening(self.ask(between, listener))
            self.assertGreater(len(syns), 1)
            self.assertEqual([len(each.text) for each in syns], [len(TEXT)] + [0] * (len(syns) - 1))
            self.assertNotIn(COOKIE, syns[-1].options)
            self.assertEqual(answer.ack, (syns[0].seq + 1) % 2**32)

        self.on_each(play, make_router=lambda: lose, **ON)


def spoilt(packet, old, new):
    """The packet with other bytes in an option, and a checksum for them."""
    data = bytearray(packet.data.replace(old, new, 1))
    data[36:38] = b"\0\0"
    pseudo = bytes(data[12:20]) + bytes([0, 6]) + (len(data) - 20).to_bytes(2, "big")
    data[36:38] = wire.checksum(pseudo + bytes(data[20:])).to_bytes(2, "big")
    return bytes(data)


if __name__ == "__main__":
    wire.enter()
    netns.main()
