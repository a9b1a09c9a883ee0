"""A private network for a test: the real kernel at one end of a TAP, a Weft program at the other.

`enter()` runs the calling script again inside new network, mount and process namespaces, so that
everything it makes (interfaces, addresses, processes) dies with it, whatever happens. Not root: inside
a user namespace too, where the system allows that. Cannot be had: exit status 77, which ctest shows as
skipped. Standard library only.
"""

import contextlib
import functools
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

TAP = "weft0"
KERNEL = "10.0.0.1"
WEFT = "10.0.0.2"
SKIPPED = 77
SANITIZED = bool(os.environ.get("WEFT_SANITIZE"))


def skip(reason):
    print(f"skipped: {reason}")
    sys.exit(SKIPPED)


def enter():
    """Call first. Returns inside of the namespaces, with loopback up."""
    if os.environ.get("WEFT_INSIDE") == "yes":
        run("ip", "link", "set", "lo", "up")
        return
    if not os.path.exists("/dev/net/tun"):
        skip("no /dev/net/tun on this machine (modprobe tun)")
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        skip("no permission for /dev/net/tun (run as root)")
    for tool in ("unshare", "ip", "curl", "ping"):
        if not shutil.which(tool):
            skip(f"{tool} is not installed")
    command = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    if os.geteuid() != 0:
        command += ["--user", "--map-root-user"]
    probe = subprocess.run(command + ["ip", "tuntap", "add", "dev", TAP, "mode", "tap"],
                           capture_output=True, text=True, check=False)
    if probe.returncode != 0:
        skip(f"no private network namespace with a TAP here: {probe.stderr.strip()}")
    os.environ["WEFT_INSIDE"] = "yes"
    os.execvp(command[0], command + [sys.executable] + sys.argv)


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def make_tap(mtu=1500, name=TAP):
    """The TAP, up, with the kernel's address. It stays until the end of the namespace."""
    if name not in [each for _, each in socket.if_nameindex()]:
        run("ip", "tuntap", "add", "dev", name, "mode", "tap")
        # No router solicitations and the like: the frames are those of the test.
        with contextlib.suppress(OSError):
            with open(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6", "w", encoding="ascii") as f:
                f.write("1")
        run("ip", "address", "add", f"{KERNEL}/24", "dev", name)
    run("ip", "link", "set", name, "mtu", str(mtu), "up")


def build_folder():
    build = os.environ.get("WEFT_BUILD_DIR")
    if not build:
        print("set WEFT_BUILD_DIR to the folder that CMake builds in (ctest does)")
        sys.exit(2)
    return build


def program(name):
    return os.path.join(build_folder(), "examples", name)


class Program:
    """One of Weft's programs, running. Ends with the `with` block, if it has not before."""

    def __init__(self, name, *arguments, ready=None):
        self.output = tempfile.TemporaryFile(mode="w+b")
        self.process = subprocess.Popen([program(name), *map(str, arguments)], stdin=subprocess.DEVNULL,
                                        stdout=self.output, stderr=subprocess.STDOUT)
        if ready:
            wait_until(lambda: ready in self.text() or self.process.poll() is not None, 20, self.text)
            if self.process.poll() is not None:
                raise AssertionError(f"{name} ended with {self.process.returncode}: {self.text()}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.output.close()

    def text(self):
        self.output.flush()
        with open(f"/proc/self/fd/{self.output.fileno()}", "rb") as f:
            return f.read().decode(errors="replace")

    def stop(self, timeout=20):
        """Ctrl-C. Returns the exit status."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout)

    def wait(self, timeout=60):
        return self.process.wait(timeout)

    def resident_bytes(self):
        with open(f"/proc/{self.process.pid}/statm", encoding="ascii") as f:
            return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def counters(self):
        """What --stats printed last, by name."""
        found = {}
        for line in self.text().splitlines():
            words = line.split()
            if line.startswith("counters of"):
                found = {}
            elif line.startswith("  ") and len(words) == 2 and words[1].isdigit():
                found[words[0]] = int(words[1])
        return found

    def count(self, name):
        """One counter, now."""
        before = self.text().count("counters of")
        self.process.send_signal(signal.SIGUSR1)
        wait_until(lambda: self.text().count("counters of") > before, 5, self.text)
        time.sleep(0.05)  # the rest of the lines
        return self.counters().get(name, 0)


def echo_server(*arguments, port=7):
    return Program("echo_server", "--tap", TAP, "--address", f"{WEFT}/24", "--port", port, *arguments,
                   ready="listening on")


def http_server(folder, *arguments):
    return Program("http_server", "--tap", TAP, "--address", f"{WEFT}/24", *arguments, folder,
                   ready="serving")


def wait_until(condition, seconds, explain=lambda: ""):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"nothing came of it in {seconds} s. {explain()}")
        time.sleep(0.01)


def connect(address, timeout=10):
    return socket.create_connection(address, timeout=timeout)


def read_all(sock, most=1 << 28):
    """What comes until the end; more than `most` bytes is a failure, not a use for the memory."""
    pieces = []
    count = 0
    while piece := sock.recv(65536):
        pieces.append(piece)
        count += len(piece)
        if count > most:
            raise AssertionError(f"more than {most} bytes")
    return b"".join(pieces)


PATTERN_PERIOD = 1048583


@functools.lru_cache(maxsize=1)
def pattern_block():
    """One period of the bytes that examples/common/pattern.hpp makes."""
    mask = (1 << 64) - 1
    state, words = 0, []
    for _ in range(PATTERN_PERIOD // 8 + 1):
        state = (state + 0x9E3779B97F4A7C15) & mask
        z = state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        words.append((z ^ (z >> 31)).to_bytes(8, "little"))
    return b"".join(words)[:PATTERN_PERIOD]


def pattern(count):
    """Pieces of the pattern, `count` bytes together."""
    block = memoryview(pattern_block())
    while count > 0:
        yield block[:min(count, len(block))]
        count -= min(count, len(block))


def random_bytes(count, seed=1):
    return random.Random(seed).randbytes(count)


class KernelServer:
    """A server on the kernel's own TCP: the same case against it proves the test."""

    def __init__(self, serve, address="127.0.0.1", port=0):
        self.listener = socket.create_server((address, port), backlog=128)
        self.address = self.listener.getsockname()
        self.serve = serve
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.talk, args=(peer,), daemon=True).start()

    def talk(self, peer):
        with peer, contextlib.suppress(OSError):
            self.serve(peer)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # close() alone does not wake a thread in accept().
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def echo(peer):
    """What echo_server does."""
    while data := peer.recv(65536):
        peer.sendall(data)
    peer.shutdown(socket.SHUT_WR)


class Case(unittest.TestCase):
    """A test with a TAP of the usual MTU. A test that hangs is a failed one."""

    limit_seconds = 120

    def setUp(self):
        signal.signal(signal.SIGALRM, self.too_long)
        signal.alarm(self.limit_seconds)
        make_tap()

    def tearDown(self):
        signal.alarm(0)

    @staticmethod
    def too_long(*_):
        raise AssertionError("the test took too long")


def main():
    unittest.main(verbosity=2)
