#!/usr/bin/env bash
# Searches with one libFuzzer program for WEFT_FUZZ_SECONDS, from its committed corpus on. What it
# learns stays beside the program; a finding is left in findings/ there and printed in base64.
set -euo pipefail
program=$(readlink -f "$1")
name=$(basename "$program")
name=${name#weft_fuzz_}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(dirname "$program")
learned=$work/learned/$name
findings=$work/findings
mkdir -p "$learned" "$findings"

options=(-max_total_time="${WEFT_FUZZ_SECONDS:-60}" -rss_limit_mb=2048 -timeout=20 -max_len=4096 -len_control=10
    -print_final_stats=1 -verbosity=1 -artifact_prefix="$findings/$name-")
[ ! -f "$here/$name.dict" ] || options+=(-dict="$here/$name.dict")
log=$work/$name.log
if "$program" "${options[@]}" "$learned" "$here/corpus/$name" >"$log" 2>&1; then
    grep -E 'INITED|DONE|^stat::' "$log"
    exit 0
fi
tail -n 60 "$log"
exit 1
