#!/usr/bin/env python3
"""`weft bt` and the printers of framework/gdb/weft_gdb.py, in a gdb that runs tests/framework/library/gdb_subject.cpp.

The trace of the stopped program, of its core file, and what the program prints of itself when it goes on say
the same. Skipped (77) where there is no gdb, or gdb may not look at processes.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile

SOURCE = os.environ["WEFT_SOURCE_DIR"]
PROGRAM = os.path.join(os.environ["WEFT_BUILD_DIR"], "tests", "weft_gdb_subject")
SCRIPT = os.path.join(SOURCE, "framework/gdb/weft_gdb.py")

EXPECTED = """\
* "main": main_task at library/gdb_subject.cpp:N
  weft::with_task_group at weft/task_group.hpp:N
  awaits group::join
  * children at library/gdb_subject.cpp:N
    awaits event::wait
  * "the first": waits_long at library/gdb_subject.cpp:N
    awaits with_timeout, 89.500 s left
    patient at library/gdb_subject.cpp:N
    awaits event::wait
  * "the second": waits_for_one_of_two at library/gdb_subject.cpp:N
    awaits when_any
    * awaits event::wait
    * awaits sleep, 59.500 s left
* "many ways": many_ways at library/gdb_subject.cpp:N
  awaits when_all_settled
  * awaits group::join
    * callback of many_ways at library/gdb_subject.cpp:N
      awaits event::wait
  * fiber "fiber": in_a_fiber at library/gdb_subject.cpp:N
    awaits event::wait
  * reads at library/gdb_subject.cpp:N
    generator numbers at library/gdb_subject.cpp:N
    awaits shielded
    awaits event::wait
  * waits_for_a_lock at library/gdb_subject.cpp:N
    awaits mutex::lock
  * waits_for_a_value at library/gdb_subject.cpp:N
    awaits channel::receive
* "look": look at library/gdb_subject.cpp:N
  awaits sleep, 0.500 s left
"""


def skip(why):
    print(f"skipped: {why}")
    sys.exit(77)


def gdb(*commands, program=PROGRAM, core=None):
    words = ["gdb", "--batch", "--nx", "-iex", "set auto-load off", "-iex", "set debuginfod enabled off"]
    for command in (f"source {SCRIPT}", *commands):
        words += ["-ex", command]
    words += [program] + ([core] if core else [])
    # LeakSanitizer stops a program that is traced.
    environment = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0", "LC_ALL": "C"}
    done = subprocess.run(words, capture_output=True, text=True, timeout=240, env=environment, check=False)
    return done.stdout + done.stderr


def without_numbers(text):
    return re.sub(r"(\.[ch]pp):\d+", r"\1:N", text)


def trace_in(text):
    """What stands between the line of the loop and the mark behind the trace."""
    found = re.search(r"^loop at 0x[0-9a-f]+: \d+ tasks at 0\.500 s\n(.*?)^end of trace$", text, re.M | re.S)
    return without_numbers(found.group(1)) if found else f"no trace in:\n{text}"


def trees(trace):
    """The trees of a forest, in an order that does not depend on addresses."""
    return sorted(re.findall(r"^\* .*\n(?:^ .*\n)*", trace, re.M))


def main():
    if not shutil.which("gdb"):
        skip("no gdb")
    if not os.path.exists(PROGRAM):
        print(f"{PROGRAM} was not built")
        return 1
    failures = []

    def expect(what, good, text):
        if not good:
            failures.append(f"{what}:\n{text}")

    with tempfile.TemporaryDirectory() as folder:
        core = os.path.join(folder, "core")
        take_core = [] if os.environ.get("WEFT_SANITIZE") else [f"generate-core-file {core}"]  # terabytes of shadow
        text = gdb("break stop_here", "run", "weft bt", "echo end of trace\\n", "print unstarted", "print good",
                   "print bad", "print list", "weft bt x", *take_core, "continue")
        if "ptrace" in text and "Operation not permitted" in text:
            skip("gdb may not trace processes here")
        if "no account of tasks is kept" in text:
            skip("built without WEFT_ASYNC_TRACE")
        live = trace_in(text)
        expect("the trace of the stopped program", trees(live) == trees(EXPECTED), live)
        expect("a task that was not started", re.search(r"weft::task<void> \{.*main_task", text), text)
        expect("a result with a value", re.search(r"= .*value 42$", text, re.M), text)
        expect("a result with an error", re.search(r"= .*error 104", text), text)
        expect("a list", re.search(r"= .*list of 2 .*element.* = \{0x[0-9a-f]+.*, 0x[0-9a-f]+", text), text)
        expect("an argument too many", "weft bt takes no argument" in text, text)
        expect("the program went on to its end", "exited normally" in text, text)
        said = without_numbers(text)
        for line in ('"the second": waits_for_one_of_two at', "awaits with_timeout, 89.000 s left"):
            expect(f"the program's own trace has {line}", line in said, text)
        if take_core and os.path.exists(core):
            post_mortem = gdb("weft bt", "echo end of trace\\n", core=core)
            expect("the trace of the core file", trace_in(post_mortem) == live, post_mortem)
        elif take_core:
            failures.append(f"no core file was written:\n{text}")

    other = gdb("weft bt", program=shutil.which("true"))
    expect("a program without Weft", "no Weft in this program" in other, other)
    for failure in failures:
        print("FAILED", failure)
    print(f"{len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
