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

# preset NAME [CTEST ARGUMENT ...]: builds and runs the tests of one preset, and counts them.
preset()
{
    local name=$1
    local results
    shift
    echo "== $name"
    if ! { cmake --preset "$name" && cmake --build --preset "$name"; } >"$logs/$name.build.log" 2>&1
    then
        failed=$((failed + 1))
        echo "FAILED: build of $name"
        grep -E 'error|FAILED|CMake Error' -A 5 "$logs/$name.build.log" | head -n 60
        return
    fi
    ctest --test-dir "build/$name" --output-on-failure "$@" >"$logs/$name.log" 2>&1
    results=$(grep -E '^ *[0-9]+/[0-9]+ Test +#' "$logs/$name.log")
    passed=$((passed + $(grep -cE ' Passed +[0-9.]+ sec' <<<"$results")))
    failed=$((failed + $(grep -cvE ' Passed +[0-9.]+ sec' <<<"$results")))
    if [ -z "$results" ] || ! grep -q '^100% tests passed' "$logs/$name.log"; then
        [ -n "$results" ] || failed=$((failed + 1))
        tail -n 120 "$logs/$name.log"
    fi
    grep -E 'Total Test time' "$logs/$name.log"
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
# The engine's tests mostly wait for slow servers: more of them at a time than there are cores.
is_wanted native-asan && preset native-asan -j 4
# The threads are in the engine and in the platform; the rest has nothing for TSan to see.
is_wanted native-tsan && preset native-tsan -j 4 -R '^(engine\.|unit\.plat|unit\.queue_db)' \
    -E 'torture|catalogue|servers'
is_wanted mingw64 && preset mingw64
# Only 64-bit Wine is here: of the 32-bit build the image is checked.
is_wanted mingw32 && preset mingw32 -L dll

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
