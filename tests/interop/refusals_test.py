#!/usr/bin/env python3
"""Programs that cannot start say why in one line, and exit with 2."""
# ctest: serial timeout=120

import os
import subprocess
import tempfile

import netns

ON_A_TAP = ("echo_server", "echo_client", "http_server", "http_get", "udp_echo")
NEEDED = {"echo_client": ["10.0.0.1:7", "--text", "x"], "http_server": ["."], "http_get": ["http://10.0.0.1/"]}


def start(name, *arguments, prefix=()):
    command = [*prefix, netns.program(name), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30,
                          stdin=subprocess.DEVNULL)


class Usage(netns.Case):
    def test_help_is_printed(self):
        for name in (*ON_A_TAP, "handshake"):
            with self.subTest(name=name):
                result = start(name, "--help")
                self.assertEqual(result.returncode, 0)
                self.assertIn("Options:", result.stdout)

    def test_a_wrong_option_prints_usage(self):
        for name in (*ON_A_TAP, "handshake"):
            for wrong in ("--no-such-option", "--seed", "--port=70000"):
                with self.subTest(name=name, wrong=wrong):
                    result = start(name, *NEEDED.get(name, []), wrong)
                    self.assertEqual(result.returncode, 2)
                    self.assertIn("Options:", result.stderr)
        self.assertEqual(start("http_server").returncode, 2)
        self.assertEqual(start("http_get", "https://10.0.0.1/").returncode, 2)
        self.assertEqual(start("echo_client", "10.0.0.1").returncode, 2)
        self.assertEqual(start("echo_server", "--address", "10.0.0.300/24").returncode, 2)
        self.assertEqual(start("http_server", ".", "--redirect", "nowhere").returncode, 2)


    def test_a_network_that_is_none_names_the_part_that_is_wrong(self):
        wrong = {"weft0": "'weft0'", "tun:name=x": "'tun:name=x'", "kernel:fast": "'fast'", "tap:adr=10.0.0.2/24": "'adr'",
                 "tap:addr=10.0.0.300/24": "addr: '10.0.0.300/24'", "tap:name=a,name=b": "'name' is there twice",
                 "tap:gw=192.0.2.1": "192.0.2.1"}
        for name in ON_A_TAP:
            for spec, word in wrong.items():
                with self.subTest(name=name, spec=spec):
                    result = start(name, *NEEDED.get(name, []), "--net", spec)
                    self.assertEqual(result.returncode, 2)
                    self.assertIn(word, result.stderr)
        both = start("echo_server", "--net", "kernel:", "--tap", "weft0")
        self.assertEqual(both.returncode, 2)
        self.assertIn("--tap", both.stderr)


class CannotStart(netns.Case):
    def one_line(self, result, *words):
        self.assertEqual(result.returncode, 2, result.stderr)
        self.assertEqual(len(result.stderr.splitlines()), 1, result.stderr)
        for word in words:
            self.assertIn(word, result.stderr)

    def test_a_folder_that_is_none(self):
        self.one_line(start("http_server", "/no/such/folder"), "/no/such/folder", "No such file")
        with tempfile.NamedTemporaryFile() as file:
            self.one_line(start("http_server", file.name), "Not a directory")

    def test_a_tap_that_is_taken(self):
        with netns.echo_server():
            for name in ON_A_TAP:
                self.one_line(start(name, *NEEDED.get(name, [])), netns.TAP)

    def test_an_interface_that_is_no_tap(self):
        self.one_line(start("echo_server", "--tap", "lo"), "lo:")
        self.one_line(start("echo_server", "--tap", "a name that is too long"), "name")

    def test_a_file_that_cannot_be_written(self):
        self.one_line(start("echo_server", "--pcap", "/no/such/folder/x.pcap"), "x.pcap")

    def test_what_the_kernels_network_cannot_do(self):
        for wish in (["--pcap", "x.pcap"], ["--ladder"], ["--congestion", "bbr"], ["--no-offload"]):
            self.one_line(start("echo_server", "--net", "kernel:", *wish), wish[0], "kernel:")

    def test_no_permission_for_taps(self):
        without = ["setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin", "--ambient-caps=-net_admin"]
        result = start("echo_server", "--tap", "weft9", prefix=without)
        self.one_line(result, "CAP_NET_ADMIN", "sudo")

    def test_no_dev_net_tun(self):
        netns.run("mount", "-t", "tmpfs", "none", "/dev/net")  # in our own mount namespace
        try:
            for name in ON_A_TAP:
                self.one_line(start(name, *NEEDED.get(name, [])), "/dev/net/tun", "modprobe")
        finally:
            netns.run("umount", "/dev/net")

    def test_the_kernel_is_told_of_a_new_tap(self):
        with netns.Program("echo_server", "--tap", "weft7", ready="listening") as server:
            self.assertIn("ip addr add", server.text())
            self.assertEqual(server.stop(), 0)
        self.assertNotIn("weft7", os.listdir("/sys/class/net"))


if __name__ == "__main__":
    netns.enter()
    netns.main()
