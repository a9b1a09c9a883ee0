#!/usr/bin/env python3
"""Losses, duplicates and narrow paths between the kernel's TCP and Weft's: SACK, D-SACK, path MTU."""
# ctest: serial timeout=300

import netns
import wire

TEXT = netns.random_bytes(600_000)
NARROW = 1300


class Router:
    """One whose next link takes packets of NARROW bytes. It tells the sender so, or does not."""

    def __init__(self, tells):
        self.tells, self.too_large = tells, 0

    def __call__(self, packet):
        if packet.size <= NARROW:
            return None
        self.too_large += 1
        if not self.tells or not packet.must_not_be_cut:
            return []
        message = wire.icmp("10.0.0.99", wire.ADDRESS[packet.side], 3, 4, NARROW, packet.data[:28])
        return [(packet.side, message)]


class Transfer(wire.Case):
    def play(self, between):
        client, server = between.connect()
        self.assertEqual(wire.transfer(client, server, TEXT), TEXT)


class Loss(Transfer):
    def test_what_is_behind_a_gap_is_reported_and_only_the_gap_sent_again(self):
        def play(between):
            self.play(between)
            lost = between.router.packet
            blocks = {block for each in between.packets("right") for block in each.sacks}
            self.assertIn(lost.end, {left for left, _ in blocks})
            _, again = wire.text_from_left(between)
            self.assertIn(lost.seq, {each.seq for each in again})
            # A machine that stalls makes a timer fire: never mind a few more.
            self.assertLess(sum(len(each.text) for each in again), len(TEXT) // 20)

        self.on_each(play, make_router=lambda: wire.Nth(40, wire.is_text_from_left, lambda packet: []))

    def test_many_gaps(self):
        class Sieve:
            count = 0

            def __call__(self, packet):
                self.count += wire.is_text_from_left(packet)
                return [] if wire.is_text_from_left(packet) and self.count % 23 == 0 else None

        self.on_each(self.play, make_router=Sieve)

    def test_what_comes_twice_is_reported(self):
        """RFC 2883: the first block lies below the acknowledgment."""
        def play(between):
            self.play(between)
            twice = between.router.packet
            reported = [each for each in between.packets("right")
                        if each.sacks and each.sacks[0] == (twice.seq, twice.end)
                        and not wire.is_before(each.ack, twice.end)]
            self.assertTrue(reported)
            if between.ends["left"].name == "kernel":
                self.assertGreater(between.ends["left"].count("TCPDSACKRecv"), 0)

        self.on_each(play, make_router=lambda: wire.Nth(40, wire.is_text_from_left,
                                                        lambda packet: [packet.data, packet.data]))

    def test_what_comes_late_and_was_sent_again_is_reported_as_received_twice(self):
        class Late:
            """One packet comes after the forty that followed it."""

            packet, count = None, 0

            def __call__(self, packet):
                self.count += wire.is_text_from_left(packet)
                if not wire.is_text_from_left(packet) or self.count not in (60, 100):
                    return None
                if self.count == 60:
                    self.packet = packet
                    return []
                return [packet.data, self.packet.data]

        def play(between):
            self.play(between)
            late = between.router.packet
            again = [each for each in wire.text_from_left(between)[1] if each.seq == late.seq]
            self.assertTrue(again)
            reported = [each for each in between.packets("right")
                        if each.sacks and each.sacks[0][0] == late.seq and wire.is_before(late.seq, each.ack)]
            self.assertTrue(reported)

        self.on_each(play, make_router=Late)

    def test_without_sack_or_timestamps(self):
        self.on_each(self.play, settings={"tcp_sack": 0, "tcp_timestamps": 0}, flags="sack=off, timestamps=off",
                     make_router=lambda: wire.Nth(40, wire.is_text_from_left, lambda packet: []))


class PathMtu(Transfer):
    def test_a_router_says_what_the_path_takes(self):
        def play(between):
            self.play(between)
            too_large = [each for each in between.packets("left") if each.size > NARROW]
            self.assertTrue(too_large)
            self.assertTrue(all(each.must_not_be_cut for each in too_large))
            # A flight was on its way; what came after the router's word is of the right size.
            self.assertLess(len(too_large), 40)
            self.assertEqual(max(each.size for each in between.packets("left")[-100:]), NARROW)

        self.on_each(play, make_router=lambda: Router(tells=True))

    def test_a_router_that_says_nothing_is_found_out(self):
        def play(between):
            self.play(between)
            self.assertGreater(between.router.too_large, 3)

        self.on_each(play, make_router=lambda: Router(tells=False), settings={"tcp_mtu_probing": 1},
                     flags="mtu_probing=on")

    def test_the_next_connection_knows(self):
        def play(between):
            self.play(between)
            seen = len(between.packets())
            again = between.ends["left"].socket()
            with again, between.ends["right"].socket() as listener:
                listener.bind((wire.ADDRESS["right"], 8))
                listener.listen()
                again.connect((wire.ADDRESS["right"], 8))
                with listener.accept()[0] as server:
                    self.assertEqual(wire.transfer(again, server, TEXT), TEXT)
            self.assertEqual(max(each.size for each in between.packets()[seen:] if each.side == "left"), NARROW)

        self.on_each(play, make_router=lambda: Router(tells=True))


if __name__ == "__main__":
    wire.enter()
    netns.main()
