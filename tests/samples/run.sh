#!/bin/sh
# SPDX-License-Identifier: MIT
#
#   run.sh BUILD PROGRAM [ARGUMENT ...]
#
# Runs a client (a sample, or doctl with its arguments) against the environment of the COM tests: it
# must download an object byte for byte and exit 0, and must fail for an object that does not exist
# without leaving a file.
set -eu

build=$1
shift
server="http://127.0.0.1:$(cat "$build/com-env/port")"
export WINEPREFIX="$build/wine" WINEDEBUG=-all
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# doctl takes its options before the URL, the samples take URL and PATH.
case $* in
*" get") set -- "$@" -q -o ;;
esac

run()
{
    url=$1
    path=$2
    shift 2
    case $* in
    *" -o") wine "$@" "$path" "$url" >"$folder/output" 2>&1 </dev/null ;;
    *) wine "$@" "$url" "$path" >"$folder/output" 2>&1 </dev/null ;;
    esac
}

good="$server/samples.$$?size=3000001&seed=77"
code=0
run "$good" "Z:$folder/good.bin" "$@" || code=$?
if [ "$code" != 0 ]; then
    cat "$folder/output" >&2
    echo "run.sh: exit code $code for a good download" >&2
    exit 1
fi
sum=$(sha256sum "$folder/good.bin" | cut -d' ' -f1)
expected=$(curl -s "$server/_sha256?size=3000001&seed=77")
if [ "$sum" != "$expected" ]; then
    echo "run.sh: the file differs from the object" >&2
    exit 1
fi

code=0
run "$server/samples.missing.$$?status=404" "Z:$folder/bad.bin" "$@" || code=$?
if [ "$code" = 0 ] || [ -e "$folder/bad.bin" ]; then
    cat "$folder/output" >&2
    echo "run.sh: exit code $code for a download that cannot succeed" >&2
    exit 1
fi
leftover=$(find "$folder" -name 'DO*.tmp')
if [ -n "$leftover" ]; then
    echo "run.sh: left behind: $leftover" >&2
    exit 1
fi
