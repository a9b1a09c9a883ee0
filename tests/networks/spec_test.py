#!/usr/bin/env python3
"""with_network on TAPs: each field of a spec, on one loop and on several, against the kernel."""
# ctest: serial timeout=120

import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop"))
import netns  # noqa: E402

PORT = 7777


class WithNetwork(netns.Case):
    def test_the_fields_of_a_spec(self):
        netns.run("ip", "tuntap", "add", "dev", "cores0", "mode", "tap", "multi_queue")
        netns.run("ip", "address", "add", "10.1.0.1/24", "dev", "cores0")
        netns.run("ip", "link", "set", "cores0", "up")
        netns.run("ip", "address", "add", "192.0.2.9/32", "dev", "lo")
        program = os.path.join(netns.build_folder(), "tests", "weft_tests_networks")
        with netns.KernelServer(netns.echo, "0.0.0.0", PORT):
            result = subprocess.run([program, "--test-suite=networks.with_network_tap"], capture_output=True,
                                    text=True, check=False, timeout=110)
        self.assertEqual(result.returncode, 0, result.stdout[-20000:] + result.stderr[-5000:])
        counted = re.search(r"test cases: +(\d+) \| +(\d+) passed", result.stdout)
        self.assertIsNotNone(counted, result.stdout)
        self.assertGreater(int(counted[2]), 7)  # a suite that is skipped proves nothing


if __name__ == "__main__":
    netns.enter()
    netns.main()
