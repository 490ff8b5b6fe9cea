#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A cache host that can be told to misbehave, in front of the fault server.

    cache_server.py --origin PORT --port-file PATH [--max-seconds S]

Listens on 127.0.0.1, speaks HTTP/1.1 and ends with its stdin. Each request is passed on to the
origin without its cacheHostOrigin, which it must have (400), and answered with what the origin says,
but for the mode:

    /_set?status=S           this status with a small page
         &etag=TEXT|none     instead of the origin's; If-Range is compared with it
         &last_modified=TEXT|none
         &seed=N             bytes of another version of the object
         &cut=K              the end after K bytes of a body that goes on
         &pace=MS            so long after each 64 KiB
         &redirect=URL       302, percent-encoded
    /_set                    none of these; forgets the log
    /_log                    JSON array of the requests: target, headers (names in lower case), status
"""

import argparse
import http.client
import json
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

lock = threading.Lock()
mode = {}
log = []
origin_port = 0


def strip(target, parameter):
    path, _, query = target.partition("?")
    parts = [part for part in query.split("&") if part and not part.startswith(parameter + "=")]
    return path + ("?" + "&".join(parts) if parts else ""), len(parts) < len(query.split("&"))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def answer(self, status, headers, body, now):
        cut = int(now["cut"]) if "cut" in now else None
        with lock:
            log.append({
                "target": self.path,
                "headers": {name.lower(): value for name, value in self.headers.items()},
                "status": status,
            })
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if cut is not None and cut < len(body):
            body = body[:cut]
            self.close_connection = True
        pace = float(now.get("pace", 0)) / 1000
        for begin in range(0, len(body), 65536):
            self.wfile.write(body[begin:begin + 65536])
            if pace:
                time.sleep(pace)

    def control(self, body):
        self.send_response_only(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def ask_origin(self, target, now):
        headers = {name: self.headers[name] for name in ("Range", "If-Range") if self.headers[name]}
        etag = now.get("etag")
        if etag and "If-Range" in headers:
            if headers.pop("If-Range") != f'"{etag}"':
                headers.pop("Range", None)
        if "seed" in now:
            target, _ = strip(target, "seed")
            target += ("&" if "?" in target else "?") + "seed=" + now["seed"]
        connection = http.client.HTTPConnection("127.0.0.1", origin_port, timeout=20)
        connection.request("GET", target, headers=headers)
        response = connection.getresponse()
        body = response.read()
        kept = [(name, value) for name, value in response.getheaders()
                if name.lower() not in ("content-length", "connection", "etag", "last-modified")]
        for name, key in (("ETag", "etag"), ("Last-Modified", "last_modified")):
            value = response.getheader(name)
            if key in now:
                value = f'"{now[key]}"' if key == "etag" else now[key]
            if value and now.get(key) != "none":
                kept.append((name, value))
        connection.close()
        return response.status, kept, body

    def do_GET(self):
        url = urlsplit(self.path)
        if url.path == "/_set":
            with lock:
                mode.clear()
                mode.update(parse_qsl(url.query))
                if not mode:
                    log.clear()
            self.control(b"ok")
            return
        if url.path == "/_log":
            with lock:
                body = json.dumps(log).encode()
            self.control(body)
            return
        target, is_rewritten = strip(self.path, "cacheHostOrigin")
        with lock:
            now = dict(mode)
        if not is_rewritten:
            self.answer(400, [], b"no cacheHostOrigin\n", {})
        elif "status" in now:
            self.answer(int(now["status"]), [("Content-Type", "text/html")], b"<html></html>\n", {})
        elif "redirect" in now:
            self.answer(302, [("Location", now["redirect"])], b"", {})
        else:
            status, headers, body = self.ask_origin(target, now)
            self.answer(status, headers, body, now)


def main():
    global origin_port
    parser = argparse.ArgumentParser()
    parser.add_argument("--origin", type=int, required=True)
    parser.add_argument("--port-file", required=True)
    parser.add_argument("--max-seconds", type=float, default=600)
    arguments = parser.parse_args()
    origin_port = arguments.origin
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with open(arguments.port_file + ".new", "w", encoding="ascii") as file:
        file.write(str(server.server_address[1]))
    os.rename(arguments.port_file + ".new", arguments.port_file)
    threading.Timer(arguments.max_seconds, lambda: os._exit(1)).start()
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
