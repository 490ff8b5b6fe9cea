#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Measures dosvc under Wine against native curl and aria2c and Wine's own BITS, in one run on one
# machine: medians of N runs and their ratios. Times alone mean nothing; leave the machine idle.
#
#   scripts/bench.sh [-n RUNS] [-s SIZE_MIB] [-d DIRECTORY] [MODE...]
#                                            default: 5 runs, 1024 MiB, build/bench, all modes
#
#   jobs      10 000 jobs are created, enumerated and cancelled, in a queue in build/bench
#   queue     a process that finds 10 000 jobs; the queue's file after 1000 processes began and ended
#   download  one object over HTTP against curl -o, aria2c -x8 and Wine's BITS
#   https     the same object over HTTPS against curl --cacert
#   relay     512 MiB through a relay that adds 40 ms and passes 20 Mbit/s a connection, against
#             aria2c -x16 -s16
#   small     1000 files of 16 KiB: in one job against curl with one connection, as 1000 downloads
#             against curl with 8 connections
#   many      the memory of 100 downloads at once
#   http2     native curl with HTTP/1.1 against HTTP/2: what HTTP/2 would bring
#
# Each measured download goes into a new file in DIRECTORY, deleted (and written back) before the next.
# DOSVC_BENCH_BUILD names another, finished build to measure.
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
all_modes="jobs queue download https relay small many http2"
modes=${*:-$all_modes}
for mode in $modes; do
    case " $all_modes " in
    *" $mode "*) ;;
    *) exit 2 ;;
    esac
done

cd "$root"
build=${DOSVC_BENCH_BUILD:-}
if [ -z "$build" ]; then
    build=$root/build/mingw64
    "$root/scripts/setup.sh"
    cmake --preset mingw64 >/dev/null
    cmake --build --preset mingw64 >/dev/null
fi

work=$root/build/bench
mkdir -p "$work/www" "$work/results" "$directory"
rm -f "$work"/results/*
export WINEPREFIX=$work/wine WINEARCH=win64 WINEDEBUG=-all WINEDLLOVERRIDES="mscoree,mshtml="
unset DISPLAY http_proxy https_proxy all_proxy
wineserver=/usr/lib/wine/wineserver64

nginx_pid=
relay_pid=
clean_up()
{
    [ -z "$nginx_pid" ] || kill "$nginx_pid" 2>/dev/null || true
    [ -z "$relay_pid" ] || kill "$relay_pid" 2>/dev/null || true
    "$wineserver" -k >/dev/null 2>&1 || true
    rm -rf "$directory"/bench-*.bin "$directory"/bench-files "$directory"/DO*.tmp "$directory"/BIT*.tmp
}
trap clean_up EXIT

[ -e "$WINEPREFIX/system.reg" ] || wine wineboot -i >/dev/null 2>&1 </dev/null
setsid "$wineserver" -p </dev/null >/dev/null 2>&1 || true
wine regsvr32 /s "$build/bin/dosvc.dll" </dev/null
client=$build/bin/bench_client.exe

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
    local i

    for ((i = 0; i < runs; i++)); do
        wine "$client" jobs 10000 >"$work/output" 2>&1 </dev/null || { cat "$work/output"; return 1; }
        keep ""
    done
    echo "10 000 jobs in a queue in $work, medians of $runs, load average $(cut -d' ' -f1 /proc/loadavg)"
    echo "created:           $(median jobs_created_per_s) a second"
    echo "EnumJobs and Next: $(median jobs_enum_ms) ms, again $(median jobs_enum_again_ms) ms"
    echo "memory:            $(median jobs_bytes_each) bytes a job (working set)"
    echo "cancelled:         $(median jobs_cancelled_per_s) a second"
}

measure_queue()
{
    local i file

    wine "$client" clear </dev/null && wine "$client" store 10000 </dev/null || return 1
    for ((i = 0; i < runs; i++)); do
        wine "$client" start >"$work/output" 2>&1 </dev/null || { cat "$work/output"; return 1; }
        keep ""
    done
    wine "$client" clear </dev/null || return 1
    for ((i = 0; i < 500; i++)); do
        wine "$client" store 1 </dev/null && wine "$client" clear </dev/null || return 1
    done
    file=$(find "$WINEPREFIX" -name queue.db | head -n 1)
    echo "a queue of 10 000 jobs, medians of $runs, load average $(cut -d' ' -f1 /proc/loadavg)"
    echo "class, engine and EnumJobs: $(median queue_start_ms) ms"
    echo "the longest of 1000 GetJob: $(median queue_get_longest_ms) ms"
    echo "file after 10 000 jobs and 1000 processes: $(du -ck "$file"* | awk 'END { print $1 }') KiB"
}

ratio()
{
    awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", a / b }'
}

# speed NAME OTHER: how many times as fast NAME is, by the medians of their seconds.
speed()
{
    ratio "$(median "$2.seconds")" "$(median "$1.seconds")"
}

# make_object NAME BYTES: a file of random bytes for the server.
make_object()
{
    [ "$(stat -c %s "$work/www/$1" 2>/dev/null)" = "$2" ] || head -c "$2" /dev/urandom >"$work/www/$1"
    cat "$work/www/$1" >/dev/null
}

# wait_for_port PORT: until somebody accepts there, whatever he speaks.
wait_for_port()
{
    for _ in $(seq 50); do
        curl -s -o /dev/null "http://127.0.0.1:$1/" || [ $? != 7 ] || { sleep 0.1; continue; }
        return 0
    done
    echo "nobody listens on port $1" >&2
    return 1
}

start_server()
{
    if [ ! -e "$work/server.pem" ]; then
        openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj /CN=localhost \
            -addext subjectAltName=DNS:localhost -keyout "$work/server.key" \
            -out "$work/server.pem" 2>/dev/null
        openssl x509 -in "$work/server.pem" -outform der -out "$work/server.der"
    fi
    cat >"$work/nginx.conf" <<END
daemon off;
worker_processes 1;
pid $work/nginx.pid;
error_log $work/nginx.err;
events { worker_connections 256; }
http {
    access_log off;
    sendfile on;
    keepalive_requests 100000;
    client_body_temp_path $work/nginx-body;
    proxy_temp_path $work/nginx-proxy;
    fastcgi_temp_path $work/nginx-fastcgi;
    uwsgi_temp_path $work/nginx-uwsgi;
    scgi_temp_path $work/nginx-scgi;
    server { listen 127.0.0.1:$http_port; root $work/www; }
    server {
        listen 127.0.0.1:$https_port ssl http2;
        ssl_certificate $work/server.pem;
        ssl_certificate_key $work/server.key;
        root $work/www;
    }
}
END
    nginx -c "$work/nginx.conf" >/dev/null 2>&1 &
    nginx_pid=$!
    wait_for_port "$http_port" && wait_for_port "$https_port" && kill -0 "$nginx_pid"
}

# start_relay PORT: from $relay_port to PORT of the server.
start_relay()
{
    python3 "$root/tests/server/relay.py" --to "$1" --port "$relay_port" &
    relay_pid=$!
    wait_for_port "$relay_port"
}

stop_relay()
{
    kill "$relay_pid"
    wait "$relay_pid" 2>/dev/null || true
    relay_pid=
}

# Every run begins with an empty target, a quiet disk and memory that has just been used: a virtual
# machine gives free memory back to its host, and whoever touches it first pays for its return.
fresh()
{
    rm -rf "$directory"/bench-*.bin "$directory/bench-files"
    mkdir -p "$directory/bench-files"
    sync
    head -c $((warm_mib * 1258291)) /dev/zero >"$directory/bench-warm.bin"
    rm -f "$directory/bench-warm.bin"
}

# native NAME COMMAND...: wall and processor seconds of a native program.
native()
{
    local name=$1 wall user system
    shift
    fresh
    /usr/bin/time -f '%e %U %S' -o "$work/time" "$@" >/dev/null 2>&1 || echo "$name: failed"
    read -r wall user system < <(tail -n 1 "$work/time")
    echo "$wall" >>"$work/results/$name.seconds"
    awk -v u="$user" -v s="$system" 'BEGIN { print u + s }' >>"$work/results/$name.cpu"
}

# com NAME ARGUMENTS...: the figures that bench_client prints, and its processor seconds.
com()
{
    local name=$1 user system
    shift
    fresh
    /usr/bin/time -f '%U %S' -o "$work/time" wine "$client" "$@" >"$work/output" 2>&1 </dev/null ||
        { cat "$work/output"; return 1; }
    keep "$name."
    read -r user system < <(tail -n 1 "$work/time")
    awk -v u="$user" -v s="$system" 'BEGIN { print u + s }' >>"$work/results/$name.cpu"
}

# same PATH OBJECT: what was downloaded must be what the server has.
same()
{
    cmp -s "$1" "$work/www/$2" || echo "$1: WRONG BYTES"
}

# row LABEL NAME.FIGURE MIB: seconds, rate and processor time.
row()
{
    printf '%-8s %7.3f s %7.0f MB/s   cpu %.2f s\n' "$1" "$(median "$2")" \
        "$(awk -v s="$(median "$2")" -v m="$3" 'BEGIN { print m * 1.048576 / s }')" \
        "$(median "${2%.*}.cpu")"
}

measure_download()
{
    local url=http://127.0.0.1:$http_port/object.bin bits_seconds=unknown dosvc i

    make_object object.bin $((size_mib * 1048576))
    for ((i = 0; i < runs; i++)); do
        com dosvc download "do" "$url" "Z:$directory/bench-dosvc.bin"
        same "$directory/bench-dosvc.bin" object.bin
        native curl curl -s -o "$directory/bench-curl.bin" "$url"
        native aria2c aria2c -q -x8 -s8 --file-allocation=none --allow-overwrite=true \
            -d "$directory" -o bench-aria2c.bin "$url"
    done
    # BITS is slow: one run over a sixteenth of the object tells enough.
    head -c $((size_mib * 65536)) "$work/www/object.bin" >"$work/www/part.bin"
    fresh
    if wine "$client" download bits "http://127.0.0.1:$http_port/part.bin" "Z:$directory/bench-bits.bin" \
        >"$work/output" 2>&1 </dev/null; then
        bits_seconds=$(awk '/^complete_seconds/ { print $2 * 16 }' "$work/output")
    fi
    fresh
    wine "$client" progress "$url" "Z:$directory/bench-progress.bin" >"$work/progress" 2>&1 </dev/null

    dosvc=$(median dosvc.complete_seconds)
    echo "object: $size_mib MiB from nginx over loopback into $directory, medians of $runs"
    row dosvc dosvc.complete_seconds "$size_mib"
    row curl curl.seconds "$size_mib"
    row aria2c aria2c.seconds "$size_mib"
    echo "dosvc until TRANSFERRED: $(median dosvc.seconds) s; with Complete (flush and rename): $dosvc s"
    echo "speed against curl -o:      $(ratio "$(median curl.seconds)" "$dosvc") (until TRANSFERRED $(speed dosvc curl))"
    echo "speed against aria2c -x8:   $(ratio "$(median aria2c.seconds)" "$dosvc") (until TRANSFERRED $(speed dosvc aria2c))"
    [ "$bits_seconds" = unknown ] || echo "speed against Wine's BITS:  $(ratio "$bits_seconds" "$dosvc") (BITS: 16 x a sixteenth)"
    echo "processor time against curl: $(ratio "$(median dosvc.cpu)" "$(median curl.cpu)") (the client's process; Wine's server not counted)"
    echo "memory above idle: $(($(median dosvc.rss_peak_kib) - $(median dosvc.rss_idle_kib))) KiB"
    tr -d '\r' <"$work/progress"
}

measure_https()
{
    local url=https://localhost:$https_port/object.bin i

    make_object object.bin $((size_mib * 1048576))
    wine "$build/bin/add_root.exe" "Z:$work/server.der" </dev/null
    for ((i = 0; i < runs; i++)); do
        com https download "do" "$url" "Z:$directory/bench-https.bin"
        same "$directory/bench-https.bin" object.bin
        native https-curl curl -s --http1.1 --cacert "$work/server.pem" -o "$directory/bench-curl.bin" "$url"
    done
    echo "HTTPS: $size_mib MiB from nginx over loopback into $directory, medians of $runs"
    row dosvc https.seconds "$size_mib"
    row curl https-curl.seconds "$size_mib"
    echo "speed against curl -o, until TRANSFERRED: $(speed https https-curl)"
    echo "processor time against curl: $(ratio "$(median https.cpu)" "$(median https-curl.cpu)")"
}

measure_relay()
{
    local url=http://127.0.0.1:$relay_port/relay.bin warm_mib=512 i

    make_object relay.bin $((512 * 1048576))
    start_relay "$http_port"
    for ((i = 0; i < runs; i++)); do
        com relay download "do" "$url" "Z:$directory/bench-relay.bin"
        same "$directory/bench-relay.bin" relay.bin
        native relay-aria2c aria2c -q -x16 -s16 --file-allocation=none --allow-overwrite=true \
            -d "$directory" -o bench-aria2c.bin "$url"
    done
    stop_relay
    echo "relay: 512 MiB, 40 ms, 20 Mbit/s a connection, so 40 MB/s over 16; medians of $runs"
    row dosvc relay.seconds 512
    row aria2c relay-aria2c.seconds 512
    echo "speed against aria2c -x16 -s16, until TRANSFERRED: $(speed relay relay-aria2c)"
}

make_small()
{
    local i

    mkdir -p "$work/www/small"
    [ ! -e "$work/www/small/999" ] || return 0
    for ((i = 0; i < 1000; i++)); do head -c 16384 /dev/urandom >"$work/www/small/$i"; done
}

# small_files NAME URL: one round of everything that fetches the small files.
small_files()
{
    local name=$1 url=$2 target=$directory/bench-files

    com "$name-job" files 1000 "$url" "Z:$target/f"
    same "$target/f999" small/999
    native "$name-curl1" curl -s "${url}[0-999]" -o "$target/f#1"
    com "$name-downloads" many 1000 0 "$url" "Z:$target/f"
    same "$target/f999" small/999
    native "$name-curl8" curl -s --parallel --parallel-max 8 "${url}[0-999]" -o "$target/f#1"
}

# small_rows NAME: what small_files has measured.
small_rows()
{
    local name=$1 of

    for of in job:curl1 downloads:curl8; do
        echo "$name, ${of%:*}: $(median "$name-${of%:*}.seconds") s until TRANSFERRED," \
            "$(median "$name-${of%:*}.complete_seconds") s with Complete or Finalize," \
            "$(median "$name-${of%:*}.all_seconds") s with what comes before;" \
            "${of#*:}: $(median "$name-${of#*:}.seconds") s," \
            "speed against it $(speed "$name-${of%:*}" "$name-${of#*:}")"
    done
}

measure_small()
{
    local warm_mib=64 i

    make_small
    start_relay "$http_port"
    for ((i = 0; i < runs; i++)); do
        small_files loopback "http://127.0.0.1:$http_port/small/"
        small_files relay "http://127.0.0.1:$relay_port/small/"
    done
    stop_relay
    echo "1000 files of 16 KiB into $directory, medians of $runs"
    small_rows loopback
    small_rows relay
}

measure_many()
{
    local i above limit=$((32 * 1024 + 100 * 64))

    make_object many.bin $((16 * 1048576))
    for ((i = 0; i < runs; i++)); do
        com many many 100 1 "http://127.0.0.1:$http_port/many.bin" "Z:$directory/bench-files/f"
        same "$directory/bench-files/f99" many.bin
    done
    above=$(($(median many.rss_peak_kib) - $(median many.rss_idle_kib)))
    echo "100 downloads of 16 MiB at once: $above KiB above idle," \
        "$(ratio "$above" "$limit") of the block pool and 64 KiB a download ($limit KiB); medians of $runs"
}

# http2_round NAME PORT BYTES: one connection and one object, then small files with 8 at once.
http2_round()
{
    local version url=https://localhost:$2

    for version in http1.1 http2; do
        native "$1-$version" curl -s --$version --cacert "$work/server.pem" -r "0-$(($3 - 1))" \
            -o "$directory/bench-curl.bin" "$url/object.bin"
        native "$1-small-$version" curl -s --$version --cacert "$work/server.pem" --parallel \
            --parallel-max 8 "$url/small/[0-999]" -o "$directory/bench-files/f#1"
    done
}

measure_http2()
{
    local i of

    make_object object.bin $((size_mib * 1048576))
    make_small
    start_relay "$https_port"
    for ((i = 0; i < runs; i++)); do
        http2_round h2-loopback "$https_port" $((size_mib * 1048576))
        http2_round h2-relay "$relay_port" $((16 * 1048576))
    done
    stop_relay
    echo "HTTP/2 against HTTP/1.1, native curl over TLS, medians of $runs:"
    for of in h2-loopback:"$size_mib MiB over loopback" h2-relay:"16 MiB through the relay" \
        h2-loopback-small:"1000 files of 16 KiB, 8 at once, loopback" \
        h2-relay-small:"the same through the relay"; do
        echo "${of#*:}: HTTP/1.1 $(median "${of%%:*}-http1.1.seconds") s," \
            "HTTP/2 $(median "${of%%:*}-http2.seconds") s," \
            "speed $(speed "${of%%:*}-http2" "${of%%:*}-http1.1")," \
            "processor time $(ratio "$(median "${of%%:*}-http2.cpu")" "$(median "${of%%:*}-http1.1.cpu")")"
    done
}

# Three ports that nobody uses.
read -r http_port https_port relay_port < <(python3 -c '
import socket
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
print(*(s.getsockname()[1] for s in sockets))')
warm_mib=$size_mib
machine
start_server
for mode in $modes; do
    "measure_$mode"
done
