#!/usr/bin/env python3
"""One TCP stream over paths that lose, delay and reorder: Weft beside the kernel, on the same path, in one run.

    WEFT_BUILD_DIR=build/release benchmarks/emulated_paths.py [--repeat 3] [--json FILE]

Each cell is a path (loss x round trip x reordering, examples/link_emulator) and a congestion control. In a cell
three streams run at the same time, each on an emulator of its own with the same seed, so that the n-th frame of
each meets the same fate: kernel to kernel, Weft to kernel, kernel to Weft. Goodput is what the receiver had got
(or, of a stream to Weft, what the kernel's sender saw acknowledged) a fixed time after the connection was there.
A ratio above 1 is Weft's. Losses are on both ways, reordering is of data only. "late" is how much later than due
frames left an emulator, on average in the worst direction of the three: with much of it the machine was too busy for
these figures. Weft's end is echo_server. Everything is in namespaces that end with the script.
"""

import argparse
import concurrent.futures
import contextlib
import itertools
import json
import os
import socket
import statistics
import struct
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../tests/interop"))
import emulated  # noqa: E402: found only now
import netns  # noqa: E402

STREAMS = ("kernel to kernel", "Weft to kernel", "kernel to Weft")
LOAD = bytes(1 << 18)


def numbers(text):
    return [float(each) for each in text.split(",")]


def names(text):
    return text.split(",")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=6, help="of each stream")
    parser.add_argument("--repeat", type=int, default=1, help="seeds for each cell; medians are shown")
    parser.add_argument("--seed", type=int, default=1, help="the first")
    parser.add_argument("--rate", type=float, default=100, help="of the line, Mbit/s")
    parser.add_argument("--queue", type=int, help="before the line, KiB; one round trip of the rate unless told")
    parser.add_argument("--loss", type=numbers, default=[0.1, 1, 3], help="percent, as in 0.1,1,3")
    parser.add_argument("--rtt", type=numbers, default=[10, 100], help="milliseconds")
    parser.add_argument("--reorder", type=numbers, default=[0, 2], help="percent, late by an eighth of the round trip")
    parser.add_argument("--congestion", type=names, default=["cubic", "bbr"])
    parser.add_argument("--buffer", type=int, help="Weft's, KiB; the stack chooses unless told")
    parser.add_argument("--streams", type=names, default=list(STREAMS))
    parser.add_argument("--jobs", type=int, default=3, help="streams at the same time")
    parser.add_argument("--json", help="write all figures there")
    parser.add_argument("--record", metavar="FOLDER", help="record what Weft sees, as pcapng")
    return parser.parse_args()


def receive_until(sock, deadline):
    """Bytes that came by then, or to the end."""
    buffer = bytearray(1 << 18)
    count = 0
    with contextlib.suppress(TimeoutError):
        while (left := deadline - time.monotonic()) > 0:
            sock.settimeout(left)
            if not (got := sock.recv_into(buffer)):
                break
            count += got
    return count


def send_until(sock, deadline):
    """Sends until then. Returns what had been acknowledged, and the socket's tcp_info."""
    with contextlib.suppress(TimeoutError, ConnectionError):
        while (left := deadline - time.monotonic()) > 0:
            sock.settimeout(left)
            sock.send(LOAD)
    return emulated.acknowledged_bytes(sock), kernel_info(sock)


def kernel_info(sock):
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
    names_of = {"unacked": 24, "retransmitted": 100, "rtt_us": 68, "ssthresh": 76, "cwnd": 80, "reordering": 88}
    return {name: struct.unpack_from("=I", info, at)[0] for name, at in names_of.items()}


def abort(sock):
    """Nothing lingers in a namespace that is to end."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def hurry(program):
    """The wire is there at all times, and the kernel's TCP waits for no processor; so is Weft's not to."""
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, program.process.pid, -10)
    return program


class Cell:
    """One path with one congestion control."""

    def __init__(self, options, loss, rtt, reorder, congestion):
        self.options = options
        self.loss, self.rtt, self.reorder, self.congestion = loss, rtt, reorder, congestion

    def describe(self):
        return f"{self.loss:g} % loss, {self.rtt:g} ms, {self.reorder:g} % reordered, {self.congestion}"

    def path(self, seed, lane, weft):
        round_trip_kib = max(64, round(self.options.rate * 1e6 / 8 * self.rtt / 1e3 / 1024))
        path = emulated.Path("--rate", self.options.rate, "--queue", self.options.queue or round_trip_kib, "--delay", self.rtt / 2,
                             "--loss", self.loss, "--reorder", self.reorder, "--reorder-by", self.rtt / 8,
                             "--back-reorder", 0, "--seed", seed, weft=weft, name=str(lane))
        hurry(path.emulator)
        return path

    def weft(self, path, side, mode, seed):
        more = ["--mode", mode, "--congestion", self.congestion, "--stats"]
        if self.options.buffer:
            more += ["--buffer", self.options.buffer]
        if self.options.record:
            name = f"{mode}-{self.loss:g}-{self.rtt:g}-{self.reorder:g}-{self.congestion}-{seed}.pcapng"
            more += ["--pcap", os.path.join(self.options.record, name)]
        return hurry(path.program(side, "echo_server", *more, ready="listening on"))

    def run(self, stream, seed, lane):
        """Bits a second by the receiver and by the sender, as far as known, and what explains them."""
        run = {STREAMS[0]: self.kernel_to_kernel, STREAMS[1]: self.weft_to_kernel, STREAMS[2]: self.kernel_to_weft}
        return {"stream": stream, "seed": seed} | run[stream](seed, lane)

    def rates(self, **byte_counts):
        return {name: count * 8 / self.options.seconds for name, count in byte_counts.items()}

    def kernel_to_kernel(self, seed, lane):
        option = [emulated.congestion(self.congestion)]
        with self.path(seed, lane, None) as path, path.listen("left", options=option) as listener:
            receiver = path.connect("right")
            sender, _ = listener.accept()
            deadline = time.monotonic() + self.options.seconds
            result = []
            thread = threading.Thread(target=lambda: result.extend(send_until(sender, deadline)))
            thread.start()
            received = receive_until(receiver, deadline)
            thread.join()
            frames = path.counters()
            abort(sender)
            abort(receiver)
        return self.rates(received=received, acknowledged=result[0]) | {"frames": frames, "kernel": result[1]}

    def weft_to_kernel(self, seed, lane):
        with self.path(seed, lane, "left") as path, self.weft(path, "left", "chargen", seed) as server:
            receiver = path.connect("right")
            received = receive_until(receiver, time.monotonic() + self.options.seconds)
            frames, counters = path.counters(), counters_of(server)
            abort(receiver)
        return self.rates(received=received) | {"frames": frames, "weft": counters}

    def kernel_to_weft(self, seed, lane):
        with self.path(seed, lane, "right") as path, self.weft(path, "right", "discard", seed) as server:
            sender = path.connect("left", options=[emulated.congestion(self.congestion)])
            acknowledged, info = send_until(sender, time.monotonic() + self.options.seconds)
            frames, counters = path.counters(), counters_of(server)
            abort(sender)
        return self.rates(acknowledged=acknowledged) | {"frames": frames, "kernel": info, "weft": counters}


def counters_of(server):
    server.count("any")
    return server.counters()


def summarize(cell, results):
    """Medians over the seeds, and ratios of those with the kernel's, measured in the same way."""
    def median(stream, by):
        found = [each[by] for each in results if each["stream"] == stream]
        return statistics.median(found) if found else None

    def ratio(weft, kernel):
        return weft / kernel if weft is not None and kernel else None

    received, acknowledged = median(STREAMS[0], "received"), median(STREAMS[0], "acknowledged")
    from_weft, to_weft = median(STREAMS[1], "received"), median(STREAMS[2], "acknowledged")
    return {"loss_percent": cell.loss, "rtt_ms": cell.rtt, "reorder_percent": cell.reorder,
            "congestion": cell.congestion, "kernel_to_kernel": received, "weft_to_kernel": from_weft,
            "kernel_to_weft": to_weft, "sender_ratio": ratio(from_weft, received),
            "receiver_ratio": ratio(to_weft, acknowledged), "late_us": lateness(results), "runs": results}


def lateness(results):
    """By how much emulators were late, on average over the frames of the worst direction of the worst run."""
    return max(direction["late_us_mean"] for each in results for direction in each["frames"].values())


def shown(value, width, digits, scale=1.0):
    return f"{'-' if value is None else format(value / scale, f'.{digits}f'):>{width}}"


def main():
    options = arguments()
    with open("/proc/sys/net/ipv4/tcp_available_congestion_control", encoding="ascii") as file:
        available = file.read().split()
    wanted = [each for each in options.congestion if each in available]
    for missing in sorted(set(options.congestion) - set(available)):
        print(f"this kernel has no {missing}: left out")
    if options.record:
        os.makedirs(options.record, exist_ok=True)
    print(f"{options.rate:g} Mbit/s, queue {options.queue or 'of one RTT'}{' KiB' if options.queue else ''}, {options.seconds:g} s each, {options.repeat} seed(s), "
          f"{options.jobs} streams at a time, Linux {os.uname().release}; goodput in Mbit/s")
    print("  loss    rtt  reord.  control    kernel    Weft>   ratio    >Weft   ratio   late")
    rows = []
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for values in itertools.product(options.loss, options.rtt, options.reorder, wanted):
            cell = Cell(options, *values)
            runs = [pool.submit(cell.run, stream, seed, lane)
                    for seed in range(options.seed, options.seed + options.repeat)
                    for lane, stream in enumerate(options.streams)]
            row = summarize(cell, [run.result() for run in runs])
            rows.append(row)
            print(f"{cell.loss:>5g}% {cell.rtt:>4g}ms {cell.reorder:>6g}%  {cell.congestion:<8}"
                  f"{shown(row['kernel_to_kernel'], 9, 2, 1e6)}{shown(row['weft_to_kernel'], 9, 2, 1e6)}"
                  f"{shown(row['sender_ratio'], 8, 2)}{shown(row['kernel_to_weft'], 9, 2, 1e6)}"
                  f"{shown(row['receiver_ratio'], 8, 2)}{row['late_us'] / 1e3:>5.1f}ms", flush=True)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"options": vars(options), "kernel": os.uname().release, "cells": rows}, file, indent=1)


if __name__ == "__main__":
    netns.enter()
    main()
