#!/usr/bin/env python3
"""Weft's clients against servers on the kernel's TCP."""
# ctest: serial timeout=300

import contextlib
import functools
import http.server
import os
import socket
import struct
import subprocess
import tempfile
import threading
import time

import netns

BIG = netns.random_bytes(8_000_000)


class Site(http.server.SimpleHTTPRequestHandler):
    """Python's own server, with redirects and a few responses of its kinds."""

    protocol_version = "HTTP/1.1"

    def log_message(self, format, *args):  # the name is the base class's
        pass

    def do_GET(self):
        if self.path.startswith("/to/"):  # /to/307/path
            _, _, status, path = self.path.split("/", 3)
            self.send_response(int(status))
            self.send_header("Location", path if path.startswith("http") else "/" + path)
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif self.path == "/chunked":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for size in (1, 1000, 70000):
                self.wfile.write(b"%x\r\n" % size + BIG[:size] + b"\r\n")
            self.wfile.write(b"0\r\n\r\n")
        elif self.path == "/to-the-end":
            self.send_response(200)
            self.end_headers()
            self.wfile.write(BIG[:100000])
            self.close_connection = True
        elif self.path == "/short":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"x" * 10)
            self.close_connection = True
        else:
            super().do_GET()


class WebCase(netns.Case):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        with open(os.path.join(self.folder, "big.bin"), "wb") as file:
            file.write(BIG)
        server = http.server.ThreadingHTTPServer((netns.KERNEL, 8000),
                                                 functools.partial(Site, directory=self.folder))
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)

    def get(self, path, *arguments):
        """Exit status, what was saved, what was said."""
        target = path if path.startswith("http") else f"http://{netns.KERNEL}:8000{path}"
        output = os.path.join(self.folder, "saved")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(output)
        with netns.Program("http_get", target, "-o", output, *arguments) as client:
            status = client.wait(60)
            saved = None
            if os.path.exists(output):
                with open(output, "rb") as file:
                    saved = file.read()
            return status, saved, client.text()

    def test_a_page_is_saved(self):
        self.assertEqual(self.get("/big.bin")[:2], (0, BIG))

    def test_bodies_of_every_framing(self):
        self.assertEqual(self.get("/chunked")[:2], (0, BIG[:1] + BIG[:1000] + BIG[:70000]))
        self.assertEqual(self.get("/to-the-end")[:2], (0, BIG[:100000]))

    def test_redirects_are_followed(self):
        for status in (301, 302, 303, 307, 308):
            with self.subTest(status=status):
                self.assertEqual(self.get(f"/to/{status}/to/301/big.bin")[:2], (0, BIG))
        absolute = f"/to/301/http://{netns.KERNEL}:8000/big.bin"
        self.assertEqual(self.get(absolute)[:2], (0, BIG))

    def test_not_for_ever(self):
        status, _, said = self.get("/to/301" * 12 + "/big.bin")
        self.assertEqual(status, 1)
        self.assertIn("too many redirects", said)
        self.assertEqual(self.get("/to/301/ftp://x/")[0], 1)

    def test_a_name_can_be_given(self):
        named = self.get("http://pages.example:8000/big.bin", "--resolve", f"pages.example={netns.KERNEL}")
        self.assertEqual(named[:2], (0, BIG))
        self.assertIn("--resolve", self.get("http://pages.example:8000/")[2])

    def test_failures_have_a_reason_and_a_status(self):
        status, _, said = self.get("/nothing")
        self.assertEqual(status, 1)
        self.assertIn("404", said)
        status, _, said = self.get("/short")
        self.assertEqual(status, 1)
        self.assertIn("closed before", said)

    def test_the_terminal_sees_progress(self):
        command = " ".join([netns.program("http_get"), f"http://{netns.KERNEL}:8000/big.bin", "-o", "/dev/null"])
        result = subprocess.run(["script", "-qec", command, "/dev/null"], capture_output=True, check=False)
        self.assertIn(b"8.0 MB of 8.0 MB  100 %", result.stdout)


class EchoCase(netns.Case):
    def client(self, port, *arguments):
        with netns.Program("echo_client", f"{netns.KERNEL}:{port}", *arguments) as client:
            return client.wait(60), client.text()

    def test_a_text_comes_back(self):
        with netns.KernelServer(netns.echo, netns.KERNEL, 7007):
            status, said = self.client(7007, "--text", "hello")
            self.assertEqual(status, 0, said)
            self.assertTrue(said.startswith("hello\n") or "\nhello\n" in said)

    def test_bytes_come_back_in_order(self):
        with netns.KernelServer(netns.echo, netns.KERNEL, 7007):
            status, said = self.client(7007, "--bytes", 10_000_001)
            self.assertEqual(status, 0, said)

    def test_nobody_listens(self):
        status, said = self.client(7008, "--text", "hello")
        self.assertEqual(status, 1)
        self.assertIn("refused", said.lower())

    def test_nobody_is_there(self):
        with netns.Program("echo_client", "10.0.0.77:7", "--text", "x", "--timeout", 10) as client:
            self.assertEqual(client.wait(20), 1)
            self.assertRegex(client.text().lower(), "unreachable|no route|timed out")

    def test_the_server_sends_on_after_our_fin(self):
        def late(peer):
            netns.read_all(peer)
            time.sleep(0.2)
            for piece in netns.pattern(2_000_000):
                peer.sendall(piece)

        with netns.KernelServer(late, netns.KERNEL, 7007):
            status, said = self.client(7007, "--bytes", 2_000_000)
            self.assertEqual(status, 0, said)

    def test_we_send_on_after_the_servers_fin(self):
        heard = []

        def deaf_mouth(peer):
            peer.shutdown(socket.SHUT_WR)
            heard.append(len(netns.read_all(peer)))

        with netns.KernelServer(deaf_mouth, netns.KERNEL, 7007):
            status, _ = self.client(7007, "--bytes", 3_000_000)
            self.assertEqual(status, 1)  # an echo it was not
            netns.wait_until(lambda: heard, 5)
            self.assertEqual(heard[0], 3_000_000)

    def test_a_server_that_resets(self):
        def rude(peer):
            peer.recv(1000)
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

        with netns.KernelServer(rude, netns.KERNEL, 7007):
            status, said = self.client(7007, "--bytes", 50_000_000)
            self.assertEqual(status, 1)
            self.assertIn("reset", said.lower())


if __name__ == "__main__":
    netns.enter()
    netns.main()
