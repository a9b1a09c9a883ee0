#!/usr/bin/env python3
"""Allocations, time and memory of a keep-alive request to http_server, over a TAP.

    WEFT_BUILD_DIR=build/release benchmarks/requests.py

Allocations are all of the process: a preloaded library counts every malloc. Warm first, then measured:
one connection with one request after the other, and 100 connections with a request in flight on each.
The folder's files stay open for a second at a time, so each second begins with a few allocations.
"""

import argparse
import os
import selectors
import signal
import socket
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../tests/interop"))
import netns  # noqa: E402: found only now

REQUEST = b"GET /index.html HTTP/1.1\r\nHost: 10.0.0.2\r\nUser-Agent: requests.py\r\nAccept: */*\r\n\r\n"
BODY = b"x" * 1000


def one_after_the_other(count):
    with netns.connect((netns.WEFT, 80)) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(count):
            sock.sendall(REQUEST)
            response = sock.recv(65536)
            while not response.endswith(BODY):
                response += sock.recv(65536)


def side_by_side(count, connections=100):
    selector = selectors.DefaultSelector()
    for _ in range(connections):
        sock = netns.connect((netns.WEFT, 80))
        sock.sendall(REQUEST)
        selector.register(sock, selectors.EVENT_READ)
    left, asked = count, connections
    while left > 0:
        for key, _ in selector.select():
            if key.fileobj.recv(65536).endswith(BODY):
                left -= 1
                if asked < count:
                    key.fileobj.sendall(REQUEST)
                    asked += 1
    for key in list(selector.get_map().values()):
        key.fileobj.close()


def idle_bytes(server, count=1000):
    """What a connection costs that has been used and now waits."""
    before = server.resident_bytes()
    socks = []
    for _ in range(count):
        sock = netns.connect((netns.WEFT, 80))
        sock.sendall(REQUEST)
        while not sock.recv(65536).endswith(BODY):
            pass
        socks.append(sock)
    time.sleep(0.5)
    grown = server.resident_bytes() - before
    for sock in socks:
        sock.close()
    return grown / count


class Server(netns.Program):
    def allocations(self):
        before = self.text().count("allocations")
        self.process.send_signal(signal.SIGUSR2)
        netns.wait_until(lambda: self.text().count("allocations") > before, 5, self.text)
        return int(self.text().rsplit("allocations ", 1)[1].split()[0])


def main():
    netns.make_tap()
    library = os.path.join(os.path.dirname(netns.program("")), "../benchmarks/libweft_count_allocations.so")
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "index.html"), "wb") as file:
            file.write(BODY)
        os.environ["LD_PRELOAD"] = os.path.abspath(library)
        server = Server("http_server", "--tap", netns.TAP, "--address", f"{netns.WEFT}/24", folder,
                        ready="serving")
        del os.environ["LD_PRELOAD"]
        with server:
            for name, ask, count in (("one connection", one_after_the_other, 20000),
                                     ("100 connections", side_by_side, 50000)):
                ask(5000)
                time.sleep(0.2)
                before, begin = server.allocations(), time.monotonic()
                ask(count)
                seconds, after = time.monotonic() - begin, server.allocations()
                print(f"{name}: {count} requests, {(after - before) / count:.4f} allocations each "
                      f"({after - before} in all), {count / seconds:.0f} requests/s, "
                      f"{server.resident_bytes() / 1e6:.1f} MB resident")
            print(f"1000 idle connections: {idle_bytes(server):.0f} bytes resident each")


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    netns.enter()
    main()
