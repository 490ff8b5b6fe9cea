#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Tests of fault_server.py: `selftest.py [NAME...]`, where NAME is a part of a test's name.

Prints `N passed, N failed`, exit status 1 on a failure.  The expected content comes from an
independent, word by word reading of the formula in the server's documentation.
"""

import base64
import email.utils
import functools
import gzip
import hashlib
import hmac
import http.client
import json
import os
import re
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import time
import traceback
from urllib.parse import quote

sys.dont_write_bytecode = True
import fault_server  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
SERVER = os.path.join(HERE, "fault_server.py")
M64 = 2 ** 64
TIMEOUT = 8
PORT = 0
TESTS = []


def test(function):
    TESTS.append(function)
    return function


def equal(actual, expected):
    if actual != expected:
        raise AssertionError(f"got {actual!r:.300}, expected {expected!r:.300}")


@functools.lru_cache(maxsize=None)
def reference_mix(x):
    z = (x + 0x9E3779B97F4A7C15) % M64
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) % M64
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) % M64
    return z ^ (z >> 31)


def content(seed, start, length):
    """The bytes the object of that seed has there."""
    first = start // 8
    words = []
    for i in range(first, (start + length + 7) // 8):
        word = reference_mix(seed + i % 8192) ^ (i // 8192 * 0x9E3779B97F4A7C15 % M64)
        words.append(word.to_bytes(8, "little"))
    skip = start - first * 8
    return b"".join(words)[skip:skip + length]


class Reply:
    """An answer read to its end, or to where it broke."""

    def __init__(self, response):
        self.status = response.status
        self.version = response.version
        self.headers = response.headers
        self.error = None
        body = bytearray()
        try:
            while data := response.read1(65536):
                body += data
            if response.length:
                self.error = http.client.IncompleteRead(b"", response.length)
        except (OSError, http.client.HTTPException) as error:
            self.error = error
        self.body = bytes(body)
        response.close()

    def __getitem__(self, name):
        return self.headers[name]


def connect(timeout=TIMEOUT):
    return http.client.HTTPConnection("127.0.0.1", PORT, timeout=timeout)


def ask(target, method="GET", connection=None, timeout=TIMEOUT, **headers):
    own = connection or connect(timeout)
    own.request(method, target, headers={k.replace("_", "-"): v for k, v in headers.items()})
    reply = Reply(own.getresponse())
    if connection is None:
        own.close()
    return reply


def raw(request, timeout=TIMEOUT):
    """Sends bytes, returns all that comes until the end, and the error that ended it."""
    received = bytearray()
    with socket.create_connection(("127.0.0.1", PORT), timeout=timeout) as sock:
        sock.sendall(request)
        try:
            while data := sock.recv(65536):
                received += data
        except OSError as error:
            return bytes(received), error
    return bytes(received), None


def raw_get(target, **kwargs):
    return raw(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode(), **kwargs)


def log(path, minimum=0):
    return json.loads(ask(f"/_log?path={quote(path)}&wait=3000&min={minimum}").body)


def statuses(target, count, **headers):
    return [ask(target, **headers).status for _ in range(count)]


def expect_raises(kind, function, *args, **kwargs):
    try:
        function(*args, **kwargs)
    except kind:
        return
    raise AssertionError(f"no {kind.__name__}")


# ---------------------------------------------------------------- content


@test
def plain_object():
    reply = ask("/plain?size=100003&seed=7")
    equal((reply.status, reply.error, reply.version), (200, None, 11))
    equal(reply["Content-Length"], "100003")
    equal(reply["Accept-Ranges"], "bytes")
    equal(reply["Last-Modified"], "Wed, 01 Jan 2020 00:00:00 GMT")
    assert email.utils.parsedate(reply["Date"])
    equal(reply.body, content(7, 0, 100003))


@test
def defaults():
    reply = ask("/defaults")
    equal(reply.body, content(1, 0, 65536))


@test
def known_words():
    expected = 0xE220A8397B1DCDAF  # first output of splitmix64 with state 0
    equal(ask("/known?size=8&seed=0").body, expected.to_bytes(8, "little"))


@test
def far_offsets():
    size = 8 << 30
    for start in (5 << 30, (5 << 30) - 3, size - 70001, 262143, 65531):
        end = min(start + 70000, size) - 1
        reply = ask("/far?size=8g&seed=0xfffffffffffffffe", Range=f"bytes={start}-{end}")
        equal(reply.status, 206)
        equal(reply["Content-Range"], f"bytes {start}-{end}/{size}")
        equal(reply.body, content(M64 - 2, start, end - start + 1))


@test
def size_suffixes():
    for text, size in (("2k", 2048), ("1m", 1 << 20), ("3g", 3 << 30)):
        equal(ask(f"/suffix?size={text}", "HEAD")["Content-Length"], str(size))


@test
def empty_object():
    reply = ask("/empty?size=0")
    equal((reply.status, reply["Content-Length"], reply.body), (200, "0", b""))
    reply = ask("/empty?size=0", Range="bytes=0-")
    equal((reply.status, reply["Content-Range"]), (416, "bytes */0"))


@test
def head_has_no_body():
    connection = connect()
    reply = ask("/head?size=500", "HEAD", connection)
    equal((reply.status, reply["Content-Length"], reply.body), (200, "500", b""))
    equal(ask("/head?size=500", connection=connection).body, content(1, 0, 500))


@test
def sha256():
    expected = hashlib.sha256(content(9, 0, 200001)).hexdigest()
    equal(ask("/_sha256?size=200001&seed=9").body.decode(), expected)
    equal(hashlib.sha256(ask("/sha?size=64m").body).hexdigest(),
          ask("/_sha256?size=64m").body.decode())


@test
def speed():
    start = time.monotonic()
    connection = connect()
    connection.request("GET", "/speed?size=512m")
    response = connection.getresponse()
    buffer = bytearray(1 << 20)
    total = 0
    while count := response.readinto(buffer):
        total += count
    seconds = time.monotonic() - start
    print(f"  speed: {total / seconds / 1e6:.0f} MB/s")
    equal(total, 512 << 20)


# ---------------------------------------------------------------- ranges


@test
def ranges():
    for text, first, last in (("0-0", 0, 0), ("10-19", 10, 19), ("990-", 990, 999),
                              ("-5", 995, 999), ("-5000", 0, 999), ("900-5000", 900, 999)):
        reply = ask("/ranges?size=1000", Range=f"bytes={text}")
        equal(reply.status, 206)
        equal(reply["Content-Range"], f"bytes {first}-{last}/1000")
        equal(reply["Content-Length"], str(last - first + 1))
        equal(reply.body, content(1, first, last - first + 1))


@test
def unsatisfiable_ranges():
    for text in ("1000-", "1000-1001", "-0", "5000-6000"):
        reply = ask("/unsat?size=1000", Range=f"bytes={text}")
        equal((reply.status, reply["Content-Range"]), (416, "bytes */1000"))


@test
def ignored_ranges():
    for text in ("bytes=5-2", "bytes=", "bytes=-", "bytes=a-b", "lines=1-2", "bytes=0-1,5-6"):
        equal(ask("/ignored?size=1000", Range=text).status, 200)
    equal(ask("/ignored?size=1000", "HEAD", Range="bytes=1-2").status, 200)


@test
def if_range():
    etag = ask("/ifr", "HEAD")["ETag"]
    date = "Wed, 01 Jan 2020 00:00:00 GMT"
    for target, value, status in (("/ifr", etag, 206), ("/ifr", '"x"', 200), ("/ifr", date, 206),
                                  ("/ifr", date.replace("2020", "2019"), 200),
                                  ("/ifr?weak=1", "W/" + etag, 200), ("/ifr?weak=1", etag, 200),
                                  ("/ifr?last_modified=none", date, 200),
                                  ("/ifr?etag=none", etag, 200)):
        equal((value, ask(target, Range="bytes=5-9", If_Range=value).status), (value, status))


@test
def ignore_range():
    reply = ask("/ign?ignore_range=1&size=1000", Range="bytes=5-9")
    equal((reply.status, reply.body, reply["Accept-Ranges"]), (200, content(1, 0, 1000), None))


@test
def dishonest_content_ranges():
    for flag, expected in (("wrong_range", "bytes 6-10/1000"), ("wrong_total", "bytes 5-9/1001"),
                           ("star_total", "bytes 5-9/*"), ("no_content_range", None)):
        reply = ask(f"/dishonest?size=1000&{flag}=1", Range="bytes=5-9")
        equal((reply.status, reply["Content-Range"]), (206, expected))
        equal(reply.body, content(1, 5, 5))


@test
def short_range():
    reply = ask("/short?size=1000&short_range=1", Range="bytes=100-199")
    equal((reply["Content-Range"], reply["Content-Length"]), ("bytes 100-149/1000", "50"))
    equal(reply.body, content(1, 100, 50))
    equal(ask("/short?short_range=1", Range="bytes=7-7").body, content(1, 7, 1))


@test
def multipart():
    reply = ask("/multi?size=1000&multipart=1", Range="bytes=100-199")
    kind, _, boundary = reply["Content-Type"].partition("; boundary=")
    equal((reply.status, kind, reply["Content-Range"]), (206, "multipart/byteranges", None))
    equal(int(reply["Content-Length"]), len(reply.body))
    empty, part, end = reply.body.split(b"--" + boundary.encode())
    head, _, data = part.partition(b"\r\n\r\n")
    assert b"Content-Range: bytes 100-199/1000" in head
    equal((data, end), (content(1, 100, 100) + b"\r\n", b"--\r\n"))
    equal(ask("/multi?multipart=1").status, 200)


@test
def unsat_flag():
    reply = ask("/always?unsat=1&size=5")
    equal((reply.status, reply["Content-Range"]), (416, "bytes */5"))


@test
def accept_ranges():
    equal(ask("/accept?accept_ranges=none")["Accept-Ranges"], "none")
    equal(ask("/accept?accept_ranges=omit")["Accept-Ranges"], None)


# ---------------------------------------------------------------- validators


@test
def validators():
    equal(ask("/val?etag=abc")["ETag"], '"abc"')
    equal(ask("/val?etag=abc&weak=1")["ETag"], 'W/"abc"')
    equal(ask("/val?etag=none")["ETag"], None)
    equal(ask("/val?last_modified=none")["Last-Modified"], None)
    date = "Thu, 01 Jan 1998 00:00:00 GMT"
    equal(ask(f"/val?last_modified={quote(date)}")["Last-Modified"], date)
    assert ask("/val?seed=2")["ETag"] != ask("/val?seed=3")["ETag"] != ask("/val?size=1")["ETag"]


@test
def changed_after():
    replies = [ask("/changed?size=100&changed_after=3") for _ in range(4)]
    equal([r.body for r in replies], [content(s, 0, 100) for s in (1, 1, 2, 2)])
    etags = [r["ETag"] for r in replies]
    equal((etags[0] == etags[1], etags[1] == etags[2], etags[2] == etags[3]), (True, False, True))
    assert replies[1]["Last-Modified"] != replies[2]["Last-Modified"]
    equal(ask("/changed2?changed_after=1&etag=a")["ETag"], '"a-changed"')
    equal(ask("/changed3?changed_after=2", "HEAD")["ETag"], etags[0].replace("-64", "-10000"))
    reply = ask("/changed3?changed_after=2", Range="bytes=5-9", If_Range=etags[0])
    equal(reply.status, 200)


@test
def changed_size_after():
    replies = [ask("/grown?size=100&changed_size_after=2") for _ in range(2)]
    equal([r.body for r in replies], [content(1, 0, 100), content(2, 0, 101)])
    assert replies[0]["ETag"] != replies[1]["ETag"]


@test
def corrupt_byte_until_it_is_right():
    replies = [ask("/corrupt?size=100&corrupt=10&corrupt_until=1") for _ in range(2)]
    right = content(1, 0, 100)
    wrong = right[:10] + bytes([right[10] ^ 0xFF]) + right[11:]
    equal([r.body for r in replies], [wrong, right])
    equal(replies[0]["ETag"], replies[1]["ETag"])
    equal(ask("/corrupt2?size=100&corrupt=10", Range="bytes=10-11").body, wrong[10:12])
    equal(ask("/corrupt2?size=100&corrupt=10", Range="bytes=11-12").body, wrong[11:13])


@test
def stored_objects():
    data = bytes(range(256)) * 300
    own = connect()
    own.request("PUT", "/_put?path=/stored", body=data)
    equal(own.getresponse().read(), b"ok")
    own.close()
    reply = ask("/stored?size=5")
    equal(reply.body, data)
    part = ask("/stored", Range="bytes=255-257", If_Range=reply["ETag"])
    equal((part.status, part.body), (206, data[255:258]))


# ---------------------------------------------------------------- pace


@test
def delays():
    start = time.monotonic()
    ask("/delay?delay=150")
    assert time.monotonic() - start >= 0.15
    connection = connect()
    start = time.monotonic()
    connection.request("GET", "/delay?body_delay=500")
    response = connection.getresponse()
    head = time.monotonic() - start
    response.read()
    assert head < 0.5 <= time.monotonic() - start


@test
def delay_after():
    start = time.monotonic()
    ask("/delay_after?delay=300&delay_after=2")
    first = time.monotonic() - start
    ask("/delay_after?delay=300&delay_after=2")
    assert first < 0.3 <= time.monotonic() - start - first


@test
def at():
    replies = [ask("/at?size=100&at=2-3:seed~5;3:status~404") for _ in range(4)]
    equal([r.status for r in replies], [200, 200, 404, 200])
    equal(replies[1].body, content(5, 0, 100))
    equal(replies[3].body, content(1, 0, 100))
    equal(ask("/at2?at=1:nothing~1").status, 400)
    equal(ask("/at3?at=rubbish").status, 400)


@test
def rate():
    start = time.monotonic()
    reply = ask("/rate?size=50k&rate=100k")
    seconds = time.monotonic() - start
    equal(reply.body, content(1, 0, 51200))
    assert 0.45 < seconds < 2, seconds


# ---------------------------------------------------------------- broken bodies


@test
def reset():
    for at in (0, 1, 1000, 3000000):
        reply = ask(f"/reset?size=4m&reset={at}")
        equal((reply.status, type(reply.error)), (200, ConnectionResetError))
        equal((len(reply.body), reply.body == content(1, 0, at)), (at, True))
    equal(ask("/reset?size=10&reset=10").error, None)
    equal(ask("/reset?size=10&reset=1", "HEAD").error, None)
    equal(log("/reset", 6)[3]["outcome"], "reset")
    equal(log("/reset", 6)[3]["body_bytes_sent"], 3000000)


@test
def cut():
    for query in ("", "&chunked=1"):
        reply = ask("/cut?size=4m&cut=2000000" + query)
        equal((reply.body == content(1, 0, 2000000), type(reply.error)),
              (True, http.client.IncompleteRead))
    data, error = raw_get("/cut?size=100&cut=10")
    equal((data.partition(b"\r\n\r\n")[2], error), (content(1, 0, 10), None))
    equal({e["outcome"] for e in log("/cut", 3)}, {"cut"})


@test
def stall():
    connection = connect(timeout=0.3)
    connection.request("GET", "/stall?size=4m&stall=5000")
    reply = Reply(connection.getresponse())
    equal((reply.body, type(reply.error)), (content(1, 0, 5000), TimeoutError))
    connection.close()
    entry = log("/stall", 1)[0]
    equal((entry["body_bytes_sent"], entry["status"]), (5000, 200))


@test
def long():
    data, error = raw_get("/long?size=100&long=50")
    head, _, body = data.partition(b"\r\n\r\n")
    assert b"Content-Length: 100\r\n" in head + b"\r\n"
    equal((body, error), (content(1, 0, 100) + content(1, 0, 50), None))


@test
def drop():
    equal(raw_get("/drop?drop=1"), (b"", None))
    expect_raises(http.client.RemoteDisconnected, ask, "/drop?drop=1")
    equal([(e["status"], e["outcome"]) for e in log("/drop", 2)], [(0, "drop")] * 2)


# ---------------------------------------------------------------- framing


@test
def no_length():
    reply = ask("/nolength?no_length=1")
    equal((reply["Content-Length"], reply["Connection"]), (None, "close"))
    equal(reply.body, content(1, 0, 65536))
    equal(ask("/nolength?no_length=1", "HEAD")["Content-Length"], None)


@test
def chunked():
    connection = connect()
    for _ in range(2):
        reply = ask("/chunked?chunked=1&size=1m", connection=connection)
        equal((reply["Transfer-Encoding"], reply["Content-Length"]), ("chunked", None))
        equal(reply.body == content(1, 0, 1 << 20), True)
    equal(ask("/chunked?chunked=1&size=0", connection=connection).body, b"")
    equal(len({e["connection"] for e in log("/chunked")}), 1)
    equal(log("/chunked")[0]["body_bytes_sent"], 1 << 20)


@test
def gzip_coding():
    reply = ask("/gzip?gzip=1&size=10000", Range="bytes=1-2")
    equal((reply.status, reply["Content-Encoding"]), (200, "gzip"))
    equal(int(reply["Content-Length"]), len(reply.body))
    equal(gzip.decompress(reply.body), content(1, 0, 10000))
    equal(ask("/gzip?gzip=1&size=1g").status, 400)


@test
def http10():
    data, error = raw_get("/http10?http10=1&size=9&chunked=1")
    head, _, body = data.partition(b"\r\n\r\n")
    equal((head[:12], body, error), (b"HTTP/1.0 200", content(1, 0, 9), None))


@test
def connection_close():
    data, error = raw_get("/close?close=1&size=9")
    equal((b"Connection: close" in data, error), (True, None))
    data, error = raw(b"GET /close?size=9 HTTP/1.0\r\n\r\n")
    equal((data[-9:], error), (content(1, 0, 9), None))
    data, error = raw(b"GET /close?size=9 HTTP/1.1\r\nConnection: close\r\n\r\n")
    equal((data[-9:], error), (content(1, 0, 9), None))


@test
def head_garbage():
    expect_raises(http.client.BadStatusLine, ask, "/garbage?head_garbage=1")
    equal(raw_get("/garbage?head_garbage=1")[0][:8], b"NOT-HTTP")


@test
def header_flood():
    plain = raw_get("/flood?close=1&size=1")[0]
    flooded = raw_get("/flood?close=1&size=1&header_flood=300")[0]
    equal(len(flooded) - len(plain), 300 * 1024)


@test
def keep_alive_and_pipelining():
    connection = connect()
    for i in range(5):
        equal(ask(f"/alive?size={i}", connection=connection).body, content(1, 0, i))
    equal(len({e["connection"] for e in log("/alive")}), 1)
    request = b"GET /alive?size=3 HTTP/1.1\r\nHost: x\r\n"
    data, _ = raw(request + b"\r\n" + request + b"Connection: close\r\n\r\n")
    equal(data.count(b"HTTP/1.1 200 OK"), 2)


@test
def absolute_form():
    data, _ = raw(b"GET http://example.invalid/abs?size=5&close=1 HTTP/1.1\r\nHost: x\r\n\r\n")
    equal(data[-5:], content(1, 0, 5))
    equal(log("/abs")[0]["target"], "http://example.invalid/abs?size=5&close=1")


# ---------------------------------------------------------------- proxy


def connect_to(target, extra=""):
    """The head of the answer to a CONNECT, and the socket."""
    sock = socket.create_connection(("127.0.0.1", PORT), timeout=TIMEOUT)
    sock.sendall(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{extra}\r\n".encode())
    head = b""
    while b"\r\n\r\n" not in head:
        head += sock.recv(1)
    return head.decode(), sock


@test
def connect_makes_a_tunnel():
    head, sock = connect_to(f"127.0.0.1:{PORT}")
    with sock:
        assert head.startswith("HTTP/1.1 200 ")
        sock.sendall(b"GET /tunnelled?size=5&close=1 HTTP/1.1\r\nHost: x\r\n\r\n")
        data = b""
        while part := sock.recv(65536):
            data += part
    equal(data[-5:], content(1, 0, 5))
    entry = log(f"127.0.0.1:{PORT}", 1)[-1]
    equal((entry["method"], entry["proxied"], entry["status"]), ("CONNECT", True, 200))
    equal(log("/tunnelled", 1)[0]["proxied"], False)


@test
def connect_goes_nowhere_else():
    for target, status in (("example.invalid:80", "403"), ("127.0.0.1:1", "502"),
                           ("127.0.0.1:x", "502"), ("localhost:1", "502")):
        head, sock = connect_to(target)
        sock.close()
        equal((target, head.split(" ")[1]), (target, status))


def challenge_of(head):
    return re.search("Proxy-Authenticate: (.*)\r", head.decode())[1]


@test
def proxy_authorization():
    request = "GET http://h/paid?size=5&close=1 HTTP/1.1\r\nHost: h\r\n"
    good = "Proxy-Authorization: Basic dXNlcjpzZWNyZXQ=\r\n"
    try:
        equal(ask("/_proxy?auth=basic").body, b"ok")
        equal(raw(f"{request}\r\n".encode())[0][:12], b"HTTP/1.1 407")
        equal(raw(f"{request}{good}\r\n".encode())[0][:12], b"HTTP/1.1 200")
        equal([e["proxied"] for e in log("/paid", 2)], [True, True])
        equal(ask("/paid").status, 200)
        head, sock = connect_to(f"127.0.0.1:{PORT}")
        sock.close()
        assert head.startswith("HTTP/1.1 407 ") and "Proxy-Authenticate: Basic" in head
        head, sock = connect_to(f"127.0.0.1:{PORT}", good)
        sock.close()
        assert head.startswith("HTTP/1.1 200 ")
        ask("/_proxy?auth=digest")
        target = f"127.0.0.1:{PORT}"
        head, sock = connect_to(target)
        sock.close()
        sent = answer_digest(challenge_of(head.encode()), target, method="CONNECT")
        head, sock = connect_to(target, f"Proxy-Authorization: {sent}\r\n")
        sock.close()
        assert head.startswith("HTTP/1.1 200 ")
        ask("/_proxy?auth=digest&nonce_uses=1")
        challenge = challenge_of(raw(f"{request}\r\n".encode())[0])
        sent = answer_digest(challenge, "/paid?size=5&close=1")
        answers = [raw(f"{request}Proxy-Authorization: {sent}\r\n\r\n".encode())[0][9:12]
                   for _ in range(2)]
        equal(answers, [b"200", b"407"])
        ask("/_proxy?status=503")
        equal(raw(f"{request}\r\n".encode())[0][:12], b"HTTP/1.1 503")
        equal(ask("/_proxy?auth=nothing").status, 400)
    finally:
        ask("/_proxy")
    equal(raw(f"{request}\r\n".encode())[0][:12], b"HTTP/1.1 200")


@test
def tls():
    with tempfile.TemporaryDirectory() as folder:
        pem, port_file = os.path.join(folder, "pem"), os.path.join(folder, "port")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                        "-subj", "/CN=localhost", "-keyout", pem, "-out", pem + ".crt"],
                       check=True, capture_output=True, timeout=60)
        with open(pem, "a", encoding="ascii") as file, open(pem + ".crt", encoding="ascii") as crt:
            file.write(crt.read())
        server = spawn("--tls-cert", pem, "--tls-port-file", port_file, "--max-seconds", "60",
                       "--exit-with-stdin", stdin=subprocess.PIPE)
        server.stdout.readline()
        with open(port_file, encoding="ascii") as file:
            port = int(file.read())
        context = ssl.create_default_context(cafile=pem + ".crt")
        connection = http.client.HTTPSConnection("localhost", port, timeout=TIMEOUT,
                                                 context=context)
        for size in (5, 3000000):
            reply = ask(f"/tls?size={size}", connection=connection)
            equal(reply.body == content(1, 0, size), True)
        connection.close()
        server.stdin.close()
        equal(server.wait(10), 0)


# ---------------------------------------------------------------- status


@test
def status():
    for code in (204, 304, 403, 404, 418, 500, 503, 777):
        connection = connect()
        reply = ask(f"/status?status={code}", connection=connection)
        equal((reply.status, bool(reply.body)), (code, code not in (204, 304)))
        equal(ask("/status?size=1", connection=connection).status, 200)
    equal(ask("/status?status=404")["Content-Type"], "text/html")
    equal(ask("/status?status=404", "HEAD").body, b"")


@test
def status_after():
    equal(statuses("/after?status_after=3:410", 4), [200, 200, 410, 410])


@test
def retry_after():
    equal(ask("/retry?status=503&retry_after=7")["Retry-After"], "7")


@test
def redirect():
    target = "/hops?redirect=2&size=10"
    for expected in ("/hops?redirect=1&size=10", "/hops?redirect=0&size=10", None):
        reply = ask(target)
        equal((reply.status, reply["Location"]), (302 if expected else 200, expected))
        target = expected
    equal(reply.body, content(1, 0, 10))


@test
def redirect_to():
    url = "http://127.0.0.1:1/a?b=c&d=e%20f"
    reply = ask(f"/to?redirect_to={quote(url, safe='')}&redirect_status=307")
    equal((reply.status, reply["Location"]), (307, url))


@test
def no_head():
    reply = ask("/nohead?no_head=1", "HEAD")
    equal((reply.status, reply["Allow"]), (405, "GET"))
    equal(ask("/nohead?no_head=1").status, 200)


@test
def other_methods():
    connection = connect()
    connection.request("POST", "/post", body=b"12345")
    equal(Reply(connection.getresponse()).status, 405)
    equal(ask("/post", connection=connection).status, 200)


@test
def auth():
    good = "Basic " + base64.b64encode(b"user:secret").decode()
    for kind, code, header, challenge in (
            ("basic", 401, "Authorization", "WWW-Authenticate"),
            ("proxy", 407, "Proxy-Authorization", "Proxy-Authenticate")):
        reply = ask(f"/auth?auth={kind}")
        equal((reply.status, reply[challenge]), (code, 'Basic realm="fault"'))
        equal(ask(f"/auth?auth={kind}", **{header: "Basic eA=="}).status, code)
        equal(ask(f"/auth?auth={kind}", **{header: good}).status, 200)


def answer_digest(challenge, path, password="secret", method="GET", count="00000001"):
    """The Authorization header for a challenge, an independent reading of RFC 7616."""
    values = dict(re.findall(r'(\w+)="?([^",]+)"?', challenge))
    digest = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}[values["algorithm"]]
    a1 = digest(f"user:{values['realm']}:{password}".encode()).hexdigest()
    a2 = digest(f"{method}:{path}".encode()).hexdigest()
    text = f"{a1}:{values['nonce']}:{count}:abc:auth:{a2}"
    return (f'Digest username="user", realm="{values["realm"]}", nonce="{values["nonce"]}", '
            f'uri="{path}", algorithm={values["algorithm"]}, qop=auth, nc={count}, '
            f'cnonce="abc", response="{digest(text.encode()).hexdigest()}"')


@test
def auth_digest():
    for kind, code, header, asked in (
            ("digest", 401, "Authorization", "WWW-Authenticate"),
            ("digest-sha256", 401, "Authorization", "WWW-Authenticate"),
            ("proxy-digest", 407, "Proxy-Authorization", "Proxy-Authenticate")):
        path = f"/digest?auth={kind}"
        reply = ask(path)
        equal(reply.status, code)
        for password, status in (("wrong", code), ("secret", 200)):
            sent = answer_digest(reply[asked], path, password)
            equal(ask(path, **{header: sent}).status, status)
        sent = answer_digest(reply[asked], path).replace('nonce="', 'nonce="0')
        equal(ask(path, **{header: sent}).status, code)
    equal(ask("/digest?auth=digest", Authorization="Basic dXNlcjpzZWNyZXQ=").status, 401)


@test
def auth_any_offers_two():
    reply = ask("/any?auth=any")
    offered = [text.split(" ")[0] for text in reply.headers.get_all("WWW-Authenticate")]
    equal((reply.status, offered), (401, ["Digest", "Basic"]))
    equal(ask("/any?auth=any", Authorization="Basic dXNlcjpzZWNyZXQ=").status, 200)


@test
def pages_are_as_long_as_wanted():
    for query, status in (("status=404", 404), ("redirect=1", 302), ("auth=basic", 401),
                          ("unsat=1", 416)):
        reply = ask(f"/page?{query}&page=70000&seed=3")
        equal((reply.status, reply.body == content(3, 0, 70000)), (status, True))
    equal(ask("/page?page=70000&size=5").body, content(1, 0, 5))
    equal(ask("/page?page=0&status=404").body, b"")


@test
def nonces_end():
    for query, is_stale in (("nonce_uses=1", False), ("nonce_uses=1&stale=1", True)):
        path = f"/once?auth=digest&{query}"
        challenge = ask(path)["WWW-Authenticate"]
        equal("stale" in challenge, False)
        equal(ask(path, Authorization=answer_digest(challenge, path)).status, 200)
        reply = ask(path, Authorization=answer_digest(challenge, path, count="00000002"))
        equal((reply.status, "stale=true" in reply["WWW-Authenticate"]), (401, is_stale))
        sent = answer_digest(challenge, path, "wrong", count="00000003")
        equal("stale" in ask(path, Authorization=sent)["WWW-Authenticate"], False)


@test
def nonce_counts_rise():
    path = "/counts?auth=digest"
    challenge = ask(path)["WWW-Authenticate"]
    sent = [answer_digest(challenge, path, count=f"{count:08x}") for count in (1, 2, 2, 1, 4, 3, 5)]
    equal([ask(path, Authorization=text).status for text in sent],
          [200, 200, 401, 401, 200, 401, 200])


@test
def md4():
    for text, expected in (
            # RFC 1320, A.5
            ("", "31d6cfe0d16ae931b73c59d7e0c089c0"),
            ("abc", "a448017aaf21d8525fc10ae87aa6729d"),
            ("1234567890" * 8, "e33b4ddc9c38f2199c3e7b164fcc0536")):
        equal(fault_server.md4(text.encode()).hex(), expected)


@test
def ntlm_key():
    # MS-NLMP 4.2.4.1.1
    equal(fault_server.ntlm_key("User", "Domain", "Password").hex(),
          "0c868a403bfd7a93a3001ef22ef02e3f")


def ntlm_last(challenge, user="user", password="secret", domain="", version=2):
    """The client's last message for the server's "NTLM ..."."""
    message = base64.b64decode(challenge.split(" ")[1])
    length, _, begin = struct.unpack_from("<HHI", message, 40)
    about = b"\1\1" + bytes(14) + b"nonsense" + bytes(4) + message[begin:begin + length] + bytes(4)
    name = user.upper() + domain
    key = hmac.new(fault_server.md4(password.encode("utf-16-le")), name.encode("utf-16-le"), "md5")
    proof = hmac.new(key.digest(), message[24:32] + about, "md5").digest()
    fields = [bytes(24), proof + about if version == 2 else bytes(24), domain.encode("utf-16-le"),
              user.encode("utf-16-le"), b"", b""]
    head, payload = b"NTLMSSP\0" + struct.pack("<I", 3), b""
    for field in fields:
        head += struct.pack("<HHI", len(field), len(field), 64 + len(payload))
        payload += field
    return "NTLM " + base64.b64encode(head + struct.pack("<I", 1) + payload).decode()


NTLM_FIRST = "NTLM " + base64.b64encode(b"NTLMSSP\0" + struct.pack("<II", 1, 0x8207)).decode()


@test
def auth_ntlm():
    for kind, code, header, asked in (
            ("ntlm", 401, "Authorization", "WWW-Authenticate"),
            ("proxy-ntlm", 407, "Proxy-Authorization", "Proxy-Authenticate")):
        path = f"/ntlm?auth={kind}"
        for options, status in (({}, 200), ({"domain": "D", "user": "uSer"}, 200),
                                ({"password": "wrong"}, code), ({"user": "other"}, code),
                                ({"version": 1}, code)):
            connection = connect()
            reply = ask(path, connection=connection)
            equal((reply.status, reply[asked]), (code, "NTLM"))
            reply = ask(path, connection=connection, **{header: NTLM_FIRST})
            equal(reply.status, code)
            sent = ntlm_last(reply[asked], **options)
            equal(ask(path, connection=connection, **{header: sent}).status, status)
            # The connection counts, not the header: once it has proved it, all may follow.
            equal(ask(path, connection=connection).status, status)
            equal(ask(path, **{header: sent}).status, code)
            connection.close()
    for text in ("NTLM", "NTLM !", "NTLM AAAA", "Basic dXNlcjpzZWNyZXQ="):
        equal(ask("/ntlm?auth=ntlm", Authorization=text).status, 401)


@test
def auth_negotiate_is_never_satisfied():
    for headers in ({}, {"Authorization": "Negotiate YII="}):
        reply = ask("/negotiate?auth=negotiate", **headers)
        equal((reply.status, reply["WWW-Authenticate"]), (401, "Negotiate"))


@test
def ntlm_login_ends():
    connection = connect()
    path = "/ntlm?auth=ntlm&nonce_uses=2"
    challenge = ask(path, connection=connection, Authorization=NTLM_FIRST)["WWW-Authenticate"]
    equal(ask(path, connection=connection, Authorization=ntlm_last(challenge)).status, 200)
    equal([ask(path, connection=connection).status for _ in range(3)], [200, 401, 401])
    connection.close()


@test
def proxy_ntlm():
    try:
        ask("/_proxy?auth=ntlm")
        target = f"127.0.0.1:{PORT}"
        head, sock = connect_to(target, f"Proxy-Authorization: {NTLM_FIRST}\r\n")
        assert head.startswith("HTTP/1.1 407 ")
        sent = ntlm_last(challenge_of(head.encode()))
        sock.sendall(f"CONNECT {target} HTTP/1.1\r\nProxy-Authorization: {sent}\r\n\r\n".encode())
        received = b""
        while b"HTTP/1.1 200 " not in received:
            data = sock.recv(65536)
            assert data, received
            received += data
        sock.close()
    finally:
        ask("/_proxy")


@test
def fail_first_status():
    equal(statuses("/ff1?fail_first=2", 3), [503, 503, 200])
    equal(statuses("/ff2?fail_first=1&fail_status=404", 2), [404, 200])


@test
def fail_first_how():
    reply = ask("/ff3?size=1000&fail_first=1&fail_how=reset")
    equal((type(reply.error), len(reply.body)), (ConnectionResetError, 500))
    equal(ask("/ff3?size=1000&fail_first=1&fail_how=reset").error, None)
    reply = ask("/ff4?size=1000&fail_first=1&fail_how=cut&fail_at=3")
    equal((type(reply.error), len(reply.body)), (http.client.IncompleteRead, 3))
    reply = ask("/ff5?size=1000&fail_first=1&fail_how=stall", timeout=0.2)
    equal((type(reply.error), len(reply.body)), (TimeoutError, 500))
    expect_raises(http.client.RemoteDisconnected, ask, "/ff6?fail_first=1&fail_how=drop")
    expect_raises(http.client.RemoteDisconnected, ask, "/ff7?fail_first=1&fail_how=cut", "HEAD")
    equal(ask("/ff7?fail_first=1&fail_how=cut", "HEAD").status, 200)
    expect_raises(ConnectionResetError, ask, "/ff8?fail_first=1&fail_how=reset", "HEAD")


@test
def bad_programs():
    for query in ("sise=5", "size=5x", "weak=yes", "status=99", "status_after=5", "rate=0",
                  "fail_how=explode", "size=-1", "etag=a%0d%0ab"):
        reply = ask(f"/bad?{query}")
        equal((query, reply.status), (query, 400))
    equal(ask("/bad?cacheHostOrigin=x&id=7&x_note=z").status, 200)


@test
def malformed_requests():
    for text in (b"GARBAGE", b"GET / HTTP/9.9", b"GET / HTTP/1.1\r\nnocolon"):
        equal(raw(text + b"\r\n\r\n")[0][:12], b"HTTP/1.1 400")


# ---------------------------------------------------------------- control


@test
def ping_and_unknown_control():
    equal(ask("/_ping").body, b"ok")
    equal(ask("/_nothing").status, 404)
    equal(ask("/_sha256?size=z").status, 400)


@test
def log_entries():
    ask("/log%20x?size=9", Range="bytes=1-4", If_Range='"q"', X_Test="1")
    ask("/log%20x?size=9", Range="bytes=1-4")
    first, second = log("/log%20x", 2)
    equal((first["method"], first["range"], first["if_range"]), ("GET", "bytes=1-4", '"q"'))
    equal((first["target"], first["headers"]["x-test"]), ("/log%20x?size=9", "1"))
    equal((first["status"], first["body_bytes_sent"]), (200, 9))
    equal((second["status"], second["body_bytes_sent"], second["number"]), (206, 4, 2))
    assert first["connection"] != second["connection"] and first["time_ms"] <= second["time_ms"]
    equal((first["outcome"], second["done"]), ("complete", True))


@test
def log_never_holds_itself():
    ask("/some")
    entries = json.loads(ask("/_log").body)
    assert entries and not [e for e in entries if e["path"].startswith("/_")]


@test
def log_clear():
    ask("/clear1")
    ask("/clear2")
    equal(len(json.loads(ask("/_log?path=/clear1&clear=1").body)), 1)
    equal((len(log("/clear1")), len(log("/clear2", 1))), (0, 1))
    ask("/clear1")
    equal(log("/clear1")[0]["number"], 2)


@test
def log_wait_is_bounded():
    start = time.monotonic()
    equal(ask("/_log?path=/never&wait=100&min=1").body, b"[]")
    assert 0.1 <= time.monotonic() - start < 2


@test
def client_leaving_is_noticed():
    connection = connect()
    connection.request("GET", "/leave?size=1g&rate=1m")
    response = connection.getresponse()
    equal(response.read(10), content(1, 0, 10))
    response.close()
    connection.close()
    entry = log("/leave", 1)[0]
    equal((entry["done"], entry["outcome"]), (True, "client_gone"))


@test
def every_parameter_is_documented_and_tested():
    with open(__file__, encoding="utf-8") as file:
        source = file.read()
    for name in fault_server.PARAMETERS:
        assert re.search(rf"^    {name}=", fault_server.__doc__, re.MULTILINE), name
        assert re.search(rf"\b{name}(=|\", )", source), name


# ---------------------------------------------------------------- program


def spawn(*arguments, **kwargs):
    return subprocess.Popen([sys.executable, SERVER, *arguments], stdout=subprocess.PIPE,
                            text=True, **kwargs)


@test
def ends_with_stdin():
    process = spawn("--exit-with-stdin", stdin=subprocess.PIPE)
    assert re.fullmatch(r"http://127\.0\.0\.1:[0-9]+\n", process.stdout.readline())
    process.stdin.close()
    equal(process.wait(5), 0)


@test
def ends_after_max_seconds():
    equal(spawn("--max-seconds", "0.1").wait(5), 0)


@test
def ends_on_sigterm_and_logs():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "log")
        process = spawn("--log", path)
        port = int(process.stdout.readline().rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT) as sock:
            sock.sendall(b"GET /logged?size=3&close=1 HTTP/1.1\r\n\r\n")
            while sock.recv(65536):
                pass
        process.send_signal(signal.SIGTERM)
        equal(process.wait(5), 0)
        with open(path, encoding="utf-8") as file:
            equal([json.loads(line)["path"] for line in file], ["/logged"])


# ---------------------------------------------------------------- runner


def run(function):
    try:
        function()
        return True
    except Exception:
        print(f"FAILED {function.__name__}")
        traceback.print_exc(file=sys.stdout)
        return False


def main():
    global PORT
    wanted = sys.argv[1:]
    chosen = [t for t in TESTS if not wanted or any(w in t.__name__ for w in wanted)]
    with tempfile.TemporaryDirectory() as folder:
        port_file = os.path.join(folder, "port")
        server = spawn("--port-file", port_file, "--max-seconds", "120", "--exit-with-stdin",
                       stdin=subprocess.PIPE)
        PORT = int(server.stdout.readline().rpartition(":")[2])
        with open(port_file, encoding="ascii") as file:
            equal(int(file.read()), PORT)
        passed = sum([run(function) for function in chosen])
        server.stdin.close()
        server.wait(10)
    print(f"{passed} passed, {len(chosen) - passed} failed")
    return 0 if chosen and passed == len(chosen) else 1


if __name__ == "__main__":
    sys.exit(main())
