#!/usr/bin/env bash
# Linux's curl fetches a page from an HTTP server on Weft's own TCP, and the connection is drawn.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: examples/demo.sh [option…]

Builds http_server, makes a private network namespace with a TAP in it, serves a page there from
Weft's own TCP, fetches it with curl (on Linux's TCP), and prints the page, the connection state by
state from the three-way handshake to the four-way close, and where the recorded frames are.

Needs root only to install what is missing (it says what), and where the system does not let users
make network namespaces. The machine's own network is not touched, and nothing is left but the build.

  --no-install   never call apt; say what is missing and stop
  --jobs N       build N things at once (default: the number of processors)
  -h, --help     this text

Exit status: 0 done, 1 something failed, 2 wrong usage or not possible here.
TEXT
}

wrong_usage() {
    echo "demo.sh: $1" >&2
    usage >&2
    exit 2
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$here")
. "$root/cmake/install_missing.sh"
build=$root/build/demo
pcap=$build/connection.pcapng
tap=weft0
kernel=10.0.0.1
weft=10.0.0.2

install=yes
inside=no
jobs=$(nproc)
while [ $# -gt 0 ]; do
    case $1 in
        --no-install) install=no ;;
        --inside) inside=yes ;; # how it calls itself in the namespace
        --jobs)
            [[ ${2:-} =~ ^[1-9][0-9]*$ ]] || wrong_usage "--jobs needs a number"
            jobs=$2
            shift
            ;;
        -h | --help)
            usage
            exit 0
            ;;
        *) wrong_usage "unknown option '$1'" ;;
    esac
    shift
done

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
[ -t 1 ] || say() { printf '\n%s\n' "$*"; }

build_server() {
    say "Building http_server (in ${build#"$PWD"/})"
    mkdir -p "$build"
    local launcher=()
    ! command -v ccache >/dev/null || launcher=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
    if ! {
        cmake -S "$root" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DWEFT_BUILD_TESTS=OFF \
            -DWEFT_BUILD_BENCHMARKS=OFF "${launcher[@]}" &&
            cmake --build "$build" --parallel "$jobs" --target http_server
    } >"$build/demo.log" 2>&1; then
        tail -n 30 "$build/demo.log" >&2
        echo "the build failed; all of it is in $build/demo.log" >&2
        exit 1
    fi
}

# Network, mounts and processes of its own: what is made inside goes with the last process inside.
own_world=(unshare --net --mount --pid --fork --kill-child --mount-proc)

enter_namespace() {
    if [ "$(id -u)" != 0 ]; then own_world+=(--user --map-root-user); fi
    local problem
    if ! problem=$("${own_world[@]}" ip tuntap add dev "$tap" mode tap 2>&1); then
        echo "demo.sh: no private network with a TAP here: ${problem##*$'\n'}" >&2
        if [ "$(id -u)" != 0 ]; then
            echo "This system wants root for that. Run:" >&2
            echo "    sudo $here/demo.sh" >&2
        elif [ ! -e /dev/net/tun ]; then
            echo "There is no /dev/net/tun: modprobe tun, or give the container that device." >&2
        fi
        exit 2
    fi
    exec "${own_world[@]}" "$here/demo.sh" --inside
}

server=
folder=$build/inside
clean_up() {
    trap - EXIT INT TERM
    if [ -n "$server" ] && kill -0 "$server" 2>/dev/null; then
        kill -KILL "$server"
        wait "$server" 2>/dev/null || true
    fi
}

# Waits at most 10 s for a command to succeed.
wait_for() {
    for _ in {1..100}; do
        if "$@" >/dev/null 2>&1; then return 0; fi
        kill -0 "$server" 2>/dev/null || break
        sleep 0.1
    done
    cat "$folder/said" >&2
    echo "demo.sh: http_server does not answer" >&2
    exit 1
}

fetch_inside() {
    trap clean_up EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    mkdir -p "$folder"
    mount -t tmpfs none "$folder" # gone with the namespace, even when this is killed
    mkdir "$folder/site"
    cat >"$folder/site/index.html" <<'PAGE'
<!doctype html>
<title>Weft</title>
<p>This page came to you over a TCP that is a state machine in a user's program,
and the program that sent it is a coroutine.</p>
PAGE

    ip link set lo up
    ip tuntap add dev "$tap" mode tap
    ip address add "$kernel/24" dev "$tap"
    ip link set "$tap" up

    "$build/examples/http_server" --tap "$tap" --address "$weft/24" --pcap "$pcap" --ladder 1 \
        --stats "$folder/site" >"$folder/ladder" 2>"$folder/said" &
    server=$!
    wait_for ping -c 1 -W 1 "$weft"

    say "\$ curl -i http://$weft/"
    curl --silent --show-error --max-time 10 -i "http://$weft/"

    sleep 0.3 # the last ACK
    kill -INT "$server"
    local status=0
    wait "$server" || status=$?
    server=
    if [ "$status" != 0 ]; then
        cat "$folder/said" >&2
        exit 1
    fi
    say "That connection, as Weft's end saw it (left: Linux, its states inferred; right: Weft)"
    cat "$folder/ladder"
    say "What the stack counted"
    grep '^  ' "$folder/said"
    say "Every frame is in $pcap"
    echo "(wireshark or tshark -r opens it)"
}

if [ "$inside" = yes ]; then
    fetch_inside
    exit 0
fi
install_missing "$install" "${weft_build_packages[@]}" curl iproute2 iputils-ping util-linux
build_server
enter_namespace
