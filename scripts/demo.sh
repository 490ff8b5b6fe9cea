#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Builds dosvc, registers it in a Wine prefix of its own and downloads a file with doctl.
#
#     scripts/demo.sh               256 MiB from a local test server, checked by SHA-256
#     scripts/demo.sh URL [PATH]    URL to PATH (default: the last name in URL, in this directory)
#
# Everything is under build/: a second run only downloads. Nothing runs on when the script ends.

set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
demo=$root/build/demo
bin=$root/build/mingw64/bin
prefix=$demo/wine
server_pid=

die()
{
    echo "demo: $*" >&2
    exit 1
}

# wineserver is not always on the PATH: Debian keeps it next to wine's own files.
wineserver_command()
{
    local name
    for name in wineserver /usr/lib/wine/wineserver /usr/lib/wine/wineserver64; do
        if command -v "$name"; then return; fi
    done
}

clean_up()
{
    local wineserver
    if [[ -n $server_pid ]]; then
        kill "$server_pid" 2>/dev/null || true
        wait "$server_pid" 2>/dev/null || true
    fi
    wineserver=$(wineserver_command)
    # WINEPREFIX is ours: wine servers of other prefixes are not touched.
    if [[ -n $wineserver && ${WINEPREFIX:-} == "$prefix" && -d $prefix ]]; then
        "$wineserver" -k >/dev/null 2>&1 || true
    fi
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' HUP TERM

# Runs a command in silence, with input closed; shows what it said only if it fails.
quietly()
{
    local log=$demo/$1.log
    shift
    "$@" >"$log" 2>&1 </dev/null && return
    tail -n 100 "$log" >&2
    die "failed: $*"
}

build()
{
    "$root/scripts/setup.sh"
    mkdir -p "$demo"
    cd "$root"
    quietly configure cmake --preset mingw64
    quietly build cmake --build --preset mingw64
    cd "$start_directory"
}

prepare_wine()
{
    export WINEPREFIX=$prefix WINEARCH=win64 WINEDEBUG=-all
    # No display, and no offers to download Mono or Gecko.
    export WINEDLLOVERRIDES="mscoree,mshtml="
    unset DISPLAY WAYLAND_DISPLAY
    if [[ ! -e $prefix/.demo-ready ]]; then
        quietly wineboot timeout 300 wine wineboot --init
        touch "$prefix/.demo-ready"
    fi
    # Each time: the tree may have been moved, and it takes no time.
    quietly register timeout 120 wine regsvr32 /s "$(windows_path "$bin/dosvc.dll")"
}

# The Windows path of a Unix path that need not exist.
windows_path()
{
    local path
    path=$(realpath -m -- "$1")
    echo "Z:${path//\//\\}"
}

# doctl URL PATH, with a bar when stderr is a terminal.
download()
{
    wine "$bin/doctl.exe" get "$1" -o "$(windows_path "$2")"
}

# Asks the test server; python3 is there anyway, for the server.
fetch_text()
{
    python3 -c 'import sys, urllib.request
print(urllib.request.build_opener(urllib.request.ProxyHandler({})).open(sys.argv[1]).read().decode().strip())' "$1"
}

start_server()
{
    local port_file=$demo/port
    rm -f "$port_file"
    python3 "$root/tests/server/fault_server.py" --port-file "$port_file" \
        >"$demo/server.log" 2>&1 </dev/null &
    server_pid=$!
    for _ in {1..100}; do
        if [[ -s $port_file ]]; then
            server=http://127.0.0.1:$(<"$port_file")
            return
        fi
        kill -0 "$server_pid" 2>/dev/null || break
        sleep 0.1
    done
    cat "$demo/server.log" >&2
    die "the test server does not start"
}

self_check()
{
    local object="size=256m&seed=20240229" file=$demo/demo.bin expected actual
    start_server
    rm -f "$file"
    download "$server/demo.bin?$object" "$file"
    expected=$(fetch_text "$server/_sha256?$object")
    actual=$(sha256sum -- "$file")
    actual=${actual%% *}
    rm -f "$file"
    echo "server: $expected"
    echo "file:   $actual"
    if [[ $expected != "$actual" ]]; then die "the file is not what the server sent"; fi
    echo "demo: ok"
}

start_directory=$PWD
if (($# > 2)); then
    echo "usage: demo.sh [URL [PATH]]" >&2
    exit 2
fi
build
prepare_wine
if (($# == 0)); then
    self_check
else
    # A directory: doctl itself takes the last name of the URL.
    download "$1" "${2:-$start_directory}"
fi
