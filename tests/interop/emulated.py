"""Two network namespaces joined by link_emulator: an emulated path between two kernels, or a kernel and Weft.

    left 10.0.0.1 -- TAP -- link_emulator -- TAP -- right 10.0.0.2

Where Weft is an end, its TAP and the emulator's are two ports of a bridge in that end's namespace, since
nothing else can plug one TAP into another. Nothing outlives the script: namespaces are descriptors of it, and
the emulator's TAPs go with the emulator. Standard library only.
"""

import contextlib
import ctypes
import os
import signal
import socket
import struct

import netns

ADDRESS = {"left": "10.0.0.1", "right": "10.0.0.2"}
NEW_NETWORK = 0x40000000  # CLONE_NEWNET
LIBC = ctypes.CDLL(None, use_errno=True)


def checked(status):
    if status != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


class Namespace:
    """A network namespace. It ends with close(), or with the script."""

    def __init__(self):
        with self.returning():
            checked(LIBC.unshare(NEW_NETWORK))
            self.descriptor = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
            self.write("ipv6/conf/all/disable_ipv6", 1)  # the frames are those of the test
            self.write("ipv6/conf/default/disable_ipv6", 1)
            self.write("ipv4/tcp_no_metrics_save", 1)  # no run learns from the one before
            netns.run("ip", "link", "set", "lo", "up")

    @staticmethod
    def write(name, value):
        with contextlib.suppress(FileNotFoundError):
            with open(f"/proc/sys/net/{name}", "w", encoding="ascii") as file:
                file.write(str(value))

    @staticmethod
    @contextlib.contextmanager
    def returning():
        before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        try:
            yield
        finally:
            checked(LIBC.setns(before, NEW_NETWORK))
            os.close(before)

    @contextlib.contextmanager
    def entered(self):
        """Sockets and processes that this thread makes meanwhile are inside, and stay there."""
        with self.returning():
            checked(LIBC.setns(self.descriptor, NEW_NETWORK))
            yield

    def take(self, interface):
        netns.run("ip", "link", "set", "dev", interface, "netns", f"/proc/{os.getpid()}/fd/{self.descriptor}")

    def close(self):
        os.close(self.descriptor)


class Path:
    """An emulated path for a `with` block. `weft` is "left", "right" or None: who gets no kernel's address."""

    def __init__(self, *arguments, weft=None, name="", mtu=1500):
        self.left, self.right = Namespace(), Namespace()
        self.taps = {"left": f"left{name}", "right": f"right{name}"}
        self.emulator = netns.Program("link_emulator", *self.taps.values(), *arguments, ready="joined")
        try:
            for side in ADDRESS:
                self.set_up(side, side == weft, mtu)
        except BaseException:
            self.__exit__()
            raise

    def set_up(self, side, is_weft, mtu):
        tap = self.taps[side]
        end = self.end(side)
        # The kernel's own queue before the emulator is not to drop what the path would take.
        netns.run("ip", "link", "set", "dev", tap, "txqueuelen", "20000", "mtu", str(mtu))
        end.take(tap)
        with end.entered():
            if is_weft:
                netns.run("ip", "link", "add", "bridge0", "type", "bridge")
                netns.run("ip", "tuntap", "add", "dev", netns.TAP, "mode", "tap")
                netns.run("ip", "link", "set", "dev", netns.TAP, "txqueuelen", "20000", "mtu", str(mtu))
                for port in (tap, netns.TAP):
                    netns.run("ip", "link", "set", "dev", port, "master", "bridge0", "up")
                netns.run("ip", "link", "set", "dev", "bridge0", "up")
            else:
                netns.run("ip", "address", "add", f"{ADDRESS[side]}/24", "dev", tap)
                netns.run("ip", "link", "set", "dev", tap, "up")

    def end(self, side):
        return {"left": self.left, "right": self.right}[side]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.emulator.__exit__()
        self.left.close()
        self.right.close()

    def program(self, side, name, *arguments, **more):
        """One of Weft's programs on Weft's TAP at that side."""
        with self.end(side).entered():
            return netns.Program(name, "--tap", netns.TAP, "--address", f"{ADDRESS[side]}/24", *arguments, **more)

    def listen(self, side, port=7, options=()):
        """A listening socket on that side's kernel. `options` for setsockopt()."""
        with self.end(side).entered():
            listener = socket.socket()
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            for option in options:
                listener.setsockopt(*option)
            listener.bind((ADDRESS[side], port))
            listener.listen()
            return listener

    def connect(self, side, port=7, options=(), timeout=30):
        """A connection from that side's kernel to the other side."""
        with self.end(side).entered():
            sock = socket.socket()
        try:
            sock.settimeout(timeout)
            for option in options:
                sock.setsockopt(*option)
            sock.connect((ADDRESS["right" if side == "left" else "left"], port))
        except BaseException:
            sock.close()
            raise
        return sock

    def counters(self):
        """What became of the frames so far: {"left": {name: count}, "right": …} by where they came from."""
        last = "late_us_max"  # of each direction
        before = self.emulator.text().count(last)
        self.emulator.process.send_signal(signal.SIGUSR1)
        netns.wait_until(lambda: self.emulator.text().count(last) == before + 2, 10, self.emulator.text)
        return self.parse(self.emulator.text())

    def parse(self, text):
        found, side = {"left": {}, "right": {}}, None
        for line in text.splitlines():
            words = line.split()
            if line.startswith("frames from "):
                side = "left" if words[2] == self.taps["left"] else "right"
            elif side and line.startswith("  ") and len(words) == 2:
                found[side][words[0]] = int(words[1])
        return found


def congestion(name):
    """The option that chooses a kernel socket's congestion control."""
    return socket.IPPROTO_TCP, socket.TCP_CONGESTION, name.encode()


def acknowledged_bytes(sock):
    """What the peer of a kernel's socket has acknowledged (tcp_info)."""
    return struct.unpack_from("=Q", sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256), 120)[0]
