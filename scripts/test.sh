#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Sets up, builds and runs everything: unit and engine tests and the fuzzers' corpora natively under
# ASan+UBSan and TSan, unit, ABI, DLL, COM tests and samples for Windows under Wine, the 32-bit build's
# image. Ends with one line "N passed, N failed".
#
#   scripts/test.sh            all
#   scripts/test.sh PRESET...  only these of native-asan, native-tsan, mingw64, mingw32, check, server
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

passed=0
failed=0
logs=build/test
mkdir -p "$logs"

# The repository's own scripts count as one test each.
step()
{
    local name=$1
    shift
    if "$@" >"$logs/$name.log" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED: $name"
        tail -n 60 "$logs/$name.log"
    fi
}

# build NAME: builds a preset; what does not build counts as one failure, and its tests do not run.
build()
{
    echo "== building $1"
    if { cmake --preset "$1" && cmake --build --preset "$1"; } >"$logs/$1.build.log" 2>&1; then
        return 0
    fi
    failed=$((failed + 1))
    echo "FAILED: build of $1"
    grep -E 'error|FAILED|CMake Error' -A 5 "$logs/$1.build.log" | head -n 60
    return 1
}

# run NAME [CTEST ARGUMENT ...]: runs the tests of a preset that was built.
run()
{
    local name=$1
    shift
    ctest --test-dir "build/$name" --output-on-failure "$@" >"$logs/$name.log" 2>&1
}

# count NAME: counts the tests that run NAME ran, and shows what failed.
count()
{
    local name=$1
    local results
    results=$(grep -E '^ *[0-9]+/[0-9]+ Test +#' "$logs/$name.log")
    # What this machine cannot run (no namespaces, no such server) is said, and is neither.
    grep -F '***Skipped' <<<"$results"
    results=$(grep -vF '***Skipped' <<<"$results")
    passed=$((passed + $(grep -cE ' Passed +[0-9.]+ sec' <<<"$results")))
    failed=$((failed + $(grep -cvE ' Passed +[0-9.]+ sec' <<<"$results")))
    if [ -z "$results" ] || ! grep -q '^100% tests passed' "$logs/$name.log"; then
        [ -n "$results" ] || failed=$((failed + 1))
        tail -n 120 "$logs/$name.log"
    fi
    echo "== $name: $(grep -E 'Total Test time' "$logs/$name.log")"
}

wanted=" ${*:-check server native-asan native-tsan mingw64 mingw32} "
is_wanted()
{
    case $wanted in *" $1 "*) ;; *) return 1 ;; esac
}

if ! scripts/setup.sh; then
    echo "0 passed, 1 failed"
    exit 1
fi
is_wanted check && step check scripts/check.sh
is_wanted server && step fault-server /usr/bin/python3 tests/server/selftest.py
built=" "
for name in native-asan native-tsan mingw64 mingw32; do
    is_wanted $name && build $name && built+="$name "
done
is_built()
{
    case $built in *" $1 "*) ;; *) return 1 ;; esac
}

# The engine's tests mostly wait for slow servers, and those under Wine take turns: the native ones
# run beside them, more of them at a time than there are cores.
run_native()
{
    is_built native-asan && run native-asan -j 4
    # The threads are in the engine and in the platform; the rest has nothing for TSan to see.
    is_built native-tsan && run native-tsan -j 4 -R '^(engine\.|unit\.plat|unit\.queue_db)' \
        -E 'torture|catalogue|servers'
}
run_native &
is_built mingw64 && run mingw64
# Only 64-bit Wine is here: of the 32-bit build the image is checked.
is_built mingw32 && run mingw32 -L dll
wait
for name in $built; do
    count "$name"
done

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
