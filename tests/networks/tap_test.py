#!/usr/bin/env python3
"""The behaviours of every network, with Weft's own stack on a real TAP against the kernel's sockets."""
# ctest: serial timeout=300

import os
import re
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop"))
import netns  # noqa: E402


class Behaviours(netns.Case):
    limit_seconds = 280

    def run_suite(self, name):
        program = os.path.join(netns.build_folder(), "tests", "weft_tests_networks")
        result = subprocess.run([program, f"--test-suite={name}"], capture_output=True, text=True,
                                check=False, timeout=270)
        self.assertEqual(result.returncode, 0, result.stdout[-20000:] + result.stderr[-5000:])
        counted = re.search(r"test cases: +(\d+) \| +(\d+) passed", result.stdout)
        self.assertIsNotNone(counted, result.stdout)
        self.assertGreater(int(counted[2]), 25)  # a suite that is skipped proves nothing

    def test_the_stack_is_the_client(self):
        self.run_suite("networks.tap_client")

    def test_the_stack_is_the_server(self):
        self.run_suite("networks.tap_server")

    def test_the_kernel_on_loopback_of_a_namespace(self):
        self.run_suite("networks.kernel")


if __name__ == "__main__":
    netns.enter()
    netns.main()
