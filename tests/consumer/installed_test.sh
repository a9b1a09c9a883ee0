#!/usr/bin/env bash
# ctest: timeout=600
# Installs this build into a folder of its own, builds tests/consumer against that folder alone, and runs
# each program it has.
set -euo pipefail
build=${WEFT_BUILD_DIR:?the folder of a build}
source=${WEFT_SOURCE_DIR:?the folder of the source}
place=$build/tests/consumer
rm -rf "$place"

from_cache() { sed -n "s/^$1:[A-Z]*=//p" "$build/CMakeCache.txt"; }

cmake --install "$build" --prefix "$place/prefix" >"$build/tests/consumer_install.log"

# The package must stand where it was installed, not lean on the folders it came from.
if grep -rlF -e "$source/" -e "$build/" --include='*.cmake' "$place/prefix"; then
    echo "these files name the folders of the build" >&2
    exit 1
fi

sanitize=
[ -z "${WEFT_SANITIZE:-}" ] || sanitize="-fsanitize=$WEFT_SANITIZE"
cmake -S "$source/tests/consumer" -B "$place/build" -G "$(from_cache CMAKE_GENERATOR)" \
    -DCMAKE_CXX_COMPILER="$(from_cache CMAKE_CXX_COMPILER)" \
    -DCMAKE_CXX_COMPILER_LAUNCHER="$(from_cache CMAKE_CXX_COMPILER_LAUNCHER)" \
    -DCMAKE_BUILD_TYPE="$(from_cache CMAKE_BUILD_TYPE)" \
    -DCMAKE_CXX_FLAGS="$sanitize -Werror" \
    -DCMAKE_PREFIX_PATH="$place/prefix" \
    -DCMAKE_FIND_USE_PACKAGE_REGISTRY=OFF
cmake --build "$place/build"

for part in base framework netstack_core posix netstack testing; do
    echo "== use_$part"
    "$place/build/use_$part"
done

echo "== readme"
unshare -n bash -s "$place/build/readme" <<'SH'
set -euo pipefail
ip link set lo up
"$1" kernel: &
server=$!
for _ in $(seq 200); do
    if { exec 3<>/dev/tcp/127.0.0.1/7777; } 2>/dev/null; then break; fi
    sleep 0.05
done
echo hello >&3
read -r -t 20 line <&3
[ "$line" = hello ]
kill "$server"
wait "$server"
SH
