#!/usr/bin/env bash
# Installs what is missing, builds, runs the tests. What a person types and what CI runs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. cmake/install_missing.sh

usage() {
    cat <<'TEXT'
usage: tests/run.sh [option…]

Installs what is missing (Debian packages; as root, or through sudo), builds Weft and runs its tests.
Needs the network only to install. Tests that need a network make their own namespace.

  (nothing)        preset dev, every test
  --quick          leave out the tests labelled slow
  --sanitize       preset asan instead: AddressSanitizer and UndefinedBehaviorSanitizer, clang++-19
  --preset NAME    another preset of CMakePresets.json
  --all            what CI runs: g++, then clang++-19 with sanitizers, warnings as errors in both,
                   every public header compiled alone, the framework's tests under ThreadSanitizer
                   and without assertions (preset release), and the preset fuzz
  --jobs N         build and test N things at once (default: the number of processors)
  --no-install     never call apt; say what is missing and stop
  -h, --help       this text

The preset fuzz searches with each fuzz target for WEFT_FUZZ_SECONDS (60 unless set); how to work with
what it finds is said in tests/fuzz/CMakeLists.txt.

Exit status: 0 passed, 1 something failed, 2 wrong usage or not possible here.
TEXT
}

wrong_usage() {
    echo "tests/run.sh: $1" >&2
    usage >&2
    exit 2
}

presets=()
headers=no
install=yes
jobs=$(nproc)
ctest_options=()
all=no
while [ $# -gt 0 ]; do
    case $1 in
        --quick) ctest_options+=(--label-exclude '^slow$') ;;
        --sanitize) presets+=(asan) ;;
        --preset)
            [ $# -ge 2 ] || wrong_usage "--preset needs a name"
            grep -q "\"configurePreset\": \"$2\"" CMakePresets.json || wrong_usage "no preset '$2'"
            presets+=("$2")
            shift
            ;;
        --all)
            presets+=(gcc asan tsan release fuzz)
            headers=yes
            all=yes
            ;;
        --jobs)
            [[ ${2:-} =~ ^[1-9][0-9]*$ ]] || wrong_usage "--jobs needs a number"
            jobs=$2
            shift
            ;;
        --no-install) install=no ;;
        -h | --help)
            usage
            exit 0
            ;;
        *) wrong_usage "unknown option '$1'" ;;
    esac
    shift
done
[ ${#presets[@]} -gt 0 ] || presets=(dev)

# What the build needs, then what the tests against the kernel's TCP need.
packages=("${weft_build_packages[@]}" doctest-dev
    python3 git ca-certificates gdb iproute2 iputils-ping curl socat iperf3 tshark util-linux procps)
case " ${presets[*]} " in
    *" asan "* | *" tsan "* | *" clang "* | *" fuzz "*) packages+=(clang-19 libclang-rt-19-dev) ;;
esac

passed=0
failed=0
skipped=0

# Builds one preset and tests it; adds to the three counts. A build that fails counts as one failure.
run_preset() {
    local preset=$1 build=build/$1 report targets=() tests=()
    report=$PWD/$build/ctest.xml
    echo "== $preset"
    if [ "$all" = yes ] && [[ $preset =~ ^(tsan|release)$ ]]; then # what has threads and assertions
        targets=(--target weft_tests_framework)
        tests=(--tests-regex '^framework\.' --exclude-regex '^framework\.(gdb|kernel_vanishing)$')
    fi
    if ! { cmake --preset "$preset" &&
        cmake --build --preset "$preset" --parallel "$jobs" "${targets[@]}"; }; then
        failed=$((failed + 1))
        return
    fi
    if [ "$headers" = yes ] && [[ $preset =~ ^(gcc|asan)$ ]] &&
        ! cmake --build --preset "$preset" --parallel "$jobs" --target all_verify_interface_header_sets; then
        failed=$((failed + 1))
    fi
    rm -f "$report"
    ctest --preset "$preset" --parallel "$jobs" --no-tests=error --output-junit "$report" \
        "${tests[@]}" "${ctest_options[@]}" || true # the report says which failed
    local counts
    if ! counts=$(python3 - "$report" <<'PYTHON'
import sys, xml.etree.ElementTree as tree
suite = tree.parse(sys.argv[1]).getroot()
total, bad, out = (int(suite.get(k, 0)) for k in ("tests", "failures", "skipped"))
out += int(suite.get("disabled", 0))
print(total - bad - out, bad, out)
PYTHON
    ); then
        echo "ctest left no report" >&2
        failed=$((failed + 1))
        return
    fi
    local p f s
    read -r p f s <<<"$counts"
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
}

install_missing "$install" "${packages[@]}"
if command -v ccache >/dev/null; then
    export CMAKE_CXX_COMPILER_LAUNCHER=${CMAKE_CXX_COMPILER_LAUNCHER-ccache}
fi
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
for preset in "${presets[@]}"; do
    run_preset "$preset"
done

total=$((passed + failed + skipped))
echo
if [ "$all" = yes ]; then
    echo "$passed passed, $failed failed, $skipped skipped"
elif [ "$total" -gt 0 ]; then
    [ "$skipped" = 0 ] || echo "$skipped of them skipped: ctest says above which, and why with -V"
    # The same sentence as ctest's, as the last line.
    echo "$(((total - failed) * 100 / total))% tests passed, $failed tests failed out of $total"
fi
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
