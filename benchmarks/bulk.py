#!/usr/bin/env python3
"""One bulk stream each way between Weft's TCP and the kernel's, beside the kernel with itself.

    WEFT_BUILD_DIR=build/release benchmarks/bulk.py [SECONDS]

Weft's end is echo_server on a TAP of MTU 1500; the kernel's end is this script, which sends and receives
without looking at the bytes. Beside it, in the same run: iperf3 from veth to veth in namespaces of their
own, and the same script against a discarding socket over that veth. Cubic is asked for on the routes.
"""

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../tests/interop"))
import netns  # noqa: E402: found only now

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("seconds", metavar="SECONDS", nargs="?", type=float, default=5.0, help="of each stream; default 5")
SECONDS = parser.parse_args().seconds if __name__ == "__main__" else 5.0
LOAD = bytes(1 << 20)


def send_for(sock, seconds):
    """Bytes a second that the socket took."""
    sent, begin = 0, time.monotonic()
    while time.monotonic() - begin < seconds:
        sock.sendall(LOAD)
        sent += len(LOAD)
    return sent / (time.monotonic() - begin)


def receive_for(sock, seconds):
    buffer = bytearray(1 << 20)
    received, begin = 0, time.monotonic()
    while time.monotonic() - begin < seconds:
        received += sock.recv_into(buffer)
    return received / (time.monotonic() - begin)


def cubic(subnet, device, source, *inside):
    """On the route: a namespace may not choose it by sysctl. Says whether it worked."""
    command = ["ip", "route", "replace", subnet, "dev", device, "proto", "kernel", "scope", "link", "src", source,
               "congctl", "cubic"]
    return subprocess.run([*inside, *command], capture_output=True, check=False).returncode == 0


def gigabits(rate):
    return rate * 8 / 1e9


def weft(mode, measure, *arguments):
    with netns.echo_server("--mode", mode, *arguments) as server:
        with netns.connect((netns.WEFT, 7)) as sock:
            measure(sock, 0.5)
            cpu_before, begin = cpu_seconds(server.process.pid), time.monotonic()
            rate = measure(sock, SECONDS)
            busy = (cpu_seconds(server.process.pid) - cpu_before) / (time.monotonic() - begin)
    return gigabits(rate), busy


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        words = file.read().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


class Veth:
    """A second namespace, held by a sleeping process, at the other end of a veth."""

    def __enter__(self):
        self.holder = subprocess.Popen(["unshare", "--net", "sleep", "600"])
        own = os.readlink("/proc/self/ns/net")
        netns.wait_until(lambda: os.readlink(f"/proc/{self.holder.pid}/ns/net") != own, 5)
        self.inside = ["nsenter", "--net=/proc/%d/ns/net" % self.holder.pid]
        netns.run("ip", "link", "add", "veth0", "type", "veth", "peer", "name", "veth1")
        netns.run("ip", "link", "set", "veth1", "netns", str(self.holder.pid))
        netns.run("ip", "address", "add", "10.1.0.1/24", "dev", "veth0")
        netns.run("ip", "link", "set", "veth0", "up")
        netns.run(*self.inside, "ip", "address", "add", "10.1.0.2/24", "dev", "veth1")
        netns.run(*self.inside, "ip", "link", "set", "veth1", "up")
        cubic("10.1.0.0/24", "veth0", "10.1.0.1")
        cubic("10.1.0.0/24", "veth1", "10.1.0.2", *self.inside)
        return self

    def __exit__(self, *_):
        self.holder.kill()
        self.holder.wait()

    def iperf3(self, *arguments):
        server = subprocess.Popen([*self.inside, "iperf3", "-s", "-1", "-B", "10.1.0.2"], stdout=subprocess.DEVNULL)
        try:
            time.sleep(0.5)
            result = subprocess.run(["iperf3", "-J", "-c", "10.1.0.2", "-t", str(SECONDS), *arguments],
                                    capture_output=True, text=True, check=True, timeout=SECONDS + 20)
            return json.loads(result.stdout)["end"]["sum_received"]["bits_per_second"] / 1e9
        finally:
            server.kill()
            server.wait()


def python_to_python():
    """The same sender against a kernel socket that discards: what the script itself can do."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def sink():
            peer, _ = listener.accept()
            buffer = bytearray(1 << 20)
            with peer:
                while peer.recv_into(buffer):
                    pass

        threading.Thread(target=sink, daemon=True).start()
        with netns.connect(listener.getsockname()) as sock:
            return gigabits(send_for(sock, min(SECONDS, 2)))


def main():
    if not shutil.which("iperf3"):
        netns.skip("iperf3 is not installed")
    netns.make_tap()
    cubic("10.0.0.0/24", netns.TAP, netns.KERNEL)
    with Veth() as veth:
        kernel_up, kernel_down = veth.iperf3(), veth.iperf3("-R")
    print(f"one stream, {SECONDS:g} s each, MTU 1500, {os.cpu_count()} processors")
    print(f"kernel to kernel, iperf3 over veth:    {kernel_up:6.2f} Gbit/s there, {kernel_down:6.2f} back")
    for name, arguments in (("with offloads", ()), ("no offloads in", ("--no-offload",))):
        up, up_busy = weft("discard", send_for, *arguments)
        down, down_busy = weft("chargen", receive_for, *arguments)
        print(f"kernel to Weft over a TAP, {name}:  {up:6.2f} Gbit/s, {up / kernel_up:.2f} of iperf3, "
              f"Weft's process {up_busy:.2f} busy")
        print(f"Weft to kernel over a TAP, {name}:  {down:6.2f} Gbit/s, {down / kernel_down:.2f} of iperf3, "
              f"Weft's process {down_busy:.2f} busy")
    print(f"this script to itself over loopback:   {python_to_python():6.2f} Gbit/s")


if __name__ == "__main__":
    netns.enter()
    main()
