#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Builds the fuzz targets with clang and runs them, one after the other. What they learn stays in
# build/native-fuzz/learnt, what they find goes to build/native-fuzz/found.
#
#   scripts/fuzz.sh [TARGET|all] [SECONDS]    runs for SECONDS each (600)
#   scripts/fuzz.sh --merge [TARGET|all]      adds to tests/fuzz/corpus what was learnt and reaches
#                                             code that the corpus does not; inputs of 1 KiB at most
#   scripts/fuzz.sh TARGET FILE...            runs the target with these files only
set -euo pipefail
cd "$(dirname "$0")/.."

build=build/native-fuzz
# Some targets write files; those have no need of a disk.
if [ -w /dev/shm ]; then export TMPDIR=/dev/shm; fi

merge=
if [ "${1:-}" = --merge ]; then
    merge=yes
    shift
fi
wanted=${1:-all}
if [ "$wanted" = all ]; then
    targets=$(basename -a -s .c tests/fuzz/fuzz_*.c | sed "s/^fuzz_//")
elif [ -f "tests/fuzz/fuzz_$wanted.c" ]; then
    targets=$wanted
else
    echo "fuzz: no target $wanted" >&2
    exit 2
fi

mkdir -p "$build"
if ! { cmake --preset native-fuzz && cmake --build --preset native-fuzz; } >"$build/build.log" 2>&1
then
    tail -n 60 "$build/build.log" >&2
    exit 1
fi

if [ -f "${2:-}" ]; then
    shift
    exec "$build/bin/fuzz_$targets" "$@"
fi

bad=0
for target in $targets; do
    learnt=$build/learnt/$target
    found=$build/found/$target
    corpus=tests/fuzz/corpus/$target
    log=$build/$target.log
    options=(-max_len=4096 -timeout=20 -rss_limit_mb=1024 "-artifact_prefix=$found/")
    mkdir -p "$learnt" "$found" "$corpus"
    [ ! -f "tests/fuzz/$target.dict" ] || options+=("-dict=tests/fuzz/$target.dict")
    if [ -n "$merge" ]; then
        "$build/bin/fuzz_$target" "${options[@]}" -set_cover_merge=1 -use_counters=0 \
            -max_len=1024 "$corpus" "$learnt" >"$log" 2>&1 || bad=1
        echo "$target: $(find "$corpus" -type f | wc -l) inputs"
        continue
    fi
    if nice -n 19 "$build/bin/fuzz_$target" "${options[@]}" "-max_total_time=${2:-600}" \
        -print_final_stats=1 "$learnt" "$corpus" >"$log" 2>&1; then
        count=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
        echo "$target: nothing in $count executions"
    else
        bad=1
        grep -aE 'does not hold|ERROR: |runtime error|SUMMARY' "$log" | head -n 5 || true
        echo "$target: see $log and $found"
    fi
done
exit "$bad"
