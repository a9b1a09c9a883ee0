#!/usr/bin/env python3
"""The suite framework.kernel.vanishing, beside a peer that can vanish: a network namespace at the other end
of a veth, whose address is taken away. Its hosts file has that peer's name, and names are asked of nobody else."""
# ctest: timeout=200

import os
import re
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop"))
import netns  # noqa: E402

LISTENER = """
import socket, time
listening = socket.create_server(("10.9.0.2", 7000), backlog=100)
print("listening", flush=True)
time.sleep(600)
"""


class Vanishing(netns.Case):
    limit_seconds = 180

    def setUp(self):
        super().setUp()
        self.holder = subprocess.Popen(["unshare", "--net", "sleep", "600"])
        self.addCleanup(self.end, self.holder)
        inside = ["nsenter", f"--net=/proc/{self.holder.pid}/ns/net"]
        here = os.stat("/proc/self/ns/net").st_ino
        netns.wait_until(lambda: os.stat(f"/proc/{self.holder.pid}/ns/net").st_ino != here, 10)
        netns.run("ip", "link", "add", "near", "type", "veth", "peer", "name", "far")
        netns.run("ip", "link", "set", "far", "netns", str(self.holder.pid))
        for where, name, address in ([], "near", "10.9.0.1"), (inside, "far", "10.9.0.2"):
            netns.run(*where, "ip", "address", "add", f"{address}/24", "dev", name)
            netns.run(*where, "ip", "link", "set", name, "up")
        # Who vanishes still has a neighbour's entry: else the error would be that of ARP.
        mac = re.search(r"link/ether (\S+)", netns.run(*inside, "ip", "link", "show", "far"))[1]
        netns.run("ip", "neigh", "replace", "10.9.0.2", "lladdr", mac, "dev", "near", "nud", "permanent")
        self.listener = subprocess.Popen([*inside, sys.executable, "-c", LISTENER], stdout=subprocess.PIPE)
        self.addCleanup(self.end, self.listener)
        self.assertEqual(self.listener.stdout.readline(), b"listening\n")
        change = " ".join(inside) + " ip address {} 10.9.0.2/24 dev far"
        os.environ["WEFT_PEER_COMES"] = change.format("replace")
        os.environ["WEFT_PEER_GOES"] = change.format("del")

    def end(self, process):
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()

    def table_of_hosts(self):
        """In this namespace of mounts only."""
        for path, text in (("/etc/hosts", "127.0.0.1 localhost\n10.9.0.2 peer.weft.test\n"),
                           ("/etc/nsswitch.conf", "hosts: files\nservices: files\n")):
            if not os.path.exists(path):
                continue
            with tempfile.NamedTemporaryFile("w", delete=False) as own:
                own.write(text)
            os.chmod(own.name, 0o644)
            self.addCleanup(os.remove, own.name)
            netns.run("mount", "--bind", own.name, path)
            self.addCleanup(netns.run, "umount", path)

    def test_the_suite(self):
        self.table_of_hosts()
        program = os.path.join(netns.build_folder(), "tests", "weft_tests_framework")
        result = subprocess.run([program, "--test-suite=framework.kernel.vanishing"], capture_output=True,
                                text=True, check=False, timeout=170)
        self.assertEqual(result.returncode, 0, result.stdout[-20000:] + result.stderr[-5000:])
        counted = re.search(r"test cases: +(\d+) \| +(\d+) passed", result.stdout)
        self.assertIsNotNone(counted, result.stdout)
        self.assertGreaterEqual(int(counted[2]), 7)  # a suite that is skipped proves nothing


if __name__ == "__main__":
    netns.enter()
    netns.main()
