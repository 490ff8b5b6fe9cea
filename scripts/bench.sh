#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Measures dosvc under Wine against native curl and aria2c and Wine's own BITS, in one run on one
# machine: medians of N runs and their ratios. Times alone mean nothing; leave the machine idle.
#
#   scripts/bench.sh [-n RUNS] [-s SIZE_MIB] [-d DIRECTORY] [download|jobs]
#                                                  default: 5 runs, 1024 MiB, build/bench, both
#
# jobs: 10 000 jobs are created, enumerated and cancelled, in a queue in build/bench.
# Each measured download goes into a new file in DIRECTORY, deleted (and written back) before the next.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
runs=5
size_mib=1024
directory=$root/build/bench
while getopts n:s:d: option; do
    case $option in
    n) runs=$OPTARG ;;
    s) size_mib=$OPTARG ;;
    d) directory=$OPTARG ;;
    *) exit 2 ;;
    esac
done
shift $((OPTIND - 1))
mode=${1:-all}
case $mode in
all | download | jobs) ;;
*) exit 2 ;;
esac

"$root/scripts/setup.sh"
cd "$root"
cmake --preset mingw64 >/dev/null
cmake --build --preset mingw64 >/dev/null

work=$root/build/bench
mkdir -p "$work/www" "$work/results" "$directory"
rm -f "$work"/results/*
export WINEPREFIX=$work/wine WINEARCH=win64 WINEDEBUG=-all WINEDLLOVERRIDES="mscoree,mshtml="
unset DISPLAY http_proxy https_proxy all_proxy
wineserver=/usr/lib/wine/wineserver64

nginx_pid=
clean_up()
{
    [ -z "$nginx_pid" ] || kill "$nginx_pid" 2>/dev/null || true
    "$wineserver" -k >/dev/null 2>&1 || true
    rm -f "$directory"/bench-*.bin "$directory"/DO*.tmp "$directory"/BIT*.tmp
}
trap clean_up EXIT

[ -e "$WINEPREFIX/system.reg" ] || wine wineboot -i >/dev/null 2>&1 </dev/null
setsid "$wineserver" -p </dev/null >/dev/null 2>&1 || true
wine regsvr32 /s build/mingw64/bin/dosvc.dll </dev/null
client=build/mingw64/bin/bench_client.exe

median()
{
    sort -n "$work/results/$1" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}

machine()
{
    echo "machine: $(nproc) cores, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(wine --version)"
}

# keep PREFIX: the figures that bench_client has just printed, one of a run.
keep()
{
    local key value
    while read -r key value; do
        echo "${value%$'\r'}" >>"$work/results/$1$key"
    done <"$work/output"
}

measure_jobs()
{
    for ((i = 0; i < runs; i++)); do
        wine "$client" jobs 10000 >"$work/output" 2>&1 </dev/null || { cat "$work/output"; return 1; }
        keep ""
    done
    machine
    echo "10 000 jobs in a queue in $work, medians of $runs, load average $(cut -d' ' -f1 /proc/loadavg)"
    echo "created:           $(median jobs_created_per_s) a second"
    echo "EnumJobs and Next: $(median jobs_enum_ms) ms, again $(median jobs_enum_again_ms) ms"
    echo "memory:            $(median jobs_bytes_each) bytes a job (working set)"
    echo "cancelled:         $(median jobs_cancelled_per_s) a second"
}

if [ "$mode" != download ]; then
    measure_jobs
fi
[ "$mode" != jobs ] || exit 0

object=$work/www/object.bin
if [ "$(stat -c %s "$object" 2>/dev/null)" != $((size_mib * 1048576)) ]; then
    head -c $((size_mib * 1048576)) /dev/urandom >"$object"
fi
sum=$(sha256sum "$object" | cut -d' ' -f1)

cat >"$work/nginx.conf" <<END
daemon off;
worker_processes 1;
pid $work/nginx.pid;
error_log $work/nginx.err;
events { worker_connections 256; }
http {
    access_log off;
    sendfile on;
    client_body_temp_path $work/nginx-body;
    proxy_temp_path $work/nginx-proxy;
    fastcgi_temp_path $work/nginx-fastcgi;
    uwsgi_temp_path $work/nginx-uwsgi;
    scgi_temp_path $work/nginx-scgi;
    server { listen 127.0.0.1:18090; root $work/www; }
}
END
nginx -c "$work/nginx.conf" >/dev/null 2>&1 &
nginx_pid=$!
url=http://127.0.0.1:18090/object.bin
for _ in $(seq 50); do curl -sI "$url" >/dev/null && break || sleep 0.1; done
cat "$object" >/dev/null

# Every run begins with an empty target, a quiet disk and memory that has just been used: a virtual
# machine gives free memory back to its host, and whoever touches it first pays for its return.
fresh()
{
    rm -f "$directory"/bench-*.bin
    sync
    head -c $((size_mib * 1258291)) /dev/zero >"$directory/bench-warm.bin"
    rm -f "$directory/bench-warm.bin"
}

# native NAME COMMAND...: wall and processor seconds of a native program.
native()
{
    local name=$1
    shift
    fresh
    /usr/bin/time -f '%e %U %S' -o "$work/time" "$@" >/dev/null 2>&1
    read -r wall user system <"$work/time"
    echo "$wall" >>"$work/results/$name.seconds"
    awk -v u="$user" -v s="$system" 'BEGIN { print u + s }' >>"$work/results/$name.cpu"
}

# com NAME CLASS: figures that bench_client prints.
com()
{
    local name=$1
    fresh
    /usr/bin/time -f '%U %S' -o "$work/time" wine "$client" download "$2" "$url" \
        "Z:$directory/bench-$name.bin" >"$work/output" 2>&1 </dev/null ||
        { cat "$work/output"; return 1; }
    keep "$name."
    read -r user system <"$work/time"
    awk -v u="$user" -v s="$system" 'BEGIN { print u + s }' >>"$work/results/$name.cpu"
    [ "$(sha256sum "$directory/bench-$name.bin" | cut -d' ' -f1)" = "$sum" ] || echo "$name: WRONG BYTES"
}

ratio()
{
    awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", a / b }'
}

for ((i = 0; i < runs; i++)); do
    com dosvc do
    native curl curl -s -o "$directory/bench-curl.bin" "$url"
    native aria2c aria2c -q -x8 -s8 --file-allocation=none --allow-overwrite=true \
        -d "$directory" -o bench-aria2c.bin "$url"
done
# BITS is slow: one run over a sixteenth of the object tells enough.
head -c $((size_mib * 65536)) "$object" >"$work/www/small.bin"
fresh
bits_seconds=unknown
if wine "$client" download bits http://127.0.0.1:18090/small.bin "Z:$directory/bench-bits.bin" \
    >"$work/output" 2>&1 </dev/null; then
    bits_seconds=$(awk '/^complete_seconds/ { print $2 * 16 }' "$work/output")
fi
fresh
wine "$client" progress "$url" "Z:$directory/bench-progress.bin" >"$work/progress" 2>&1 </dev/null

dosvc=$(median dosvc.complete_seconds)
machine
echo "object: $size_mib MiB from nginx over loopback into $directory, medians of $runs"
for name in dosvc curl aria2c; do
    file=$name.seconds
    [ $name != dosvc ] || file=dosvc.complete_seconds
    printf '%-8s %7.3f s %7.0f MB/s   cpu %.2f s\n' $name "$(median $file)" \
        "$(awk -v s="$(median $file)" -v m="$size_mib" 'BEGIN { print m * 1.048576 / s }')" "$(median $name.cpu)"
done
echo "dosvc until TRANSFERRED: $(median dosvc.seconds) s; with Complete (flush and rename): $dosvc s"
echo "speed against curl -o:      $(ratio "$(median curl.seconds)" "$dosvc") (until TRANSFERRED $(ratio "$(median curl.seconds)" "$(median dosvc.seconds)"))"
echo "speed against aria2c -x8:   $(ratio "$(median aria2c.seconds)" "$dosvc") (until TRANSFERRED $(ratio "$(median aria2c.seconds)" "$(median dosvc.seconds)"))"
[ "$bits_seconds" = unknown ] || echo "speed against Wine's BITS:  $(ratio "$bits_seconds" "$dosvc") (BITS: 16 x a sixteenth)"
echo "processor time against curl: $(ratio "$(median dosvc.cpu)" "$(median curl.cpu)") (the client's process; Wine's server not counted)"
echo "memory above idle: $(($(median dosvc.rss_peak_kib) - $(median dosvc.rss_idle_kib))) KiB"
tr -d '\r' <"$work/progress"
