# To be sourced by scripts that build Weft on a fresh Debian.

# What the libraries and the example programs are built with.
weft_build_packages=(g++ cmake ninja-build pkg-config
    liburing-dev libspdlog-dev libexpected-dev libcli11-dev libboost-dev libboost-context-dev)

# install_missing yes|no PACKAGE…
# Says which packages are missing and installs them, as root or through sudo. With `no`, or where there is
# neither, prints the command for root and exits with 2.
install_missing() {
    local may_install=$1 package missing=() as_root=()
    shift
    command -v dpkg-query >/dev/null || return 0 # not Debian: CMake says what it does not find
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok installed' ||
            missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0

    echo "missing: ${missing[*]}"
    if [ "$(id -u)" != 0 ]; then
        if command -v sudo >/dev/null; then as_root=(sudo); else may_install=no; fi
    fi
    if [ "$may_install" = no ]; then
        echo "as root: apt-get update && apt-get install -y --no-install-recommends ${missing[*]}" >&2
        exit 2
    fi
    local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o Dpkg::Use-Pty=0)
    "${apt[@]}" update </dev/null
    "${apt[@]}" install -y --no-install-recommends "${missing[@]}" </dev/null
}
