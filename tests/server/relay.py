#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A slow network in front of a local server: a TCP relay with a delay and a rate per connection.

    relay.py --to PORT --port PORT [--round-trip-ms 40] [--rate-mbit 20] [--exit-with-stdin]

Listens on 127.0.0.1 only. Half of the round trip is added to each direction; what a connection
brings from the server is paced to the rate. The kernel here has no netem.
"""

import argparse
import queue
import socket
import sys
import threading
import time

CHUNK = 16 * 1024


def carry(source, sink, delay, rate):
    """Passes bytes on, each chunk delay seconds after it came and not faster than rate bytes/s."""
    # So much is under way: what the network holds, and a little for the pauses of this program.
    limit = max(4, int(rate * (delay + 0.1) / CHUNK)) if rate else 64
    chunks = queue.Queue(maxsize=limit)

    def read():
        try:
            while data := source.recv(CHUNK):
                chunks.put((time.monotonic() + delay, data))
        except OSError:
            pass
        chunks.put((time.monotonic() + delay, b""))

    threading.Thread(target=read, daemon=True).start()
    free_at = 0.0
    try:
        while True:
            due, data = chunks.get()
            if not data:
                break
            if rate:
                # The line is busy with what came before; an idle line saves nothing up.
                free_at = max(free_at, due)
                due = free_at
                free_at += len(data) / rate
            pause = due - time.monotonic()
            if pause > 0:
                time.sleep(pause)
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        while chunks.get()[1]:
            pass


def relay(client, port, delay, rate):
    try:
        server = socket.create_connection(("127.0.0.1", port))
    except OSError:
        client.close()
        return
    for end in (client, server):
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    up = threading.Thread(target=carry, args=(client, server, delay, 0), daemon=True)
    up.start()
    carry(server, client, delay, rate)
    up.join()
    client.close()
    server.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--to", type=int, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--round-trip-ms", type=float, default=40)
    parser.add_argument("--rate-mbit", type=float, default=20)
    parser.add_argument("--exit-with-stdin", action="store_true")
    options = parser.parse_args()
    listener = socket.create_server(("127.0.0.1", options.port), backlog=128)
    if options.exit_with_stdin:
        threading.Thread(target=lambda: (sys.stdin.read(), listener.shutdown(socket.SHUT_RDWR)),
                         daemon=True).start()
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=relay, daemon=True,
                         args=(client, options.to, options.round_trip_ms / 2000,
                               options.rate_mbit * 125000)).start()


if __name__ == "__main__":
    main()
