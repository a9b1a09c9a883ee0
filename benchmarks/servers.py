#!/usr/bin/env python3
"""Echo and HTTP on Linux sockets: Weft beside Asio, libuv and bare epoll, one thread each.

    WEFT_BUILD_DIR=build/release benchmarks/servers.py

Every server answers the same (benchmarks/servers/exchange.hpp). Server on the first CPU, load on the
second, over loopback; rounds are interleaved, so that a busy machine is busy for all of them. Printed
is the median of the rounds: exchanges a second, and the server's CPU time an exchange, which tells
servers apart when the load is what limits. HTTP needs wrk (Debian: wrk).
"""

import argparse
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import time

BUILD = os.path.abspath(os.environ.get("WEFT_BUILD_DIR", "build/release"))
PROGRAMS = os.path.join(BUILD, "benchmarks", "servers")
SERVERS = [
    ("weft", "coroutine"), ("weft", "fiber"), ("weft", "callback"), ("asio", "coroutine"),
    ("asio", "callback"), ("libuv", "callback"), ("epoll", "callback"),
]
TICKS = os.sysconf("SC_CLK_TCK")


def pinned_to(cpu):
    """The machine's first or second CPU, as far as there are two for us."""
    allowed = sorted(os.sched_getaffinity(0))
    return lambda: os.sched_setaffinity(0, {allowed[cpu % len(allowed)]})


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def wait_for(port, server):
    for _ in range(200):
        if server.poll() is not None:
            sys.exit(f"the server on port {port} ended with status {server.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except ConnectionRefusedError:
            time.sleep(0.02)
    sys.exit(f"nobody listens on port {port}")


def load_of_echo(port, connections, seconds, message_bytes):
    command = [os.path.join(PROGRAMS, "echo_load"), "127.0.0.1", port, connections, message_bytes, seconds]
    out = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, check=True, text=True,
                         preexec_fn=pinned_to(1), timeout=seconds + 30).stdout
    found = json.loads(out)
    return found["exchanges"], found["seconds"]


def load_of_http(port, connections, seconds):
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", f"http://127.0.0.1:{port}/"]
    out = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True, preexec_fn=pinned_to(1),
                         timeout=seconds + 30).stdout
    requests, took = re.search(r"(\d+) requests in ([\d.]+)s", out).groups()
    wrong = re.search(r"Socket errors:.*|Non-2xx.*", out)
    if wrong:
        sys.exit(f"wrk: {wrong.group()}")
    return int(requests), float(took)


def measure(name, style, protocol, connections, options, port):
    command = [os.path.join(PROGRAMS, name + "_server"), style, protocol, str(port)]
    server = subprocess.Popen(command, preexec_fn=pinned_to(0))
    try:
        wait_for(port, server)
        if protocol == "echo":
            load = lambda seconds: load_of_echo(port, connections, seconds, options.bytes)  # noqa: E731
        else:
            load = lambda seconds: load_of_http(port, connections, seconds)  # noqa: E731
        load(1)
        before = cpu_seconds(server.pid)
        count, seconds = load(options.seconds)
        spent = cpu_seconds(server.pid) - before
    finally:
        server.terminate()
        try:
            server.wait(5)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
    return count / seconds, spent / count * 1e6


def available():
    missing = set()
    for name, style in SERVERS:
        if os.path.exists(os.path.join(PROGRAMS, name + "_server")):
            yield name, style
        else:
            missing.add(name)
    for name in sorted(missing):
        print(f"left out: {name}_server was not built", file=sys.stderr)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3, help="of load in each round")
    parser.add_argument("--bytes", type=int, default=64, help="of a message of echo")
    parser.add_argument("--connections", type=int, nargs="+", default=[64, 1000])
    parser.add_argument("--protocols", nargs="+", choices=["echo", "http"], default=["echo", "http"])
    options = parser.parse_args()
    if "http" in options.protocols and shutil.which("wrk") is None:
        sys.exit("wrk is missing: apt-get install wrk")
    servers = list(available())
    if not servers:
        sys.exit(f"no servers in {PROGRAMS}: build the preset release, or set WEFT_BUILD_DIR")
    port = 21000  # below those that Linux gives to clients
    print("| protocol | connections | server | exchanges/s | spread | server's CPU, µs an exchange |")
    print("|---|---|---|---|---|---|")
    for protocol in options.protocols:
        for connections in options.connections:
            found = {server: [] for server in servers}
            for _ in range(options.rounds):
                for name, style in servers:
                    port += 1
                    found[name, style].append(measure(name, style, protocol, connections, options, port))
            for (name, style), rounds in found.items():
                rates = [rate for rate, _ in rounds]
                cpu = statistics.median(cost for _, cost in rounds)
                rate = statistics.median(rates)
                spread = (max(rates) - min(rates)) / rate
                print(f"| {protocol} | {connections} | {name}, {style} | {rate:,.0f} | {spread:.0%} | {cpu:.2f} |",
                      flush=True)


if __name__ == "__main__":
    main()
