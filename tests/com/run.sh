#!/bin/sh
# SPDX-License-Identifier: MIT
#
#   run.sh BUILD EXE [ARGUMENTS]
#
# Runs a test program under Wine in the environment that environment.py has started for BUILD. Wine
# may return 0 for a program that it could not load: without cmocka's last lines, or a line that ends
# in "all well", nothing was tested.
# The output goes through a file, since a Wine process left behind would hold a pipe open.
set -eu

build=$1
shift
port_file=$build/com-env/port
if [ ! -s "$port_file" ]; then
    echo "run.sh: no $port_file: the environment is not started (environment.py start)" >&2
    exit 2
fi
DOSVC_TEST_SERVER="http://127.0.0.1:$(cat "$port_file")"
WINEPREFIX=$build/wine
WINEDEBUG=${DOSVC_WINEDEBUG:--all}
export DOSVC_TEST_SERVER WINEPREFIX WINEDEBUG
if [ -s "$build/com-env/tls_port" ]; then
    DOSVC_TEST_TLS_PORT=$(cat "$build/com-env/tls_port")
    export DOSVC_TEST_TLS_PORT
fi
if [ -s "$build/com-env/full_dir" ]; then
    DOSVC_TEST_FULL_DIR=$(cat "$build/com-env/full_dir")
    export DOSVC_TEST_FULL_DIR
fi

output=$(mktemp)
trap 'rm -f "$output"' EXIT
code=0
wine "$@" >"$output" 2>&1 </dev/null || code=$?
cat "$output"
if ! grep -qE '^\[  PASSED  \]|: all well' "$output"; then
    echo "run.sh: there is no summary (exit code $code)" >&2
    exit 3
fi
exit "$code"
