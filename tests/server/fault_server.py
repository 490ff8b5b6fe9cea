#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Local HTTP server whose faults are programmed in the query of the URL.

    fault_server.py [--host H] [--port N] [--port-file PATH] [--log PATH] [--max-seconds S]
                    [--tls-cert PEM --tls-port-file PATH] [--exit-with-stdin]

Listens on 127.0.0.1 only, unless --host says otherwise, and speaks HTTP/1.1 with keep-alive, one thread per connection, Python
3.11 standard library only.  Prints `http://127.0.0.1:PORT` on stdout; --port-file receives the
number (temporary file, then rename); --log receives one JSON line per finished request.  Ends
after --max-seconds (default 1800), on SIGTERM or SIGINT, or, with --exit-with-stdin, when stdin
reaches its end.  With --tls-cert (a file with a key and its certificate) a second port, whose
number --tls-port-file receives, speaks TLS and hands what it decrypts to the first one; there a
reset arrives as a close.

Content
-------
Objects have no files.  All arithmetic is modulo 2^64, `seed` is taken modulo 2^64.

    mix(x):  z = x + 0x9E3779B97F4A7C15
             z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9
             z = (z ^ (z >> 27)) * 0x94D049BB133111EB
             return z ^ (z >> 31)
    word(i)  = mix(seed + (i mod 8192)) XOR ((i div 8192) * 0x9E3779B97F4A7C15)
    byte(o)  = byte number (o mod 8) of word(o div 8), the least significant byte being number 0

So an object is a row of little-endian 64-bit words, its last word cut where the size says so, and
two objects of the same seed differ only in their length.  The 64 KiB block j is
base(seed) XOR (j * 0x9E3779B97F4A7C15 repeated 8192 times).

Paths
-----
Any path is an object; its name means nothing but keys the counters and the log (the path is
compared as sent, without percent-decoding).  An absolute-form target (`GET http://h/x`) is served
alike, so the server can stand in for a proxy; so can `CONNECT 127.0.0.1:PORT` (or localhost),
which makes a tunnel to that port of this machine and never to another one.  Paths that start with
`/_` are control paths.
Counters start at 1, count every request for the path whatever its method (HEAD, redirect hops and
401 answers included) and live as long as the server: use a path of your own in each test.

Correct behaviour: GET and HEAD; `Range: bytes=a-b`, `a-`, `-n`; If-Range with ETag (strong
comparison) or date; 416 with `Content-Range: bytes */size`; Accept-Ranges, ETag, Last-Modified,
Date.  A malformed Range or several ranges are ignored, and so is Range on HEAD.  Other conditional
headers are ignored.

Parameters, all optional.  BYTES takes a suffix k, m or g (powers of 1024); flags are 1 or 0.  An
unknown name or a bad value is answered 400 with an explanation, so that a misspelt fault cannot
pass unnoticed; `cacheHostOrigin`, `id` and names starting with `x_` are accepted and ignored.

Object
    size=BYTES            length (65536)
    seed=N                pattern (1)
    etag=TEXT|none        text of the ETag, quoted by the server (derived from seed and size)
    weak=1                the ETag is weak
    last_modified=TEXT|none   (Wed, 01 Jan 2020 00:00:00 GMT; a day later once changed)
    accept_ranges=TEXT|omit   (bytes; left out with ignore_range and gzip)
    changed_after=N       from the N-th request on another object: seed + 1, other ETag
                          (an explicit etag=TEXT becomes TEXT-changed)
    changed_size_after=N  the same, and its size is size + 1
    corrupt=K             byte K of the object is another one, the ETag stays the same,
    corrupt_until=N       up to the N-th request for this path (always)
Single requests
    at=N[-M]:NAME~VALUE;...   another value of a parameter for the N-th to M-th request alone
Pace
    delay=MS              before the head
    delay_after=N         from the N-th request on (the first)
    body_delay=MS         between head and body
    rate=BYTES            body bytes per second
Broken bodies: K counts body bytes of this answer.  Without effect if K >= the body's length, thus
on HEAD.
    reset=K               RST after K bytes, all of which the peer's kernel has received before
    cut=K                 clean close after K bytes, whatever the head announced
    stall=K               silent after K bytes until the client leaves, at most 60 s, then close
    long=K                K more bytes than announced (the object's first ones), then close
    drop=1                close without any answer
Framing
    no_length=1           no Content-Length, the body ends with the connection
    chunked=1             chunked transfer coding (not with http10)
    gzip=1                Content-Encoding: gzip whatever was asked, Range ignored, size <= 64m
    http10=1              HTTP/1.0 answer, then close
    close=1               Connection: close
    head_garbage=1        a status line that is not HTTP, then close
    header_flood=K        K KiB of additional header lines
Ranges
    ignore_range=1        always 200 with the whole object
    wrong_range=1         Content-Range shifted up by 1, body as asked
    wrong_total=1         Content-Range with total + 1
    no_content_range=1    206 without Content-Range
    star_total=1          Content-Range: bytes a-b/*
    short_range=1         206 with only the first half (rounded up) of what was asked
    multipart=1           206 as multipart/byteranges with one part
    unsat=1               always 416
Status
    status=S              this status with a small HTML page (200..999)
    status_after=N:S      the same from the N-th request on
    retry_after=TEXT      adds Retry-After to whatever is answered
    redirect=N            N hops to the same path and query with redirect=N-1 (relative Location)
    redirect_to=URL       Location: URL, percent-encoded in the query; after `redirect` hops
    redirect_status=S     status of both (302)
    page=BYTES            the page of an error, a redirect or a challenge is so many bytes of the
                          object's pattern (a small HTML page)
    no_head=1             405 for HEAD
    auth=KIND             401 or 407 unless user:secret, by the scheme of that KIND:
                          basic, digest (MD5), digest-sha256, ntlm (NTLMv2, any domain), any (digest
                          and basic are offered), any-ntlm (ntlm as well), negotiate (which is
                          offered and never satisfied);
                          proxy, proxy-digest, proxy-ntlm: 407
                          The nonce count of a digest must rise from request to request. NTLM is
                          about the connection: what it has proved counts until its end.
    nonce_uses=N          a nonce, or an NTLM login, is good for N requests, then there is a new
                          challenge (no limit)
    stale=1               which calls the old nonce stale if that was all that was wrong
    fail_first=N          the first N requests for this path fail:
    fail_status=S         with this status (503)
    fail_how=reset|cut|stall|drop  instead of fail_status, like the parameters of that name
    fail_at=K             after K body bytes (half the body); an answer without a body, or with
                          no more than K bytes, fails before its head
Order, the first that applies wins: delay, drop, fail_first, head_garbage, status_after, status,
auth, no_head, redirect, redirect_to, unsat, object.  Pace, framing and broken bodies apply to
error pages as well.

Control paths
-------------
    /_ping                `ok`
    /_sha256?size=&seed=  hex SHA-256 of the whole object (cached)
    /_misbehave/NAME/...  an object that meets that row of misbehaviours.py; likewise
    /_misbehaving_port?name=NAME
    /_put?path=/x         PUT or POST: the body of the request is the object of that path from now
                          on, whatever size and seed say; the other parameters work as always
    /_proxy?auth=KIND     what later absolute-form requests and CONNECTs must bring: none, basic,
                          digest, digest-sha256 or ntlm, as user:secret in Proxy-Authorization;
                          forgets what was set before
    &status=S             this status for each of them
    &nonce_uses=N&stale=1 as above
    /_log?path=/x         JSON array of the requests for that path (all without `path`), oldest
                          first: path (of a CONNECT: host:port), number, method, target, proxied (an
                          absolute-form request or a CONNECT), range, if_range, headers (names in
                          lower case), status (0: none), body_bytes_sent, connection, time_ms
                          (since the server's start), done, outcome (pending, complete, reset, cut,
                          stall, drop, client_gone).  body_bytes_sent is raised just before a
                          write, so it is final once the client has the whole body; `done` may
                          lag behind, hence:
    &wait=MS              first wait, at most so long, until all of them are done
    &min=N                with wait: and there are at least N
    &clear=1              empties the log (of that path) after reading; counters stay
"""

import argparse
import base64
import contextlib
import fcntl
import functools
import gzip
import hashlib
import hmac
import json
import os
import re
import secrets
import select
import signal
import socket
import ssl
import struct
import sys
import termios
import threading
import time
from email.utils import formatdate
from http import HTTPStatus
from types import SimpleNamespace
from urllib.parse import parse_qsl, urlsplit

sys.dont_write_bytecode = True
import misbehaviours  # noqa: E402

MASK = (1 << 64) - 1
GOLDEN = 0x9E3779B97F4A7C15
BLOCK = 64 * 1024
BLOCK_WORDS = BLOCK // 8
PIECE = 4 * BLOCK
MAX_HEAD = 64 * 1024
MAX_GZIP = 64 * 1024 * 1024
STALL_SECONDS = 60
IDLE_SECONDS = 300
LINGER_SECONDS = 2
BOUNDARY = "FAULT_SERVER_BOUNDARY"
DATE_ORIGINAL = "Wed, 01 Jan 2020 00:00:00 GMT"
DATE_CHANGED = "Thu, 02 Jan 2020 00:00:00 GMT"
PASSWORD = "secret"
CREDENTIALS = "Basic " + base64.b64encode(f"user:{PASSWORD}".encode()).decode()
LOCAL_HOSTS = ("127.0.0.1", "localhost")
NO_BODY = (204, 304)
UNSATISFIABLE = "unsatisfiable"


class BadProgram(Exception):
    """The query does not program anything."""


class ClientGone(Exception):
    """The client closed or reset the connection."""


# ---------------------------------------------------------------- content


def mix(x):
    """The splitmix64 output function."""
    z = (x + GOLDEN) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


class Pattern:
    """Makes the blocks of one seed.

    All words of block j are XORed with the same word, so byte k of every word with the same byte:
    a block is eight interleaved rows ("lanes") of 8 KiB, each one of 256 variants of a base lane.
    The variants are made on demand and kept (at most 16 MiB), which leaves eight strided copies
    per block.
    """

    def __init__(self, seed):
        words = [mix(seed + i) for i in range(BLOCK_WORDS)]
        base = struct.pack(f"<{BLOCK_WORDS}Q", *words)
        self._lanes = [base[k::8] for k in range(8)]
        self._variants = [{} for _ in range(8)]

    def _lane(self, k, value):
        lane = self._variants[k].get(value)
        if lane is None:
            table = bytes(x ^ value for x in range(256))
            lane = bytearray(self._lanes[k].translate(table))
            self._variants[k][value] = lane
        return lane

    def fill(self, buffer, at, block):
        """Writes the 64 KiB of that block number into the bytearray at an offset."""
        word = ((block * GOLDEN) & MASK).to_bytes(8, "little")
        for k, value in enumerate(word):
            buffer[at + k:at + BLOCK:8] = self._lane(k, value)


@functools.lru_cache(maxsize=8)
def pattern(seed):
    return Pattern(seed)


class PatternBody:
    """A slice of an object."""

    def __init__(self, seed, start, length):
        self.seed = seed & MASK
        self.start = start
        self.length = length

    def pieces(self):
        """Yields views of at most PIECE bytes; each is valid until the next one."""
        source = pattern(self.seed)
        position, end = self.start, self.start + self.length
        skip = position % BLOCK
        buffer = bytearray(min(PIECE, -(-(skip + self.length) // BLOCK) * BLOCK))
        view = memoryview(buffer)
        while position < end:
            skip = position % BLOCK
            count = min(len(buffer) - skip, end - position)
            for at in range(0, skip + count, BLOCK):
                source.fill(buffer, at, (position - skip + at) // BLOCK)
            yield view[skip:skip + count]
            position += count


class BytesBody:
    """A body in memory."""

    def __init__(self, data):
        self.data = data
        self.length = len(data)

    def pieces(self):
        view = memoryview(self.data)
        for at in range(0, self.length, PIECE):
            yield view[at:at + PIECE]


class CorruptBody:
    """A body in which one byte is another one."""

    def __init__(self, body, at):
        self.body = body
        self.at = at
        self.length = body.length

    def pieces(self):
        position = 0
        for piece in self.body.pieces():
            if position <= self.at < position + len(piece):
                changed = bytearray(piece)
                changed[self.at - position] ^= 0xFF
                yield memoryview(changed)
            else:
                yield piece
            position += len(piece)


class JoinedBody:
    """Several bodies in a row."""

    def __init__(self, *parts):
        self.parts = parts
        self.length = sum(part.length for part in parts)

    def pieces(self):
        for part in self.parts:
            yield from part.pieces()


def object_bytes(seed, start, length):
    return b"".join(bytes(piece) for piece in PatternBody(seed, start, length).pieces())


@functools.lru_cache(maxsize=256)
def object_sha256(seed, size):
    digest = hashlib.sha256()
    for piece in PatternBody(seed, 0, size).pieces():
        digest.update(piece)
    return digest.hexdigest()


@functools.lru_cache(maxsize=4)
def object_gzip(seed, size):
    data = b"".join(bytes(piece) for piece in PatternBody(seed, 0, size).pieces())
    return gzip.compress(data, compresslevel=1, mtime=0)


# ---------------------------------------------------------------- parameters


def to_bytes_count(text):
    match = re.fullmatch(r"([0-9]+)([kmg]?)", text.lower())
    if not match:
        raise ValueError(text)
    return int(match[1]) << {"": 0, "k": 10, "m": 20, "g": 30}[match[2]]


def to_number(text):
    if not re.fullmatch(r"[0-9]+", text):
        raise ValueError(text)
    return int(text)


def to_positive(text):
    value = to_bytes_count(text)
    if value == 0:
        raise ValueError(text)
    return value


def to_seed(text):
    return int(text, 0) & MASK


def to_flag(text):
    return {"0": False, "1": True}[text]


def to_status(text):
    value = to_number(text)
    if not 200 <= value <= 999:
        raise ValueError(text)
    return value


def to_number_and_status(text):
    number, status = text.split(":")
    return to_number(number), to_status(status)


def to_text(text):
    if not text.isprintable() or not text.isascii():
        raise ValueError(text)
    return text


def one_of(*words):
    return lambda text: {word: word for word in words}[text]


PARAMETERS = {
    # name: (conversion, default)
    "size": (to_bytes_count, 65536),
    "seed": (to_seed, 1),
    "etag": (to_text, None),
    "weak": (to_flag, False),
    "last_modified": (to_text, None),
    "accept_ranges": (to_text, None),
    "changed_after": (to_number, None),
    "changed_size_after": (to_number, None),
    "corrupt": (to_bytes_count, None),
    "corrupt_until": (to_number, None),
    "delay": (to_number, 0),
    "delay_after": (to_number, 0),
    "at": (to_text, ""),
    "body_delay": (to_number, 0),
    "rate": (to_positive, None),
    "reset": (to_bytes_count, None),
    "cut": (to_bytes_count, None),
    "stall": (to_bytes_count, None),
    "long": (to_bytes_count, 0),
    "drop": (to_flag, False),
    "no_length": (to_flag, False),
    "chunked": (to_flag, False),
    "gzip": (to_flag, False),
    "http10": (to_flag, False),
    "close": (to_flag, False),
    "head_garbage": (to_flag, False),
    "header_flood": (to_number, 0),
    "ignore_range": (to_flag, False),
    "wrong_range": (to_flag, False),
    "wrong_total": (to_flag, False),
    "no_content_range": (to_flag, False),
    "star_total": (to_flag, False),
    "short_range": (to_flag, False),
    "multipart": (to_flag, False),
    "unsat": (to_flag, False),
    "status": (to_status, None),
    "status_after": (to_number_and_status, None),
    "retry_after": (to_text, None),
    "redirect": (to_number, 0),
    "redirect_to": (to_text, None),
    "redirect_status": (to_status, 302),
    "page": (to_bytes_count, None),
    "no_head": (to_flag, False),
    "auth": (one_of("basic", "digest", "digest-sha256", "ntlm", "negotiate", "any", "any-ntlm",
                    "proxy", "proxy-digest", "proxy-ntlm"), None),
    "nonce_uses": (to_number, None),
    "stale": (to_flag, False),
    "fail_first": (to_number, 0),
    "fail_status": (to_status, 503),
    "fail_how": (one_of("reset", "cut", "stall", "drop"), None),
    "fail_at": (to_bytes_count, None),
}
IGNORED_PARAMETERS = ("cacheHostOrigin", "id")
DEFAULTS = {name: default for name, (_, default) in PARAMETERS.items()}


def parse_program(query):
    """Returns the parameters as attributes."""
    program = SimpleNamespace(**DEFAULTS)
    for name, text in parse_qsl(query, keep_blank_values=True):
        if name in IGNORED_PARAMETERS or name.startswith("x_"):
            continue
        if name not in PARAMETERS:
            raise BadProgram(f"unknown parameter: {name}")
        try:
            setattr(program, name, PARAMETERS[name][0](text))
        except (ValueError, KeyError):
            raise BadProgram(f"bad value: {name}={text}") from None
    if program.gzip and program.size > MAX_GZIP:
        raise BadProgram("gzip=1 needs size <= 64m")
    return program


def apply_at(program, number):
    """What is different for one request, of those for its path."""
    for item in program.at.split(";"):
        span, rest = item.split(":", 1)
        name, value = rest.split("~", 1)
        first, _, last = span.partition("-")
        convert = PARAMETERS[name][0]
        if int(first) <= number <= int(last or first):
            setattr(program, name, convert(value))


# ---------------------------------------------------------------- requests


class Request:
    """A parsed request head."""

    def __init__(self, head):
        lines = head.decode("latin-1").split("\r\n")
        self.method, self.target, self.version = lines[0].split(" ")
        self.body = b""
        self.logins = {}  # the connection's, by status
        if not re.fullmatch(r"HTTP/1\.[01]", self.version):
            raise ValueError(self.version)
        self.headers = {}
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            if not colon or not re.fullmatch(r"[!-~]+", name):
                raise ValueError(line)
            name, value = name.lower(), value.strip(" \t")
            known = self.headers.get(name)
            self.headers[name] = value if known is None else f"{known}, {value}"
        parts = urlsplit(self.target) if "://" in self.target.split("?")[0] else None
        self.proxied = parts is not None or self.method == "CONNECT"
        rest = parts._replace(scheme="", netloc="").geturl() if parts else self.target
        self.path, _, self.query = rest.partition("?")
        self.path = self.path or "/"

    def wants_close(self):
        words = self.headers.get("connection", "").lower()
        return "close" in words or (self.version == "HTTP/1.0" and "keep-alive" not in words)

    def body_length(self):
        return to_number(self.headers.get("content-length", "0"))


class Log:
    """Requests and counters, shared by all threads."""

    def __init__(self, path):
        self._changed = threading.Condition()
        self._entries = []
        self._counters = {}
        self._start = time.monotonic()
        self._file = open(path, "w", encoding="utf-8") if path else None

    def add(self, request, connection):
        with self._changed:
            number = self._counters.get(request.path, 0) + 1
            self._counters[request.path] = number
            entry = {
                "path": request.path,
                "number": number,
                "method": request.method,
                "target": request.target,
                "proxied": request.proxied,
                "range": request.headers.get("range"),
                "if_range": request.headers.get("if-range"),
                "headers": request.headers,
                "status": 0,
                "body_bytes_sent": 0,
                "connection": connection,
                "time_ms": round((time.monotonic() - self._start) * 1000, 3),
                "done": False,
                "outcome": "pending",
            }
            self._entries.append(entry)
            self._changed.notify_all()
            return entry

    def finish(self, entry, outcome):
        with self._changed:
            entry["outcome"] = outcome
            entry["done"] = True
            self._changed.notify_all()
            if self._file:
                self._file.write(json.dumps(entry) + "\n")
                self._file.flush()

    def _select(self, path):
        return [e for e in self._entries if path is None or e["path"] == path]

    def read(self, path, wait, minimum, clear):
        def settled():
            entries = self._select(path)
            return len(entries) >= minimum and all(e["done"] for e in entries)

        with self._changed:
            if wait:
                self._changed.wait_for(settled, wait)
            text = json.dumps(self._select(path))
            if clear:
                self._entries = [e for e in self._entries if path and e["path"] != path]
            return text


# ---------------------------------------------------------------- answers


class Answer:
    """What to send: a status, headers and a body, and how the body is framed."""

    def __init__(self, status, body, headers=()):
        self.status = status
        self.body = body
        self.headers = list(headers)
        self.raw = None
        self.is_page = False


def page(status, headers=()):
    """A small HTML page for a status."""
    title = f"{status} {reason(status)}"
    text = f"<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>\n"
    data = b"" if status in NO_BODY else text.encode()
    answer = Answer(status, BytesBody(data), [("Content-Type", "text/html"), *headers])
    answer.is_page = status not in NO_BODY
    return answer


def text_answer(status, text, kind="text/plain"):
    return Answer(status, BytesBody(text.encode()), [("Content-Type", kind)])


def reason(status):
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


STORED = {}  # what /_put brought, by path


def current_object(program, number, path):
    """The object as the N-th request sees it: seed, size, etag, modified, what is wrong in it."""
    grown = program.changed_size_after is not None and number >= program.changed_size_after
    changed = program.changed_after is not None and number >= program.changed_after
    changed = changed or grown
    seed = (program.seed + changed) & MASK
    data = STORED.get(path)
    size = program.size + grown if data is None else len(data)
    wrong = program.corrupt
    if program.corrupt_until is not None and number > program.corrupt_until:
        wrong = None
    etag = program.etag
    if etag is None and data is not None:
        etag = hashlib.sha256(data).hexdigest()[:16]
    if etag is None:
        etag = f"s{seed:x}-{size:x}"
    elif changed and etag != "none":
        etag += "-changed"
    if program.gzip and etag != "none":
        etag += "-gz"
    modified = program.last_modified or (DATE_CHANGED if changed else DATE_ORIGINAL)
    return SimpleNamespace(
        seed=seed,
        size=size,
        data=data,
        wrong=wrong,
        etag=None if etag == "none" else ("W/" if program.weak else "") + f'"{etag}"',
        modified=None if modified == "none" else modified,
    )


def object_headers(program, item):
    headers = [("Content-Type", "application/octet-stream")]
    accept = program.accept_ranges
    if accept is None:
        accept = "omit" if program.ignore_range or program.gzip else "bytes"
    if accept != "omit":
        headers.append(("Accept-Ranges", accept))
    if item.etag:
        headers.append(("ETag", item.etag))
    if item.modified:
        headers.append(("Last-Modified", item.modified))
    return headers


def object_body(item, first, length):
    """Those bytes of the object."""
    if item.data is None:
        body = PatternBody(item.seed, first, length)
    else:
        body = BytesBody(item.data[first:first + length])
    return body if item.wrong is None else CorruptBody(body, item.wrong - first)


def parse_range(text, size):
    """Returns (first, last), UNSATISFIABLE, or None when the header is to be ignored."""
    match = re.fullmatch(r"bytes=\s*([0-9]*)-([0-9]*)\s*", text, re.IGNORECASE)
    if not match or not (match[1] or match[2]):
        return None
    if not match[1]:
        count = min(int(match[2]), size)
        if int(match[2]) == 0:
            return UNSATISFIABLE
        return (size - count, size - 1) if size else None
    first = int(match[1])
    last = int(match[2]) if match[2] else max(first, size - 1)
    if last < first:
        return None
    return UNSATISFIABLE if first >= size else (first, min(last, size - 1))


def if_range_holds(text, item):
    if text is None:
        return True
    if text.startswith(('"', "W/")):
        return not text.startswith("W/") and text == item.etag
    return text == item.modified


def requested_range(request, program, item):
    text = request.headers.get("range")
    if text is None or request.method != "GET" or program.ignore_range or program.gzip:
        return None
    if not if_range_holds(request.headers.get("if-range"), item):
        return None
    return parse_range(text, item.size)


def content_range(program, first, last, size):
    shift = 1 if program.wrong_range else 0
    total = "*" if program.star_total else size + (1 if program.wrong_total else 0)
    return f"bytes {first + shift}-{last + shift}/{total}"


def partial_answer(program, item, first, last):
    if program.short_range:
        last = first + (last - first + 2) // 2 - 1
    body = object_body(item, first, last - first + 1)
    headers = object_headers(program, item)
    described = []
    if not program.no_content_range:
        described = [("Content-Range", content_range(program, first, last, item.size))]
    if not program.multipart:
        return Answer(206, body, headers + described)
    part = "".join(f"{n}: {v}\r\n" for n, v in headers[:1] + described)
    before = BytesBody(f"\r\n--{BOUNDARY}\r\n{part}\r\n".encode())
    after = BytesBody(f"\r\n--{BOUNDARY}--\r\n".encode())
    headers[0] = ("Content-Type", f"multipart/byteranges; boundary={BOUNDARY}")
    return Answer(206, JoinedBody(before, body, after), headers)


def unsatisfiable_answer(item):
    return page(416, [("Content-Range", f"bytes */{item.size}")])


def object_answer(request, program, item):
    if program.unsat:
        return unsatisfiable_answer(item)
    span = requested_range(request, program, item)
    if span == UNSATISFIABLE:
        return unsatisfiable_answer(item)
    if span:
        return partial_answer(program, item, *span)
    headers = object_headers(program, item)
    if program.gzip:
        body = BytesBody(object_gzip(item.seed, item.size))
        return Answer(200, body, headers + [("Content-Encoding", "gzip")])
    return Answer(200, object_body(item, 0, item.size), headers)


class Nonces:
    """The nonces that were given out, how often each was used, and its last count."""

    def __init__(self):
        self._lock = threading.Lock()
        self._uses = {}

    def make(self):
        nonce = secrets.token_hex(16)
        with self._lock:
            self._uses[nonce] = (0, 0)
        return nonce

    def use(self, nonce, count, most):
        """GOOD, STALE when it has been used up, or WRONG when it is not ours or counted twice."""
        with self._lock:
            uses, last = self._uses.get(nonce, (0, None))
            if last is None or count <= last:
                return WRONG
            if most is not None and uses >= most:
                return STALE
            self._uses[nonce] = (uses + 1, count)
            return GOOD


GOOD, STALE, WRONG = "good", "stale", "wrong"
NONCES = Nonces()
DIGESTS = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}


def digest_response(values, method, algorithm):
    """RFC 7616 3.4 with qop=auth."""
    def hashed(text):
        return DIGESTS[algorithm](text.encode()).hexdigest()

    secret = hashed(f"user:fault:{PASSWORD}")
    what = hashed(f"{method}:{values['uri']}")
    return hashed(":".join([secret, values["nonce"], values["nc"], values["cnonce"],
                            values["qop"], what]))


def judge_digest(text, request, algorithm, nonce_uses=None):
    """What the value of an Authorization or Proxy-Authorization header is: GOOD, STALE or WRONG."""
    kind, _, rest = text.partition(" ")
    values = {n: q or v for n, q, v in re.findall(r'(\w+)=(?:"([^"]*)"|([^\s,]+))', rest)}
    path = request.path + ("?" + request.query if request.query else "")
    try:
        if not (kind.lower() == "digest" and values["username"] == "user"
                and values["realm"] == "fault" and values["uri"] in (path, request.target)
                and values.get("algorithm", "MD5") == algorithm and values["qop"] == "auth"
                and re.fullmatch("[0-9a-fA-F]{8}", values["nc"])
                and values["response"] == digest_response(values, request.method, algorithm)):
            return WRONG
        return NONCES.use(values["nonce"], int(values["nc"], 16), nonce_uses)
    except KeyError:
        return WRONG


def md4(data):
    """RFC 1320; OpenSSL 3 does not have it any more."""
    def rotate(x, n):
        x &= 0xFFFFFFFF
        return (x << n | x >> (32 - n)) & 0xFFFFFFFF

    rounds = (
        (lambda x, y, z: x & y | ~x & z, 0, (3, 7, 11, 19), range(16)),
        (lambda x, y, z: x & y | x & z | y & z, 0x5A827999, (3, 5, 9, 13),
         [row + 4 * column for row in range(4) for column in range(4)]),
        (lambda x, y, z: x ^ y ^ z, 0x6ED9EBA1, (3, 9, 11, 15),
         [0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15]),
    )
    padded = data + b"\x80" + bytes(-(len(data) + 9) % 64) + struct.pack("<Q", len(data) * 8)
    state = [0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476]
    for at in range(0, len(padded), 64):
        words = struct.unpack_from("<16I", padded, at)
        a, b, c, d = state
        for mixed, constant, shifts, order in rounds:
            for step, index in enumerate(order):
                total = a + mixed(b, c, d) + words[index] + constant
                a, b, c, d = d, rotate(total, shifts[step % 4]), b, c
        state = [x + y & 0xFFFFFFFF for x, y in zip(state, (a, b, c, d))]
    return struct.pack("<4I", *state)


NTLM_SIGNATURE = b"NTLMSSP\0"
NTLM_UNICODE = 0x00000001
# Unicode, target, NTLM, it is a server, extended security, target information, 128 and 56 bits.
NTLM_FLAGS = NTLM_UNICODE | 0x00000004 | 0x00000200 | 0x00020000 | 0x00080000 | 0x00800000 \
    | 0x20000000 | 0x80000000
NTLM_TARGET = "FAULT".encode("utf-16-le")
# MS-NLMP 2.2.2.1: the domain, the computer, the end. Without a time stamp nobody owes a MIC.
NTLM_TARGET_INFO = b"".join(
    struct.pack("<HH", kind, len(value)) + value
    for kind, value in ((2, NTLM_TARGET), (1, NTLM_TARGET), (0, b"")))


def ntlm_challenge_message(challenge):
    """MS-NLMP 2.2.1.2: the server's message."""
    at = 48
    return b"".join([
        NTLM_SIGNATURE, struct.pack("<I", 2),
        struct.pack("<HHI", len(NTLM_TARGET), len(NTLM_TARGET), at),
        struct.pack("<I", NTLM_FLAGS), challenge, bytes(8),
        struct.pack("<HHI", len(NTLM_TARGET_INFO), len(NTLM_TARGET_INFO), at + len(NTLM_TARGET)),
        NTLM_TARGET, NTLM_TARGET_INFO])


def ntlm_key(user, domain, password):
    """NTOWFv2 of MS-NLMP 3.3.2."""
    secret = md4(password.encode("utf-16-le"))
    return hmac.digest(secret, (user.upper() + domain).encode("utf-16-le"), "md5")


def ntlm_holds(message, challenge):
    """MS-NLMP 2.2.1.3: whether the client's last message proves the password for that challenge."""
    def field(at):
        length, _, begin = struct.unpack_from("<HHI", message, at)
        if begin + length > len(message):
            raise ValueError("beyond the end")
        return message[begin:begin + length]

    try:
        code = "utf-16-le" if struct.unpack_from("<I", message, 60)[0] & NTLM_UNICODE else "latin-1"
        domain, user = field(28).decode(code), field(36).decode(code)
        proof, about = field(20)[:16], field(20)[16:]
    except (ValueError, struct.error):
        return False
    # Version 1 has 24 bytes here, of which the last 8 begin with anything.
    if user.lower() != "user" or not about.startswith(b"\1\1\0\0\0\0\0\0") or len(about) < 28:
        return False
    expected = hmac.digest(ntlm_key(user, domain, PASSWORD), challenge + about, "md5")
    return hmac.compare_digest(proof, expected)


def demand_ntlm(text, logins, status, uses):
    """What follows "NTLM" in the challenge ("" or more), or None when the connection has proved."""
    kind, _, encoded = text.partition(" ")
    try:
        message = base64.b64decode(encoded, validate=True) if kind.upper() == "NTLM" else b""
    except ValueError:
        message = b""
    held = logins.get(status)
    if message[:12] == NTLM_SIGNATURE + struct.pack("<I", 1):
        logins[status] = challenge = secrets.token_bytes(8)
        return " " + base64.b64encode(ntlm_challenge_message(challenge)).decode()
    if message:
        logins.pop(status, None)
        is_last = message[:12] == NTLM_SIGNATURE + struct.pack("<I", 3)
        if not is_last or not isinstance(held, bytes) or not ntlm_holds(message, held):
            return ""
        held = 0
    if not isinstance(held, int) or (uses is not None and held >= uses):
        logins.pop(status, None)
        return ""
    logins[status] = held + 1
    return None


def demand_credentials(request, status, schemes, nonce_uses=None, stale=False):
    """The challenge, or None when the request brings what one of the schemes asks for."""
    sent, asked = {
        401: ("authorization", "WWW-Authenticate"),
        407: ("proxy-authorization", "Proxy-Authenticate"),
    }[status]
    text = request.headers.get(sent, "")
    challenges = []
    for scheme in schemes:
        if scheme == "basic":
            if text == CREDENTIALS:
                return None
            challenges.append((asked, 'Basic realm="fault"'))
        elif scheme == "negotiate":
            challenges.append((asked, "Negotiate"))
        elif scheme == "ntlm":
            more = demand_ntlm(text, request.logins, status, nonce_uses)
            if more is None:
                return None
            challenges.append((asked, "NTLM" + more))
        else:
            algorithm = {"digest": "MD5", "digest-sha256": "SHA-256"}[scheme]
            verdict = judge_digest(text, request, algorithm, nonce_uses)
            if verdict == GOOD:
                return None
            challenges.append((asked, f'Digest realm="fault", nonce="{NONCES.make()}", '
                                      f'qop="auth", algorithm={algorithm}'
                                      + (", stale=true" if stale and verdict == STALE else "")))
    return page(status, challenges)


def auth_answer(request, program):
    """The challenge, or None when there is nothing to ask for."""
    asked = {
        None: None,
        "any": (401, ("digest", "basic")),
        "any-ntlm": (401, ("basic", "digest", "ntlm")),
        "proxy": (407, ("basic",)),
        "proxy-digest": (407, ("digest",)),
        "proxy-ntlm": (407, ("ntlm",)),
    }.get(program.auth, (401, (program.auth,)))
    if not asked:
        return None
    return demand_credentials(request, *asked, program.nonce_uses, program.stale)


def redirect_answer(request, program):
    if program.redirect:
        query = re.sub(r"(^|&)redirect=[0-9]+", rf"\g<1>redirect={program.redirect - 1}",
                       request.query)
        return page(program.redirect_status, [("Location", f"{request.path}?{query}")])
    if program.redirect_to is not None:
        return page(program.redirect_status, [("Location", program.redirect_to)])
    return None


def garbage_answer():
    answer = Answer(0, BytesBody(b""))
    answer.raw = b"NOT-HTTP garbage 0x2A\r\n\r\nneither is this\r\n"
    return answer


def choose_answer(request, program, number):
    """The answer according to the order given in the module's docstring."""
    if number <= program.fail_first and program.fail_how is None:
        return page(program.fail_status)
    if program.head_garbage:
        return garbage_answer()
    if program.status_after and number >= program.status_after[0]:
        return page(program.status_after[1])
    if program.status is not None:
        return page(program.status)
    challenge = auth_answer(request, program)
    if challenge:
        return challenge
    if request.method == "HEAD" and program.no_head:
        return page(405, [("Allow", "GET")])
    if request.method not in ("GET", "HEAD"):
        return page(405, [("Allow", "GET, HEAD")])
    redirect = redirect_answer(request, program)
    return redirect or object_answer(
        request, program, current_object(program, number, request.path))


def choose_fault(program, number, length):
    """Returns (kind, body bytes before it); -1 bytes means before the head; or None."""
    if program.drop:
        return "drop", -1
    if number <= program.fail_first and program.fail_how:
        at = length // 2 if program.fail_at is None else program.fail_at
        return program.fail_how, at if at < length and program.fail_how != "drop" else -1
    faults = [(getattr(program, kind), kind) for kind in ("reset", "cut", "stall")]
    faults = [(at, kind) for at, kind in faults if at is not None and at < length]
    return min(faults)[::-1] if faults else None


def flood(kib):
    """Lines of exactly 1 KiB each."""
    for i in range(kib):
        name = f"X-Flood-{i}"
        yield name, "f" * (1024 - len(name) - 4)


def build_head(program, answer, closing):
    version = "HTTP/1.0" if program.http10 else "HTTP/1.1"
    lines = [f"{version} {answer.status} {reason(answer.status)}"]
    headers = [("Date", formatdate(usegmt=True)), ("Server", "fault_server"), *answer.headers]
    if program.retry_after is not None:
        headers.append(("Retry-After", program.retry_after))
    if answer.status in NO_BODY:
        pass
    elif is_chunked(program):
        headers.append(("Transfer-Encoding", "chunked"))
    elif not program.no_length:
        headers.append(("Content-Length", str(answer.body.length)))
    if closing:
        headers.append(("Connection", "close"))
    headers.extend(flood(program.header_flood))
    lines += [f"{name}: {value}" for name, value in headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def is_chunked(program):
    return program.chunked and not program.http10


# ---------------------------------------------------------------- connections


class Link:
    """One connection: exact sends, waits that notice the client leaving, and ways to end."""

    def __init__(self, sock):
        self.sock = sock
        self.received = bytearray()
        self.logins = {}
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._leaving = select.poll()
        self._leaving.register(sock, select.POLLRDHUP)
        self._incoming = select.poll()
        self._incoming.register(sock, select.POLLIN)

    def send(self, data):
        try:
            self.sock.sendall(data)
        except OSError:
            raise ClientGone from None

    def wait(self, seconds):
        """Waits, unless the client leaves."""
        if seconds > 0 and self._leaving.poll(seconds * 1000):
            raise ClientGone

    def receive(self, seconds):
        """Appends to `received`; False at the end of the connection or when time is up."""
        try:
            data = self.sock.recv(65536) if self._incoming.poll(seconds * 1000) else b""
        except OSError:
            return False
        self.received += data
        return bool(data)

    def read_head(self):
        """Returns the next request head without its empty line, or None."""
        while True:
            while self.received[:2] == b"\r\n":
                del self.received[:2]
            end = self.received.find(b"\r\n\r\n")
            if end >= 0:
                head = bytes(self.received[:end])
                del self.received[:end + 4]
                return head
            if len(self.received) > MAX_HEAD or not self.receive(IDLE_SECONDS):
                return None

    def skip(self, count):
        """Discards a request's body."""
        while len(self.received) < count:
            count -= len(self.received)
            self.received.clear()
            if not self.receive(IDLE_SECONDS):
                raise ClientGone
        del self.received[:count]

    def take(self, count):
        """Returns a request's body."""
        while len(self.received) < count:
            if not self.receive(IDLE_SECONDS):
                raise ClientGone
        data = bytes(self.received[:count])
        del self.received[:count]
        return data

    def _unacknowledged(self):
        return struct.unpack("i", fcntl.ioctl(self.sock, termios.TIOCOUTQ, b"\0" * 4))[0]

    def reset(self):
        """Sends RST once the peer's kernel has everything sent so far."""
        end = time.monotonic() + STALL_SECONDS
        while self._unacknowledged() and time.monotonic() < end:
            self.wait(0.001)
        with contextlib.suppress(OSError):
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def finish(self):
        """Closes cleanly: FIN, then unread input is drained lest it provoke a RST."""
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_WR)
            end = time.monotonic() + LINGER_SECONDS
            while self.receive(max(0, end - time.monotonic())):
                self.received.clear()
        self.sock.close()


class Transmission:
    """Sends one answer with its faults and keeps the log entry up to date."""

    def __init__(self, link, program, entry):
        self.link = link
        self.program = program
        self.entry = entry
        self.chunked = is_chunked(program)
        self.clock = None

    def send_answer(self, request, answer):
        """Returns (outcome, whether the connection stays usable)."""
        program, link = self.program, self.link
        body = BytesBody(b"") if request.method == "HEAD" else answer.body
        fault = choose_fault(program, self.entry["number"], body.length)
        if fault and fault[1] < 0:
            return self._inflict(fault[0])
        if answer.raw:
            link.send(answer.raw)
            return "complete", False
        closing = (program.close or program.http10 or request.wants_close()
                   or (program.no_length and not self.chunked))
        self.entry["status"] = answer.status
        link.send(build_head(program, answer, closing))
        link.wait(program.body_delay / 1000)
        self._send_body(body, fault[1] if fault else body.length)
        if fault:
            return self._inflict(fault[0])
        if self.chunked and request.method != "HEAD" and answer.status not in NO_BODY:
            link.send(b"0\r\n\r\n")
        if program.long and request.method != "HEAD":
            self.chunked = False
            self._send_body(PatternBody(program.seed, 0, program.long), program.long)
            closing = True
        return "complete", not closing

    def _inflict(self, kind):
        if kind == "stall":
            with contextlib.suppress(ClientGone):
                self.link.wait(STALL_SECONDS)
        if kind == "reset":
            self.link.reset()
        return kind, False

    def _send_body(self, body, limit):
        self.clock = time.monotonic()
        if limit == 0:
            return
        for piece in body.pieces():
            count = min(limit, len(piece))
            self._send_piece(piece[:count])
            limit -= count
            if limit == 0:
                return

    def _send_piece(self, piece):
        rate = self.program.rate
        if rate is None:
            self._send_now(piece)
            return
        step = max(1, rate // 20)
        for at in range(0, len(piece), step):
            part = piece[at:at + step]
            self._send_now(part)
            self.clock += len(part) / rate
            self.link.wait(self.clock - time.monotonic())

    def _send_now(self, data):
        self.entry["body_bytes_sent"] += len(data)
        if self.chunked:
            self.link.send(b"%x\r\n%b\r\n" % (len(data), data))
        else:
            self.link.send(data)


def relay(a, b, a_has=lambda: False):
    """Carries bytes between two sockets until one of them ends; a_has: a holds decrypted ones."""
    poll = select.poll()
    poll.register(a, select.POLLIN)
    poll.register(b, select.POLLIN)
    with contextlib.suppress(OSError), a, b:
        while True:
            ready = [a.fileno()] if a_has() else [fd for fd, _ in poll.poll(IDLE_SECONDS * 1000)]
            if not ready:
                return
            for source, sink in ((a, b), (b, a)):
                if source.fileno() in ready:
                    data = source.recv(65536)
                    if not data:
                        return
                    sink.sendall(data)


class TlsFront:
    """A port that speaks TLS before another one, which never learns of it."""

    def __init__(self, certificate, port):
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate)
        self._behind = port
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self._socket.getsockname()[1]

    def run(self):
        while True:
            sock, _ = self._socket.accept()
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        sock.settimeout(IDLE_SECONDS)
        with contextlib.suppress(OSError):
            secure = self._context.wrap_socket(sock, server_side=True)
            behind = socket.create_connection(("127.0.0.1", self._behind))
            relay(secure, behind, lambda: secure.pending() > 0)
        sock.close()


class Server:
    """Accepts connections and serves each in a thread."""

    def __init__(self, host, port, log):
        self.log = log
        self.proxy_schemes = ()
        self.proxy_status = None
        self.proxy_nonce_uses = None
        self.proxy_stale = False
        self.socket = socket.create_server((host, port), backlog=512)
        self.port = self.socket.getsockname()[1]
        threading.stack_size(512 * 1024)

    def run(self):
        connection = 0
        while True:
            try:
                sock, _ = self.socket.accept()
            except OSError:  # out of descriptors, or the client gave up
                time.sleep(0.05)
                continue
            connection += 1
            threading.Thread(target=self._serve, args=(sock, connection), daemon=True).start()

    def _serve(self, sock, connection):
        link = Link(sock)
        try:
            while self._serve_one(link, connection):
                pass
            link.finish()
        except ClientGone:
            sock.close()

    def _serve_one(self, link, connection):
        """Serves a request; returns whether another one may follow."""
        head = link.read_head()
        if head is None:
            return False
        try:
            request = Request(head)
            request.logins = link.logins
            if request.path == "/_put":
                request.body = link.take(request.body_length())
            else:
                link.skip(request.body_length())
        except ValueError:
            link.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            return False
        if request.path.startswith("/_") and not request.path.startswith(misbehaviours.PREFIX):
            return self._serve_control(link, request)
        entry = self.log.add(request, connection)
        outcome = "client_gone"
        tunnel = None
        try:
            if request.method == "CONNECT":
                outcome, usable, tunnel = self._serve_connect(link, request, entry)
            else:
                outcome, usable = self._serve_object(link, request, entry)
        finally:
            self.log.finish(entry, outcome)
        if tunnel:
            tunnel.sendall(link.received)
            relay(link.sock, tunnel)
        return usable

    def _refuse_as_proxy(self, request):
        """What a proxy says before it does anything, or None."""
        if self.proxy_status is not None:
            return page(self.proxy_status)
        if self.proxy_schemes:
            return demand_credentials(
                request, 407, self.proxy_schemes, self.proxy_nonce_uses, self.proxy_stale)
        return None

    def _serve_connect(self, link, request, entry):
        """Returns outcome, whether another request may follow, and the socket of the tunnel."""
        host, _, port = request.target.rpartition(":")
        answer = self._refuse_as_proxy(request)
        tunnel = None
        if not answer and host not in LOCAL_HOSTS:
            answer = page(403)
        if not answer:
            try:
                tunnel = socket.create_connection(("127.0.0.1", int(port)))
            except (OSError, ValueError, OverflowError):
                answer = page(502)
        if answer:
            return *Transmission(link, parse_program(""), entry).send_answer(request, answer), None
        entry["status"] = 200
        link.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
        return "complete", False, tunnel

    def _serve_object(self, link, request, entry):
        if request.path.startswith(misbehaviours.PREFIX):
            done = misbehaviours.serve(request, link, entry, object_bytes)
            if done:
                return done
        try:
            program = parse_program(request.query)
        except BadProgram as error:
            answer = text_answer(400, f"{error}\n")
            return Transmission(link, parse_program(""), entry).send_answer(request, answer)
        if program.at:
            try:
                apply_at(program, entry["number"])
            except (BadProgram, ValueError, KeyError) as error:
                answer = text_answer(400, f"at: {error}\n")
                return Transmission(link, parse_program(""), entry).send_answer(request, answer)
        if entry["number"] >= program.delay_after:
            link.wait(program.delay / 1000)
        answer = self._refuse_as_proxy(request) if request.proxied else None
        answer = answer or choose_answer(request, program, entry["number"])
        if answer.is_page and program.page is not None:
            answer.body = PatternBody(program.seed, 0, program.page)
        return Transmission(link, program, entry).send_answer(request, answer)

    def _serve_control(self, link, request):
        try:
            answer = self._control_answer(request)
        except (ValueError, KeyError) as error:
            answer = text_answer(400, f"bad control request: {error}\n")
        entry = {"number": 1, "status": 0, "body_bytes_sent": 0}
        return Transmission(link, parse_program(""), entry).send_answer(request, answer)[1]

    def _control_answer(self, request):
        values = dict(parse_qsl(request.query, keep_blank_values=True))
        if request.path == "/_ping":
            return text_answer(200, "ok")
        if request.path == "/_proxy":
            kind = one_of("none", "basic", "digest", "digest-sha256", "ntlm")(
                values.get("auth", "none"))
            self.proxy_schemes = () if kind == "none" else (kind,)
            self.proxy_status = to_status(values["status"]) if "status" in values else None
            uses = values.get("nonce_uses")
            self.proxy_nonce_uses = None if uses is None else to_number(uses)
            self.proxy_stale = to_flag(values.get("stale", "0"))
            return text_answer(200, "ok")
        if request.path == "/_misbehaving_port":
            return text_answer(200, misbehaviours.port_answer(values["name"]))
        if request.path == "/_sha256":
            seed, size = to_seed(values.get("seed", "1")), to_bytes_count(values.get("size", "64k"))
            return text_answer(200, object_sha256(seed, size))
        if request.path == "/_put" and request.method in ("PUT", "POST"):
            STORED[values["path"]] = request.body
            return text_answer(200, "ok")
        if request.path == "/_log":
            return text_answer(200, self._read_log(values), "application/json")
        return page(404)

    def _read_log(self, values):
        wait = to_number(values.get("wait", "0")) / 1000
        minimum = to_number(values.get("min", "0"))
        return self.log.read(values.get("path"), wait, minimum, to_flag(values.get("clear", "0")))


# ---------------------------------------------------------------- program


def write_port_file(path, port):
    temporary = f"{path}.{os.getpid()}.tmp"
    with open(temporary, "w", encoding="ascii") as file:
        file.write(f"{port}\n")
    os.replace(temporary, path)


def stop_with_stdin(stop):
    while os.read(0, 4096):
        pass
    stop.set()


def parse_arguments():
    parser = argparse.ArgumentParser(description="HTTP server with programmable faults")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--port-file")
    parser.add_argument("--log")
    parser.add_argument("--max-seconds", type=float, default=1800)
    parser.add_argument("--tls-cert")
    parser.add_argument("--tls-port-file")
    parser.add_argument("--exit-with-stdin", action="store_true")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    server = Server(arguments.host, arguments.port, Log(arguments.log))
    threading.Thread(target=server.run, daemon=True).start()
    if arguments.tls_cert:
        front = TlsFront(arguments.tls_cert, server.port)
        threading.Thread(target=front.run, daemon=True).start()
        if arguments.tls_port_file:
            write_port_file(arguments.tls_port_file, front.port)
    if arguments.exit_with_stdin:
        threading.Thread(target=stop_with_stdin, args=(stop,), daemon=True).start()
    if arguments.port_file:
        write_port_file(arguments.port_file, server.port)
    print(f"http://127.0.0.1:{server.port}", flush=True)
    stop.wait(arguments.max_seconds)
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
