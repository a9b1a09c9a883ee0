#!/usr/bin/env python3
"""The rules of the house that a compiler does not check.

Which folder may include what (docs/decisions/0001-build.md has the arrows), what may lie at the top of
the tree, and what no file may contain. Each rule is a function from a tree {path: text} to complaints;
before the real tree is read, every rule is fed a sample that breaks it, so a rule that cannot fail is
itself a failure.
"""

import os
import re
import subprocess
import sys

TOP = {
    ".ci", ".clang-format", ".clang-tidy", ".gitignore", "CMakeLists.txt", "CMakePresets.json",
    "LICENSE", "README.md", "benchmarks", "cmake", "docs", "examples", "framework", "netstack", "tests",
}
FRAMEWORK = {"base", "io", "sync", "fiber", "kernel", "http", "test"}
NETSTACK = {"net", "sim"}
NET = {"wire", "ip", "tcp", "udp", "io", "posix"}

# Folder of the core -> folders of weft/net it may include besides weft/base. Arrows point down.
ARROWS = {"wire": {"wire"}, "ip": {"ip", "wire"}, "udp": {"udp", "ip", "wire"}, "tcp": {"tcp", "ip", "wire"}}

# What base may include besides std: one header-only library, and the compiler's own for sanitizers.
BASE_MAY = {"tl/expected.hpp", "sanitizer/asan_interface.h"}

# Standard headers that bring threads, files or the outside world into the sans-IO core.
NOT_IN_CORE = {
    "thread", "mutex", "shared_mutex", "condition_variable", "future", "semaphore", "latch", "barrier",
    "stop_token", "coroutine", "fstream", "iostream", "filesystem", "cstdio", "ctime", "random",
}
CLOCKS = re.compile(
    r"\b(\w+_clock::now|random_device|clock_gettime|gettimeofday|getrandom|std::time\(|std::rand\()")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)
LEFTOVER = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")
MACHINE = re.compile(r"(?<![\w.~}])/(work|farm|root|home/\w+)/|\.\./shar" + r"ed\b")


def is_code(path):
    return path.endswith((".hpp", ".cpp"))


def includes(path, text):
    """What a file includes, as paths from the include root where they are the project's own."""
    for quote, name in INCLUDE.findall(text):
        if quote == '"' and not name.startswith("weft/"):
            name = os.path.normpath(os.path.join(os.path.dirname(path), name))
            name = re.sub(r"^(framework|netstack)/", "", name)
        yield name


def is_below(name, *folders):
    return any(name == f or name.startswith(f + "/") or name.startswith(f + ".") for f in folders)


def framework_knows_no_packets(tree):
    for path, text in tree.items():
        if path.startswith("framework/") and is_code(path):
            for name in includes(path, text):
                if is_below(name, "weft/net", "weft/sim"):
                    yield f"{path}: framework includes <{name}>"


def base_stands_on_std(tree):
    for path, text in tree.items():
        if path.startswith("framework/weft/base/") and is_code(path):
            for name in includes(path, text):
                foreign = "/" in name or name.endswith(".h")
                if foreign and not is_below(name, "weft/base") and name not in BASE_MAY:
                    yield f"{path}: base includes <{name}>"


def is_core(path):
    """All of weft/net but the two folders that see the world."""
    return path.startswith("netstack/weft/net/") and not re.match("netstack/weft/net/(io|posix)/", path)


def core_is_sans_io(tree):
    for path, text in tree.items():
        if not (is_core(path) and is_code(path)):
            continue
        for name in includes(path, text):
            if name.startswith("weft/"):
                core = is_below(name, "weft/net") and not is_below(name, "weft/net/io", "weft/net/posix")
                if not core and not is_below(name, "weft/base"):
                    yield f"{path}: the core includes <{name}>"
            elif "/" in name or name.endswith((".h", ".hpp")) or name in NOT_IN_CORE:
                yield f"{path}: the core includes <{name}>"
        for word in CLOCKS.findall(text):
            yield f"{path}: the core reads a clock or randomness itself: {word}"


def net_folder(name):
    """The folder of weft/net that <name> lies in; None for what lies directly in weft/net."""
    parts = name.split("/")
    return parts[2] if len(parts) > 3 else None


def stands_on(tree):
    """For each header directly in weft/net: the folders of weft/net that it brings with it."""
    direct = {path.removeprefix("netstack/"): {n for n in includes(path, text) if is_below(n, "weft/net")}
              for path, text in tree.items() if re.fullmatch(r"netstack/weft/net/\w+\.hpp", path)}

    def folders(name, seen):
        if net_folder(name):
            return {net_folder(name)}
        if name not in direct or name.startswith("weft/net/stack"):
            return {"stack"}  # the top of the core: nobody below may include it
        return set().union(*(folders(n, seen | {name}) for n in direct[name] - seen))

    return {name: folders(name, {name}) for name in direct}


def arrows_point_down(tree):
    brings = stands_on(tree)
    for path, text in tree.items():
        parts = path.split("/")
        if not is_code(path) or not path.startswith("netstack/weft/net/") or len(parts) < 5:
            continue
        for name in includes(path, text):
            if parts[3] in ("io", "posix"):
                other = "weft/net/posix" if parts[3] == "io" else "weft/net/io"
                if is_below(name, "weft/sim", other):
                    yield f"{path}: net/{parts[3]} includes <{name}>"
            elif is_below(name, "weft/net"):
                needs = {net_folder(name)} if net_folder(name) else brings.get(name, {"stack"})
                for folder in sorted(needs - ARROWS.get(parts[3], set())):
                    yield f"{path}: {parts[3]} includes <{name}>, which is or brings {folder}"


def one_place_includes_liburing(tree):
    for path, text in tree.items():
        if is_code(path) and not path.startswith("framework/weft/io/ring"):
            for name in includes(path, text):
                if is_below(name, "liburing"):
                    yield f"{path}: includes <{name}>; only framework/weft/io/ring* may"


def folders_are_the_known_ones(tree):
    for path in tree:
        parts = path.split("/")
        if parts[0] not in TOP:
            yield f"{path}: unexpected at the top of the tree"
        for place, known in (("framework/weft", FRAMEWORK), ("netstack/weft", NETSTACK),
                             ("netstack/weft/net", NET)):
            deep = place.split("/")
            if parts[:len(deep)] == deep and len(parts) > len(deep) + 1 and parts[len(deep)] not in known:
                yield f"{path}: unexpected folder in {place}"


def nothing_is_left_over(tree):
    for path, text in tree.items():
        for number, line in enumerate(text.splitlines(), 1):
            if LEFTOVER.search(line):
                yield f"{path}:{number}: unfinished: {line.strip()}"
            if MACHINE.search(line):
                yield f"{path}:{number}: a path of one machine: {line.strip()}"


def code_is_laid_out(tree):
    for path, text in tree.items():
        if not is_code(path):
            continue
        if path.endswith(".hpp") and "#pragma once" not in text:
            yield f"{path}: no #pragma once"
        for number, line in enumerate(text.splitlines(), 1):
            if len(line) > 100:
                yield f"{path}:{number}: {len(line)} columns"
            if "\t" in line or line != line.rstrip():
                yield f"{path}:{number}: tab or trailing space"


def readme_code_is_compiled(tree):
    """Every C++ block of README.md stands verbatim in a program that is built."""
    built = "\n".join(text for path, text in tree.items()
                      if is_code(path) and path.startswith(("examples/", "tests/consumer/")))
    for block in re.findall(r"^```cpp\n(.*?)^```", tree.get("README.md", ""), re.M | re.S):
        if block not in built:
            yield f"README.md: this block is in no built program:\n{block}"


def guides_are_compiled(tree):
    """Every C++ block of a page that names its test as `…_guide_test.cpp` stands there, indentation apart."""
    for path, text in tree.items():
        if not path.endswith(".md"):
            continue
        for named in re.findall(r"\]\(([^)#\s]+_guide_test\.cpp)\)", text):
            test = tree.get(os.path.normpath(os.path.join(os.path.dirname(path), named)), "")
            built = re.sub(r"^ +", "", test, flags=re.M)
            for block in re.findall(r"^```cpp\n(.*?)^```", text, re.M | re.S):
                if re.sub(r"^ +", "", block, flags=re.M) not in built:
                    yield f"{path}: this block is not in {named}:\n{block}"


def links_lead_somewhere(tree):
    """Relative links of the documents name files that exist."""
    for path, text in tree.items():
        if path.endswith(".md"):
            prose = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
            for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", prose):
                if "://" in target or target.startswith("mailto:"):
                    continue
                full = os.path.normpath(os.path.join(os.path.dirname(path), target))
                if full not in tree and not any(p.startswith(full + "/") for p in tree):
                    yield f"{path}: link to {target}, which does not exist"


# Rule -> samples that break it, each one tree.
RULES = {
    framework_knows_no_packets: [
        {"framework/weft/io/a.hpp": "#include <weft/net/stack.hpp>\n"},
        {"framework/weft/a.cpp": "#  include <weft/sim/world.hpp>\n"},
        {"framework/weft/a.cpp": '#include "weft/net/host.hpp"\n'},
    ],
    base_stands_on_std: [
        {"framework/weft/base/a.hpp": "#include <weft/task.hpp>\n"},
        {"framework/weft/base/a.hpp": '#include "../task.hpp"\n'},
        {"framework/weft/base/a.hpp": "#include <spdlog/spdlog.h>\n"},
        {"framework/weft/base/a.cpp": "#include <unistd.h>\n"},
    ],
    core_is_sans_io: [
        {"netstack/weft/net/tcp/a.cpp": "#include <weft/task.hpp>\n"},
        {"netstack/weft/net/tcp/a.cpp": "#include <weft/net/io/host.hpp>\n"},
        {"netstack/weft/net/tcp/a.cpp": '#include "../io/host.hpp"\n'},
        {"netstack/weft/net/tcp/a.cpp": "#include <weft/net/posix/network.hpp>\n"},
        {"netstack/weft/net/stack.cpp": "#include <sys/socket.h>\n"},
        {"netstack/weft/net/stack.cpp": "#include <linux/if_tun.h>\n"},
        {"netstack/weft/net/stack.cpp": "#include <mutex>\n"},
        {"netstack/weft/net/ip/a.hpp": "auto t = std::chrono::steady_clock::now();\n"},
        {"netstack/weft/net/ip/a.hpp": "std::random_device seed;\n"},
    ],
    arrows_point_down: [
        {"netstack/weft/net/wire/a.hpp": "#include <weft/net/ip/routes.hpp>\n"},
        {"netstack/weft/net/wire/a.hpp": "#include <weft/net/tcp/state.hpp>\n"},
        {"netstack/weft/net/ip/a.hpp": "#include <weft/net/tcp/state.hpp>\n"},
        {"netstack/weft/net/ip/a.hpp": "#include <weft/net/observer.hpp>\n",
         "netstack/weft/net/observer.hpp": "#include <weft/net/tcp/state.hpp>\n"},
        {"netstack/weft/net/tcp/a.hpp": "#include <weft/net/stack.hpp>\n",
         "netstack/weft/net/stack.hpp": "#include <weft/net/tcp/demux.hpp>\n"},
        {"netstack/weft/net/io/a.hpp": "#include <weft/sim/world.hpp>\n"},
        {"netstack/weft/net/posix/a.hpp": "#include <weft/net/io/host.hpp>\n"},
    ],
    one_place_includes_liburing: [
        {"framework/weft/io/io_context.hpp": "#include <liburing.h>\n"},
        {"netstack/weft/net/io/a.cpp": "#include <liburing/io_uring.h>\n"},
    ],
    folders_are_the_known_ones: [
        {"src/a.cpp": ""},
        {"framework/weft/util/a.hpp": ""},
        {"netstack/weft/net/misc/a.hpp": ""},
    ],
    nothing_is_left_over: [
        {"README.md": "TO" + "DO: write\n"},
        {"framework/weft/a.cpp": "int a;  // FIX" + "ME\n"},
        {"tests/a.sh": "cd /wo" + "rk/tree\n"},
        {"docs/a.md": "see ../shar" + "ed/notes\n"},
    ],
    code_is_laid_out: [
        {"examples/a.hpp": "int a();\n"},
        {"examples/a.cpp": "// " + "x" * 98 + "\n"},
        {"examples/a.cpp": "\tint a;\n"},
    ],
    readme_code_is_compiled: [
        {"README.md": "```cpp\nint main() {}\n```\n", "examples/a.cpp": "int main() { }\n"},
    ],
    guides_are_compiled: [
        {"docs/a.md": "[t](../tests/x/a_guide_test.cpp)\n```cpp\nint a;\n```\n",
         "tests/x/a_guide_test.cpp": "int b;\n"},
    ],
    links_lead_somewhere: [
        {"docs/README.md": "[gone](decisions/0000-gone.md)\n"},
        {"docs/README.md": "```cpp\n[](int) {}\n```\n[gone](gone.md)\n"},
    ],
}

# Nothing may complain about this one.
CLEAN = {
    "README.md": "[docs](docs/README.md) [site](https://example.org/work/x)\n```cpp\nint main() {}\n```\n",
    "docs/README.md": "# Docs\n```cpp\n[this](int) {}\n```\n",
    "tests/consumer/main.cpp": "#include <weft/net/io/host.hpp>\nint main() {}\n",
    "framework/weft/base/a.hpp": "#pragma once\n#include <tl/expected.hpp>\n#include <weft/base/b.hpp>\n",
    "framework/weft/io/ring.cpp": "#include <liburing.h>\n#include <weft/task.hpp>\n",
    "netstack/weft/net/stack.hpp": "#pragma once\n#include <weft/net/tcp/demux.hpp>\n#include <span>\n",
    "netstack/weft/net/address.hpp": "#pragma once\n#include <weft/base/result.hpp>\n",
    "netstack/weft/net/observer.hpp":
        "#pragma once\n#include <weft/net/tcp/state.hpp>\n#include <weft/net/address.hpp>\n",
    "netstack/weft/net/tcp/b.cpp": "#include <weft/net/observer.hpp>\n",
    "netstack/weft/net/wire/tcp.cpp": "#include <weft/net/wire/tcp.hpp>\n#include <weft/net/address.hpp>\n",
    "netstack/weft/net/tcp/a.cpp": "#include <weft/net/wire/tcp.hpp>\n#include <weft/base/instant.hpp>\n",
    "netstack/weft/net/io/host.cpp": "#include <weft/task.hpp>\n#include <linux/if_tun.h>\n",
    "netstack/weft/net/posix/socket.cpp": "#include <sys/socket.h>\n#include <weft/net/stack.hpp>\n",
    "netstack/weft/sim/world.cpp": "#include <weft/net/io/host.hpp>\n",
}


def self_test():
    for rule, samples in RULES.items():
        for sample in samples:
            if not list(rule(sample)):
                yield f"the rule {rule.__name__} lets this pass: {sample}"
        for complaint in rule(CLEAN):
            yield f"the rule {rule.__name__} complains about a clean tree: {complaint}"


def read_tree(root):
    """The files that are, or are about to be, under version control; all files where there is no git."""
    listed = subprocess.run(["git", "-C", root, "ls-files", "-co", "--exclude-standard", "-z"],
                            capture_output=True, check=False)
    if listed.returncode == 0:
        paths = [p for p in listed.stdout.decode().split("\0") if p]
    else:
        paths = [os.path.relpath(os.path.join(folder, name), root)
                 for folder, _, names in os.walk(root) for name in names]
        paths = [p for p in paths if not p.startswith(("build/", ".git/")) and "__pycache__" not in p]
    tree = {}
    for path in paths:
        try:
            with open(os.path.join(root, path), encoding="utf-8") as file:
                tree[path] = file.read()
        except UnicodeDecodeError:
            tree[path] = ""  # a picture, a capture: only its place counts
        except OSError:
            continue  # removed, not yet committed
    return tree


def main():
    root = os.environ.get("WEFT_SOURCE_DIR") or os.path.join(os.path.dirname(__file__), "../..")
    complaints = list(self_test())
    tree = read_tree(os.path.abspath(root))
    if "CMakeLists.txt" not in tree:
        complaints.append(f"{root} is not Weft's source")
    for rule in RULES:
        complaints.extend(rule(tree))
    for complaint in complaints:
        print(complaint)
    print(f"{len(RULES)} rules, {len(tree)} files, {len(complaints)} complaints")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
