#!/usr/bin/env python3
"""Explicit congestion notification between the kernel's TCP and Weft's (RFC 3168): a router that marks."""
# ctest: serial timeout=300

import netns
import wire

TEXT = netns.random_bytes(400_000)
ON = {"settings": {"tcp_ecn": 1}, "flags": "ecn=on"}


class Ecn(wire.Case):
    def play(self, between):
        client, server = between.connect()
        self.assertEqual(wire.transfer(client, server, TEXT), TEXT)

    def test_both_want_it(self):
        def play(between):
            self.play(between)
            syn, syn_ack = between.packets("left")[0], between.packets("right")[0]
            self.assertEqual(syn.flags, wire.SYN | wire.ECE | wire.CWR)
            self.assertEqual(syn_ack.flags, wire.SYN | wire.ACK | wire.ECE)
            fresh, _ = wire.text_from_left(between)
            self.assertEqual({each.ecn for each in fresh}, {wire.ECT0})
            # Neither a SYN nor what only acknowledges.
            self.assertEqual({each.ecn for each in between.packets() if not each.text}, {wire.NOT_ECT})

        self.on_each(play, **ON)

    def test_one_that_does_not_ask_agrees(self):
        # Two is what a kernel does unless told: it agrees, and so does Weft.
        def play(between):
            self.play(between)
            self.assertEqual({each.ecn for each in between.packets()}, {wire.NOT_ECT})

        self.on_each(play, settings={"tcp_ecn": 2})
        self.on_each(self.check_agreed, pairs=[("kernel", "weft")], settings={"tcp_ecn": 1})
        self.on_each(self.check_agreed, pairs=[("weft", "kernel")], settings={"tcp_ecn": 2}, flags="ecn=on")

    def check_agreed(self, between):
        self.play(between)
        self.assertEqual({each.ecn for each in wire.text_from_left(between)[0]}, {wire.ECT0})

    def test_one_that_does_not_want_it_gets_no_marks(self):
        def play(between):
            self.play(between)
            self.assertEqual({each.ecn for each in between.packets()}, {wire.NOT_ECT})
            self.assertEqual(between.packets("right")[0].flags, wire.SYN | wire.ACK)

        self.on_each(play, pairs=[("weft", "kernel")], settings={"tcp_ecn": 0}, flags="ecn=on")
        self.on_each(play, pairs=[("kernel", "weft")], settings={"tcp_ecn": 1}, flags="ecn=off")

    def test_a_syn_that_asks_and_is_lost_asks_no_more(self):
        def lose_asking(packet):
            return [] if packet.has(wire.SYN | wire.ECE | wire.CWR) else None

        def play(between):
            self.play(between)
            self.assertEqual({each.ecn for each in between.packets()}, {wire.NOT_ECT})

        self.on_each(play, make_router=lambda: lose_asking, **ON)

    def test_a_mark_is_echoed_until_the_sender_has_reduced(self):
        def play(between):
            self.play(between)
            packets = between.packets()
            after = packets[packets.index(between.router.packet):]
            echoes = [at for at, each in enumerate(after) if each.side == "right" and each.has(wire.ECE)]
            told = [at for at, each in enumerate(after) if each.side == "left" and each.has(wire.CWR)]
            self.assertEqual(len(told), 1)
            self.assertTrue(echoes)
            self.assertLess(echoes[0], told[0])
            self.assertTrue(after[told[0]].text)
            # From the first echo on every ACK has it, and none from the ACK of CWR's segment on.
            for each in after[echoes[0]:]:
                if each.side == "right":
                    self.assertEqual(each.has(wire.ECE), wire.is_before(each.ack, after[told[0]].end))

        self.on_each(play, make_router=lambda: wire.Nth(30, wire.is_text_from_left,
                                                        lambda packet: [packet.marked(wire.CE)]), **ON)

    def test_what_is_sent_again_may_not_be_marked(self):
        def play(between):
            self.play(between)
            again = [each for each in wire.text_from_left(between)[1] if each.seq == between.router.packet.seq]
            self.assertEqual({each.ecn for each in again}, {wire.NOT_ECT})
            # The window was reduced for the loss: CWR says so here, too.
            self.assertTrue([each for each in between.packets("left") if each.has(wire.CWR) and each.text])

        self.on_each(play, make_router=lambda: wire.Nth(20, wire.is_text_from_left, lambda packet: []), **ON)

    def test_a_router_that_marks_everything_slows_down_and_breaks_nothing(self):
        def mark_all(packet):
            return [packet.marked(wire.CE)] if packet.ecn == wire.ECT0 else None

        def play(between):
            self.play(between)
            told = [each for each in between.packets("left") if each.has(wire.CWR) and each.text]
            self.assertGreater(len(told), 3)

        self.on_each(play, make_router=lambda: mark_all, **ON)


if __name__ == "__main__":
    wire.enter()
    netns.main()
