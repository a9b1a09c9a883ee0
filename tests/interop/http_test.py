#!/usr/bin/env python3
"""curl, and peers that behave worse, against http_server over the kernel's TCP."""
# ctest: serial timeout=300

import contextlib
import email.utils
import os
import socket
import subprocess
import tempfile
import time

import netns

PAGE = b"<h1>Weft</h1>\n"
BIG = netns.random_bytes(5_000_000)


def curl(*arguments):
    return subprocess.run(["curl", "-sS", "--max-time", "20", *arguments], capture_output=True, check=False)


def url(path):
    return f"http://{netns.WEFT}{path}"


def status_of(*arguments):
    return int(curl("-o", "/dev/null", "-w", "%{http_code}", *arguments).stdout)


def head_of(path, *arguments):
    """The fields of the answer, names in lower case."""
    lines = curl("-o", "/dev/null", "-D", "-", *arguments, url(path)).stdout.decode().split("\r\n")
    return {k.lower(): v for k, _, v in (line.partition(": ") for line in lines[1:] if ": " in line)}


def talk(request, timeout=10):
    """Sends bytes, closes our direction, and returns all that comes back."""
    with netns.connect((netns.WEFT, 80), timeout) as sock:
        sock.sendall(request)
        return netns.read_all(sock)


def code(response):
    return int(response.split(b" ", 2)[1])


class Folder(netns.Case):
    arguments = ()
    front_end = "coroutine"

    def setUp(self):
        super().setUp()
        self.stack = contextlib.ExitStack()
        self.addCleanup(self.stack.close)
        self.folder = self.stack.enter_context(tempfile.TemporaryDirectory())
        self.write("index.html", PAGE)
        self.write("a b.txt", b"hello\n")
        self.write("empty.txt", b"")
        self.write("big.bin", BIG)
        self.write("docs/index.html", b"docs\n")
        os.mkdir(os.path.join(self.folder, "bare"))
        os.symlink("/etc/passwd", os.path.join(self.folder, "leak.txt"))
        os.symlink("/etc", os.path.join(self.folder, "etc"))
        os.mkfifo(os.path.join(self.folder, "pipe"))
        self.write("secret.txt", b"no\n")
        self.server = self.stack.enter_context(
            netns.http_server(self.folder, "--stats", "--redirect", "/old=/a%20b.txt",
                              "--front-end", self.front_end, *self.arguments))

    def write(self, name, content):
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content)


class Pages(Folder):
    def test_a_page_arrives_as_it_is(self):
        self.assertEqual(curl(url("/")).stdout, PAGE)
        self.assertEqual(curl(url("/a%20b.txt")).stdout, b"hello\n")
        self.assertEqual(curl(url("/big.bin")).stdout, BIG)
        self.assertEqual(curl(url("/empty.txt")).stdout, b"")

    def test_fields_say_what_it_is(self):
        head = head_of("/")
        self.assertEqual(head["content-type"], "text/html; charset=utf-8")
        self.assertEqual(head["content-length"], str(len(PAGE)))
        sent = email.utils.parsedate_to_datetime(head["date"]).timestamp()
        self.assertLess(abs(time.time() - sent), 5)
        self.assertEqual(head_of("/big.bin")["content-type"], "application/octet-stream")

    def test_head_has_the_same_fields_and_no_body(self):
        got, asked = head_of("/big.bin"), head_of("/big.bin", "-I")
        for name in ("content-length", "content-type", "etag", "last-modified"):
            self.assertEqual(got[name], asked[name])
        response = talk(b"HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        self.assertTrue(response.endswith(b"\r\n\r\n"))
        missing = talk(b"HEAD /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        self.assertEqual(code(missing), 404)
        self.assertTrue(missing.endswith(b"\r\n\r\n"))

    def test_an_unchanged_page_is_not_sent_again(self):
        head = head_of("/")
        self.assertEqual(status_of(url("/"), "-H", f"If-None-Match: {head['etag']}"), 304)
        self.assertEqual(status_of(url("/"), "-H", f"If-Modified-Since: {head['last-modified']}"), 304)
        self.assertEqual(status_of(url("/"), "-H", 'If-None-Match: "other"'), 200)
        self.assertEqual(status_of(url("/"), "-H", 'If-Match: "other"'), 412)
        os.utime(os.path.join(self.folder, "index.html"), (time.time() + 60,) * 2)
        time.sleep(1.2)  # open files are kept for a second
        self.assertEqual(status_of(url("/"), "-H", f"If-None-Match: {head['etag']}"), 200)

    def test_a_range_is_a_part(self):
        response = curl("-r", "1000-1999", "-D", "-", url("/big.bin")).stdout
        head, _, body = response.partition(b"\r\n\r\n")
        self.assertIn(b"206", head)
        self.assertIn(b"Content-Range: bytes 1000-1999/5000000", head)
        self.assertEqual(body, BIG[1000:2000])
        self.assertEqual(curl("-r", "-5", url("/big.bin")).stdout, BIG[-5:])
        self.assertEqual(status_of("-r", "5000000-", url("/big.bin")), 416)
        self.assertEqual(status_of("-H", "Range: bytes=0-1,5-6", url("/big.bin")), 200)

    def test_a_directory_has_a_slash_and_an_index(self):
        head = head_of("/docs?q=1")
        self.assertEqual(head["location"], "/docs/?q=1")
        self.assertEqual(status_of(url("/docs")), 301)
        self.assertEqual(curl("-L", url("/docs")).stdout, b"docs\n")
        self.assertEqual(status_of(url("/bare/")), 403)
        self.assertEqual(status_of(url("/index.html/")), 404)
        # Never a Location that leads to another host.
        self.assertEqual(head_of("//docs")["location"], "/docs/")

    def test_a_configured_redirect(self):
        self.assertEqual(status_of(url("/old")), 302)
        self.assertEqual(curl("-L", url("/old")).stdout, b"hello\n")

    def test_one_connection_serves_many_requests(self):
        result = curl("-v", *[url("/")] * 5)
        self.assertEqual(result.stdout, PAGE * 5)
        self.assertEqual(result.stderr.count(b"Connected to"), 1)
        self.assertEqual(self.server.count("tcp_passive_opens"), 1)


class Manners(Folder):
    arguments = ("--header-timeout", "1", "--idle-timeout", "1", "--write-timeout", "2", "--max-body", "1000")

    def test_nothing_outside_of_the_folder(self):
        with open("/etc/passwd", "rb") as file:
            secret = file.read()
        for path in ("/../etc/passwd", "/docs/../../etc/passwd", "/%2e%2e/etc/passwd", "/..%2fetc/passwd",
                     "/%2e%2e%2fetc%2fpasswd", "/leak.txt", "/etc/passwd", "//etc/passwd",
                     "/docs/%2e%2e/%2e%2e/etc/passwd", "/....//etc/passwd", "/%00/etc/passwd"):
            with self.subTest(path=path):
                response = talk(b"GET " + path.encode() + b" HTTP/1.0\r\n\r\n")
                self.assertIn(code(response), (400, 403, 404))
                self.assertNotIn(secret[:20], response)
        self.assertEqual(status_of("--path-as-is", url("/docs/../index.html")), 200)

    def test_requests_that_are_not_understood(self):
        host = b"Host: x\r\n"
        for expected, request in (
                (400, b"GET\r\n\r\n"),
                (400, b"GET / HTTP/1.1\r\n\r\n"),  # no Host
                (400, b"GET / HTTP/1.1\r\n" + host + host + b"\r\n"),
                (400, b"GET / HTTP/1.1\r\n" + host + b"Bad Field\r\n\r\n"),
                (400, b"GET / HTTP/1.1\r\n" + host + b"X: a\r\n folded\r\n\r\n"),
                (400, b"GET /%zz HTTP/1.1\r\n" + host + b"\r\n"),
                (400, b"GET nothing HTTP/1.1\r\n" + host + b"\r\n"),
                (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"),  # TLS
                (400, b"GET / HTTP/1.1\r\n" + host + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"),
                (400, b"GET / HTTP/1.1\r\n" + host + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n"),
                (400, b"POST / HTTP/1.1\r\n" + host + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"),
                (405, b"POST / HTTP/1.1\r\n" + host + b"Connection: close\r\nContent-Length: 3\r\n\r\nabc"),
                (413, b"POST / HTTP/1.1\r\n" + host + b"Content-Length: 1001\r\n\r\n"),
                (413, b"POST / HTTP/1.1\r\n" + host + b"Transfer-Encoding: chunked\r\n\r\n" + b"100\r\n" +
                 b"a" * 256 + b"\r\n800\r\n"),
                (414, b"GET /" + b"a" * 4000 + b" HTTP/1.1\r\n" + host + b"\r\n"),
                (414, b"GET /" + b"a" * 20000),
                (417, b"GET / HTTP/1.1\r\n" + host + b"Expect: wonders\r\nConnection: close\r\n\r\n"),
                (431, b"GET / HTTP/1.1\r\n" + host + b"X: " + b"a" * 9000 + b"\r\n\r\n"),
                (431, b"GET / HTTP/1.1\r\n" + host + b"X: y\r\n" * 100 + b"\r\n"),
                (501, b"GET / HTTP/1.1\r\n" + host + b"Transfer-Encoding: gzip\r\n\r\n"),
                (501, b"BREW / HTTP/1.1\r\n" + host + b"Connection: close\r\n\r\n"),
                (505, b"GET / HTTP/2.0\r\n" + host + b"\r\n")):
            with self.subTest(request=request[:60]):
                self.assertEqual(code(talk(request)), expected)
        self.assertEqual(curl(url("/")).stdout, PAGE)  # and it goes on

    def test_a_pipe_in_the_folder_holds_nobody_up(self):
        with netns.connect((netns.WEFT, 80)) as sock:
            sock.sendall(b"GET /pipe HTTP/1.0\r\n\r\n")
            self.assertEqual(curl(url("/")).stdout, PAGE)
            self.assertEqual(code(netns.read_all(sock)), 403)

    def test_405_says_what_is_allowed(self):
        self.assertEqual(head_of("/", "-X", "DELETE")["allow"], "GET, HEAD")

    def test_pipelined_requests_are_answered_in_order(self):
        request = b"GET /a%20b.txt HTTP/1.1\r\nHost: x\r\n\r\nGET /nothing HTTP/1.1\r\nHost: x\r\n\r\n" * 20
        response = talk(request + b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        codes = [int(part[:3]) for part in response.split(b"HTTP/1.1 ")[1:]]
        self.assertEqual(codes, [200, 404] * 20 + [200])
        self.assertTrue(response.endswith(PAGE))

    def test_a_body_is_skipped_and_the_next_request_found(self):
        post = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nGET / HTT"
        chunked = b"PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
        last = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        response = talk(post + chunked + last)
        self.assertEqual([int(part[:3]) for part in response.split(b"HTTP/1.1 ")[1:]], [405, 405, 200])

    def test_http_1_0_closes_unless_asked_to_stay(self):
        self.assertIn(b"Connection: close", talk(b"GET / HTTP/1.0\r\n\r\n"))
        with netns.connect((netns.WEFT, 80)) as sock:
            for _ in range(2):
                sock.sendall(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
                response = b""
                while not response.endswith(PAGE):
                    response += sock.recv(4096)
                self.assertIn(b"Connection: keep-alive", response)

    def test_a_request_byte_by_byte(self):
        with netns.connect((netns.WEFT, 80)) as sock:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n":
                sock.sendall(bytes([byte]))
                time.sleep(0.002)
            self.assertTrue(netns.read_all(sock).endswith(PAGE))

    def test_a_slow_request_is_given_up(self):
        begin = time.monotonic()
        with netns.connect((netns.WEFT, 80)) as sock:
            with contextlib.suppress(OSError):
                for byte in b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 100:
                    sock.sendall(bytes([byte]))
                    sock.settimeout(0.1)
                    with contextlib.suppress(socket.timeout):
                        answer = sock.recv(4096)
                        break
            self.assertEqual(code(answer), 408)
        self.assertLess(time.monotonic() - begin, 5)

    def test_who_says_nothing_is_let_go(self):
        for first in (b"", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"):
            with netns.connect((netns.WEFT, 80)) as sock:
                sock.sendall(first)
                begin = time.monotonic()
                netns.read_all(sock)
                self.assertLess(time.monotonic() - begin, 4)

    def test_who_never_reads_costs_little_and_is_let_go(self):
        self.write("huge.bin", b"")
        os.truncate(os.path.join(self.folder, "huge.bin"), 1 << 30)
        before = self.server.resident_bytes()
        with contextlib.ExitStack() as peers:
            socks = []
            for _ in range(20):
                sock = peers.enter_context(socket.socket())
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                sock.connect((netns.WEFT, 80))
                sock.sendall(b"GET /huge.bin HTTP/1.1\r\nHost: x\r\n\r\n")
                socks.append(sock)
            time.sleep(1)
            grown = self.server.resident_bytes() - before
            self.assertLess(grown, 20 * (2 << 20) * (4 if netns.SANITIZED else 1))
            time.sleep(3)  # the write timeout is 2 s
            for sock in socks:
                with self.assertRaises(ConnectionResetError):
                    netns.read_all(sock)
        self.assertEqual(curl(url("/")).stdout, PAGE)

    def test_stopping_closes_connections_in_order(self):
        with netns.connect((netns.WEFT, 80)) as idle, netns.connect((netns.WEFT, 80)) as used:
            used.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            response = b""
            while not response.endswith(PAGE):
                response += used.recv(4096)
            self.server.process.send_signal(2)
            self.assertEqual(used.recv(100), b"")  # a FIN, not a reset
            self.assertEqual(idle.recv(100), b"")
        self.assertEqual(self.server.wait(10), 0)
        self.assertEqual(self.server.counters().get("tcp_resets_sent", 0), 0)


class PagesInFibers(Pages):
    front_end = "fiber"


class MannersInFibers(Manners):
    front_end = "fiber"


class PagesInCallbacks(Pages):
    front_end = "callback"


class MannersInCallbacks(Manners):
    front_end = "callback"


if __name__ == "__main__":
    netns.enter()
    netns.main()
