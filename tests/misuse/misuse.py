#!/usr/bin/env python3
"""One misuse that a compiler can see: the file compiles without MISUSE, and with it fails as it says.

usage: misuse.py <g++|clang++> <file> <compiler> <option>…

The file names the diagnostic it expects, as a regular expression, in a comment for both compilers
("// both: …") or for each ("// g++: …", "// clang++: …"). A compiler it does not name must accept the
misuse: when a newer one does better, this test asks for the line. Warnings are errors here, as
[[nodiscard]] is a warning.
"""

import re
import subprocess
import sys


def compiled(command):
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)
    return run.returncode == 0, run.stdout + run.stderr


def main():
    family, path, compiler, *options = sys.argv[1:]
    with open(path, encoding="utf-8") as file:
        text = file.read()
    expected = {who: what for who, what in re.findall(r"^// (both|g\+\+|clang\+\+): (.+)$", text, re.M)}
    if not expected or "#ifdef MISUSE" not in text:
        print(f"{path} names no diagnostic, or has no MISUSE")
        return 1
    command = [compiler, "-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", *options]

    good, said = compiled([*command, path])
    if not good:
        print(f"the right use does not compile:\n{said}")
        return 1
    good, said = compiled([*command, "-DMISUSE", path])
    diagnostic = expected.get(family, expected.get("both"))
    if diagnostic is None:
        if not good:
            print(f"{family} rejects the misuse now; say with which diagnostic:\n{said}")
        return 0 if good else 1
    if good:
        print("the misuse compiles")
        return 1
    # A compiler that wraps quoted names in typographic quotes says the same.
    if not re.search(diagnostic, said.replace("‘", "'").replace("’", "'")):
        print(f"it fails, but not with {diagnostic!r}:\n{said}")
        return 1
    print(next(line for line in said.splitlines() if "error" in line))
    return 0


if __name__ == "__main__":
    sys.exit(main())
