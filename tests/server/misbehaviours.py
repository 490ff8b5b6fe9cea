#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The catalogue of misbehaviours: one table of what servers, proxies and networks do wrong, and of
what must become of a download then.

Requests for `/_misbehave/NAME/ANYTHING` to the fault server, and for any scheme and host through it
as a proxy, meet the misbehaviour NAME.  Each ANYTHING is a path of its own to the counters and to
the log.  `/_misbehaving_port?name=NAME` answers with JSON, {"port": P, "connections": N}: a port on
which every connection meets NAME, for what happens before or instead of HTTP, and how many it had.

A row either is a query of the fault server (its parameters are explained there), or a function that
answers in its own way.  The object is that of seed 1 with 65536 bytes; "new object" is seed 2,
"longer object" seed 2 with 65537 bytes.  Connections close after each answer unless it is about
connections that do not.  A client may ask by any host that leads here, but not by 127.0.0.1, which
is the other host of the rows that need one.  The client sends Authorization and Cookie for the host that it asks.

    misbehaviours.py --check PROGRAM PAGE   PROGRAM --list prints the same rows, NAME|ASKED|OUTCOME|
                                            REQUESTS, and PAGE has them as rows of a table
    misbehaviours.py --page                 prints that table

Columns of a row
----------------
asked     whole, known (whole, and the client says 65536), range (bytes 1000 to 19999),
          range-known, tail (1000 to the end), pieces (1000 to 19999, then 30000 to 39999), beyond
          (60000 to 69999), far (70000 to 79999), once (whole, without retries), hurry (whole, 1 s
          without progress is too long), proxy (whole through the proxy), proxy-range, tls (whole
          over https), trusting (the same, any certificate will do), tunnel (tls through the proxy)
outcome   what the file is in the end (object, new object, longer object, empty object); or the code
          of a job in ERROR; or, with `again`, of a job in TRANSIENT_ERROR, after its fast retries
requests  how many of them it takes to come there; connections, for tls, trusting and tunnel
"""

import json
import re
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time

PREFIX = "/_misbehave/"
SIZE = 65536
ETAG = '"m"'
DATE = "Wed, 01 Jan 2020 00:00:00 GMT"
FLOOD_SECONDS = 20
KEEP = "keep"

OBJECT, NEW, LONGER, EMPTY = "object", "new object", "longer object", "empty object"
ABORTED = "0x80072EFE"
BAD_ANSWER = "0x80072F78"
TIMEOUT = "0x80072EE2"
NO_RANGES = "0x80D05011"
BLOCK_SIZE = "0x80D05001"
NOT_REDIRECTED = "0x80190003"
BAD_REDIRECT = "0x80072F7C"
ODD_SUCCESS = "0x80D0380D"
NOT_IDENTITY = "0x80190196"
TLS_FAILED = "0x80072F8F"
UNTRUSTED = "0x80D05002"

ROWS = {}


class Row:
    def __init__(self, name, asked, does, outcome, requests, how):
        self.name, self.asked, self.does = name, asked, does
        self.outcome, self.requests, self.how = outcome, requests, how

    def facts(self):
        return f"{self.name}|{self.asked}|{self.outcome}|{self.requests}"

    def in_page(self):
        return (f"| `{self.name}` | {self.asked} | {self.does} | {self.outcome} | "
                f"{self.requests} |")


def row(name, asked, does, outcome, requests, how):
    """how: a query of the fault server, or a function of an Exchange or of a socket."""
    if name in ROWS or not re.fullmatch(r"[a-z0-9-]{3,32}", name):
        raise ValueError(name)
    ROWS[name] = Row(name, asked, does, outcome, requests, how)


def again(code):
    return f"{code} again"


# ---------------------------------------------------------------- answers of our own


class Exchange:
    """One request, and the means to answer it."""

    def __init__(self, request, link, entry, content):
        self.headers = request.headers
        self.target = request.target
        self.link = link
        self.entry = entry
        self.number = entry["number"]
        self.content = content
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("range", ""))
        self.first = int(match[1]) if match else None
        self.last = int(match[2] or SIZE - 1) if match else None

    def send(self, *parts):
        for part in parts:
            self.link.send(part if isinstance(part, bytes) else part.encode("latin-1"))

    def body(self, seed=1):
        """The bytes that are asked for."""
        if self.first is None:
            return self.content(seed, 0, SIZE)
        return self.content(seed, self.first, self.last - self.first + 1)

    def answer(self, *, line=None, add=(), body=None, after="", seed=1, total=SIZE, whole=False,
               **fields):
        """A right answer but for what the arguments say; a field that is None is left out."""
        if whole:
            self.first = None
        body = self.body(seed) if body is None else body
        partial = self.first is not None
        self.entry["status"] = 206 if partial else 200
        known = {"Content-Type": "application/octet-stream", "Content-Length": str(len(body)),
                 "Content-Range": f"bytes {self.first}-{self.last}/{total}" if partial else None,
                 "ETag": ETAG, "Last-Modified": DATE}
        known |= {name.replace("_", "-"): value for name, value in fields.items()}
        line = line or ("HTTP/1.1 206 Partial Content" if partial else "HTTP/1.1 200 OK")
        head = [line, *(f"{n}: {v}" for n, v in known.items() if v is not None), *add]
        self.send(("\r\n".join(head) + "\r\n\r\n").encode("latin-1") + body + after.encode())

    def flood(self, *parts):
        """Sends that until the client leaves."""
        end = time.monotonic() + FLOOD_SECONDS
        while time.monotonic() < end:
            self.send(*parts)

    def drip(self, data, seconds):
        for at in range(len(data)):
            self.send(data[at:at + 1])
            self.link.wait(seconds)


def different(**arguments):
    """A right answer but for these arguments of Exchange.answer."""
    return lambda x: x.answer(**arguments)


def with_lines(*lines):
    return different(add=lines)


def plain(text):
    """This and nothing else."""
    return lambda x: x.send(text)


def chunks(x, *parts, after="0\r\n\r\n", **fields):
    """The whole object in chunks; parts are put before the last one."""
    body = x.content(1, 0, SIZE)
    x.answer(whole=True, body=b"%x\r\n%b\r\n" % (SIZE, body) + "".join(parts).encode()
             + after.encode(), **{"Content_Length": None, "Transfer_Encoding": "chunked"} | fields)


def by_number(*functions):
    """A function for each request; the last one for all that follow."""
    return lambda x: functions[min(x.number, len(functions)) - 1](x)


def cut_first(then):
    """The first answer ends with its connection after 30000 bytes."""
    def cut(x):
        x.answer(Content_Length=str(SIZE), body=x.body()[:30000])
    return by_number(cut, then)


# ---------------------------------------------------------------- heads

row("status-garbage", "whole", "a status line that is not HTTP", again(BAD_ANSWER), 3,
    "head_garbage=1")
row("status-http09", "whole", "the body alone, as HTTP/0.9 did", again(BAD_ANSWER), 3,
    lambda x: x.send(x.body()))
row("status-none", "whole", "`HTTP/1.1` without a code", again(BAD_ANSWER), 3,
    different(line="HTTP/1.1"))
row("status-two-digits", "whole", "`HTTP/1.1 20 OK`", again(BAD_ANSWER), 3,
    different(line="HTTP/1.1 20 OK"))
row("status-four-digits", "whole", "`HTTP/1.1 2000 OK`", again(BAD_ANSWER), 3,
    different(line="HTTP/1.1 2000 OK"))
row("status-zero", "whole", "`HTTP/1.1 000 OK`", again(BAD_ANSWER), 3,
    different(line="HTTP/1.1 000 OK"))
row("status-version", "whole", "`HTTP/9.7 200 OK`", again(BAD_ANSWER), 3,
    different(line="HTTP/9.7 200 OK"))
row("status-http10", "whole", "HTTP/1.0", OBJECT, 1, "http10=1")
row("status-no-reason", "whole", "`HTTP/1.1 200` without a reason", OBJECT, 1,
    lambda x: x.answer(line="HTTP/1.1 200"))
row("status-only", "whole", "a status line, then the end", again(ABORTED), 3,
    plain("HTTP/1.1 200 OK\r\n"))
row("head-cut", "whole", "the end in the middle of a header", again(ABORTED), 3,
    plain("HTTP/1.1 200 OK\r\nContent-Length: 65536\r\nETa"))
row("head-flood", "whole", "400 KiB of headers", again(BAD_ANSWER), 3, "header_flood=400")
row("head-large", "whole", "200 KiB of headers", OBJECT, 1, "header_flood=200")
row("head-endless", "whole", "headers without end", again(BAD_ANSWER), 3,
    lambda x: (x.send("HTTP/1.1 200 OK\r\n"), x.flood("X-More: " + "y" * 1000 + "\r\n")))
row("head-drip", "once", "a head of one byte each 0.1 s", TIMEOUT, 1,
    lambda x: x.drip(b"HTTP/1.1 200 OK\r\nX-Slow: " + b"y" * 100, 0.1))
row("head-stall", "once", "half a head, then silence", TIMEOUT, 1,
    lambda x: (x.send("HTTP/1.1 200 OK\r\nX-"), x.link.wait(FLOOD_SECONDS)))
row("header-long", "whole", "one header of 80 KiB", OBJECT, 1, with_lines("X-Long: " + "y" * 80000))
row("header-too-long", "whole", "one header of 300 KiB", again(BAD_ANSWER), 3,
    with_lines("X-Long: " + "y" * 300000))
row("header-no-colon", "whole", "a header without a colon", again(BAD_ANSWER), 3,
    with_lines("no colon here"))
row("header-no-name", "whole", "a header without a name", OBJECT, 1, with_lines(": nameless"))
row("header-nul", "whole", "a NUL in a header", again(BAD_ANSWER), 3, with_lines("X-Nul: a\0b"))
row("header-bare-lf", "whole", "lines that end with LF alone", OBJECT, 1,
    lambda x: x.send(f"HTTP/1.1 200 OK\nContent-Length: {SIZE}\nETag: {ETAG}\n\n", x.body()))
row("header-folded", "whole", "a header that goes on in the next line", OBJECT, 1,
    with_lines("X-Folded: a", " b"))
row("header-control", "whole", "control characters in headers and in the entity tag", OBJECT, 1,
    different(ETag='"\x01\x7f"', add=("X-Odd: \x02\x1b[2J",)))
row("informational-100", "whole", "100 Continue before the answer", OBJECT, 1,
    lambda x: (x.send("HTTP/1.1 100 Continue\r\n\r\n"), x.answer()))
row("informational-103", "whole", "103 with a length, a range and an entity tag of its own", OBJECT,
    1, lambda x: (x.send("HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\nETag: \"early\"\r\n"
                         "Content-Encoding: gzip\r\nContent-Range: bytes 0-4/5\r\n\r\n"),
                  x.answer()))
row("informational-many", "whole", "a hundred of 102 before the answer", OBJECT, 1,
    lambda x: (x.send("HTTP/1.1 102 Processing\r\n\r\n" * 100), x.answer()))
row("informational-endless", "whole", "100 Continue for ever", again(BAD_ANSWER), 3,
    lambda x: x.flood("HTTP/1.1 100 Continue\r\n\r\n" * 1000))
row("informational-101", "whole", "101 Switching Protocols that nobody asked for", "0x80190001", 1,
    lambda x: (x.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: odd\r\n\r\n"), x.send("odd")))

# ---------------------------------------------------------------- lengths and codings

row("length-none", "whole", "no length, the body ends with the connection", OBJECT, 1,
    "no_length=1")
row("length-none-cut", "known", "the same, cut after 30000 bytes", NO_RANGES, 1,
    "no_length=1&cut=30000")
row("length-more", "whole", "a length of 65536 and 30000 bytes, each time", OBJECT, 3, "cut=30000")
row("length-less", "whole", "5000 bytes more than the length says", OBJECT, 1, "long=5000")
row("length-negative", "whole", "`Content-Length: -5`", again(BAD_ANSWER), 3,
    different(Content_Length="-5"))
row("length-plus", "whole", "`Content-Length: +65536`", again(BAD_ANSWER), 3,
    different(Content_Length="+65536"))
row("length-hex", "whole", "`Content-Length: 0x10000`", again(BAD_ANSWER), 3,
    different(Content_Length="0x10000"))
row("length-text", "whole", "`Content-Length: many`", again(BAD_ANSWER), 3,
    different(Content_Length="many"))
row("length-empty", "whole", "`Content-Length:` without a number", again(BAD_ANSWER), 3,
    different(Content_Length=""))
row("length-2-63", "whole", "a length of 2^63", again(BAD_ANSWER), 3,
    different(Content_Length=str(2 ** 63)))
row("length-overflow", "whole", "a length of 30 digits", again(BAD_ANSWER), 3,
    different(Content_Length="9" * 30))
row("length-twice", "whole", "the same length twice", OBJECT, 1,
    with_lines(f"Content-Length: {SIZE}"))
row("length-two", "whole", "two lengths that differ", again(BAD_ANSWER), 3,
    with_lines("Content-Length: 1000"))
row("length-list", "whole", "`Content-Length: 65536, 65536`", again(BAD_ANSWER), 3,
    different(Content_Length="65536, 65536"))
row("chunked", "whole", "chunks, no length", OBJECT, 1, "chunked=1")
row("chunked-and-length", "whole", "chunks, and a length that is right", OBJECT, 1,
    lambda x: chunks(x, Content_Length=str(SIZE)))
row("chunked-longer", "whole", "chunks of more than the length says", again(BLOCK_SIZE), 3,
    lambda x: chunks(x, Content_Length="1000"))
row("chunked-shorter", "once", "chunks of less than the length says", ABORTED, 1,
    lambda x: chunks(x, Content_Length="70000"))
row("chunk-size-text", "whole", "a chunk whose size is no number", again(ABORTED), 3,
    lambda x: x.answer(whole=True, body=b"zz\r\nabc\r\n", Content_Length=None,
                       Transfer_Encoding="chunked"))
row("chunk-size-negative", "whole", "a chunk of -1 bytes", again(ABORTED), 3,
    lambda x: x.answer(whole=True, body=b"-1\r\nabc\r\n", Content_Length=None,
                       Transfer_Encoding="chunked"))
row("chunk-size-huge", "whole", "a chunk size of 30 digits", again(ABORTED), 3,
    lambda x: x.answer(whole=True, body=b"f" * 30 + b"\r\nabc\r\n", Content_Length=None,
                       Transfer_Encoding="chunked"))
row("chunk-extension", "whole", "chunk extensions", OBJECT, 1,
    lambda x: x.answer(whole=True, body=b"%x;name=\"value\";b\r\n%b\r\n0;c\r\n\r\n"
                       % (SIZE, x.content(1, 0, SIZE)), Content_Length=None,
                       Transfer_Encoding="chunked"))
row("chunk-no-end", "once", "the end before the last chunk", ABORTED, 1,
    lambda x: chunks(x, after=""))
row("chunk-trailer", "whole", "a trailer with another length, range, coding and entity tag", OBJECT,
    1, lambda x: chunks(x, after="0\r\nContent-Length: 5\r\nContent-Range: bytes 0-4/5\r\n"
                                 "Content-Encoding: gzip\r\nETag: \"t\"\r\n\r\n"))
row("chunk-trailer-length", "whole", "a trailer with another length than the head", OBJECT, 1,
    lambda x: chunks(x, after="0\r\nContent-Length: 5\r\n\r\n", Content_Length=str(SIZE)))
row("chunk-trailer-empty", "whole", "an empty body, a trailer with a length", EMPTY, 1,
    lambda x: x.answer(whole=True, body=b"0\r\nContent-Length: 1000\r\n\r\n", Content_Length=None,
                       Transfer_Encoding="chunked"))
row("chunk-trailer-status", "whole", "a trailer that looks like another answer", OBJECT, 1,
    lambda x: chunks(x, after="0\r\nHTTP/1.1 401 No: yes\r\nLocation: /x\r\n\r\n"))
row("coding-gzip", "whole", "gzip although identity is asked for", NOT_IDENTITY, 1, "gzip=1")
row("coding-br", "range", "206 with `Content-Encoding: br`", NOT_IDENTITY, 1,
    different(Content_Encoding="br"))
row("coding-identity", "whole", "`Content-Encoding: identity`", OBJECT, 1,
    different(Content_Encoding="identity"))
row("coding-two", "whole", "two lines of Content-Encoding, gzip and identity", NOT_IDENTITY, 1,
    with_lines("Content-Encoding: gzip", "Content-Encoding: identity"))
row("transfer-coding-odd", "whole", "`Transfer-Encoding: odd`", again(BAD_ANSWER), 3,
    different(Transfer_Encoding="odd", Content_Length=None))

# ---------------------------------------------------------------- ranges

row("range-ignored", "range", "200 with all of it", NO_RANGES, 1, "ignore_range=1")
row("range-ignored-tail", "tail", "the same", NO_RANGES, 1, "ignore_range=1")
row("range-ignored-resume", "whole", "cut once, then 200 to the rest", OBJECT, 3,
    "ignore_range=1&fail_first=1&fail_how=cut&fail_at=30000")
row("range-shifted", "range", "206 of the bytes one further on", NO_RANGES, 1, "wrong_range=1")
row("range-early", "range", "206 that begins 500 bytes before", NO_RANGES, 1,
    lambda x: x.answer(body=x.content(1, x.first - 500, 19500),
                       Content_Range=f"bytes {x.first - 500}-{x.last}/{SIZE}"))
row("range-short", "range", "206 with the first half", again(BLOCK_SIZE), 3, "short_range=1")
row("range-long", "range", "206 with more than was asked for", again(BLOCK_SIZE), 3,
    lambda x: x.answer(body=x.content(1, x.first, 20000),
                       Content_Range=f"bytes {x.first}-{x.last + 1000}/{SIZE}"))
row("range-total", "range-known", "206 with a total one too large", NO_RANGES, 1, "wrong_total=1")
row("range-total-tail", "tail", "the same, up to the end", again(BLOCK_SIZE), 3, "wrong_total=1")
row("range-total-unknown", "range", "`Content-Range: bytes a-b/*`", OBJECT, 1, "star_total=1")
row("range-total-unknown-tail", "tail", "the same, up to the end", "0x80D0201C", 1,
    "star_total=1")
row("range-total-small", "range", "a total before the range's end", NO_RANGES, 1,
    lambda x: x.answer(total=5000))
row("range-reversed", "range", "a range whose end is before its begin", NO_RANGES, 1,
    lambda x: x.answer(Content_Range=f"bytes {x.last}-{x.first}/{SIZE}"))
row("range-unit", "range", "a range of lines", NO_RANGES, 1,
    lambda x: x.answer(Content_Range=f"lines {x.first}-{x.last}/{SIZE}"))
row("range-overflow", "range", "a range of numbers beyond 2^64", NO_RANGES, 1,
    lambda x: x.answer(Content_Range=f"bytes {x.first + 2 ** 64}-{x.last + 2 ** 64}/{2 ** 65}"))
row("range-text", "range", "a range without numbers", NO_RANGES, 1,
    different(Content_Range="bytes all/65536"))
row("range-none", "range", "206 without Content-Range", NO_RANGES, 1, "no_content_range=1")
row("range-two", "range", "two lines of Content-Range that differ", NO_RANGES, 1,
    lambda x: x.answer(Content_Range=f"bytes 0-{x.last - x.first}/{SIZE}",
                       add=(f"Content-Range: bytes {x.first}-{x.last}/{SIZE}",)))
row("range-multipart", "range", "206 as multipart/byteranges", NO_RANGES, 1, "multipart=1")
row("range-unasked", "whole", "206 that nobody asked for", NO_RANGES, 1,
    different(line="HTTP/1.1 206 Partial Content", Content_Range=f"bytes 0-{SIZE - 1}/{SIZE}"))
row("range-length", "range", "206 whose length is not that of its range", again(BLOCK_SIZE), 3,
    different(Content_Length="1000"))
row("range-unsatisfiable", "range", "416", "0x801901A0", 1, "unsat=1")
row("range-unsatisfiable-bare", "range", "416 without Content-Range", "0x801901A0", 1,
    plain("HTTP/1.1 416 No\r\nContent-Length: 0\r\n\r\n"))
row("range-unsatisfiable-resume", "whole", "cut once, then 416 to each range", OBJECT, 3,
    cut_first(lambda x: x.send("HTTP/1.1 416 No\r\nContent-Length: 0\r\n\r\n")
              if x.first else x.answer()))
row("range-beyond", "beyond", "206 of what there is of it", "0x80D05010", 1, "")
row("range-far", "far", "416, since nothing of it is there", "0x801901A0", 1, "")
row("range-denied", "range", "`Accept-Ranges: none`, and the range all the same", OBJECT, 1,
    "accept_ranges=none")

# ---------------------------------------------------------------- objects that change

row("change-resume", "whole", "cut once, then another object: 200 to If-Range", NEW, 3,
    "fail_first=1&fail_how=cut&fail_at=30000&changed_after=2")
row("change-size-resume", "whole", "cut once, then a longer object", LONGER, 3,
    "fail_first=1&fail_how=cut&fail_at=30000&changed_size_after=2")
row("change-bare-resume", "whole", "cut once, then another object; nothing to tell them by", NEW, 2,
    "fail_first=1&fail_how=cut&fail_at=30000&changed_after=2&etag=none&last_modified=none")
row("change-if-range-ignored", "whole", "cut once, then 206 of another object", NEW, 3,
    cut_first(different(seed=2, ETag='"n"')))
row("change-date-ignored", "whole", "the same, told by Last-Modified alone", NEW, 3,
    cut_first(different(seed=2, ETag=None, Last_Modified="Thu, 02 Jan 2020 00:00:00 GMT")))
row("change-total", "pieces", "another total with the second piece", NEW, 4,
    by_number(different(), different(seed=2, total=SIZE + 1, ETag=None, Last_Modified=None)))
row("change-etag", "pieces", "another entity tag with the second piece", NEW, 4, "changed_after=2")
row("change-for-ever", "pieces", "another entity tag each time", again(BAD_ANSWER), 10,
    lambda x: x.answer(ETag=f'"{x.number}"'))
row("change-total-for-ever", "pieces", "another total each time", again(BAD_ANSWER), 10,
    lambda x: x.answer(total=SIZE + x.number))
row("etag-weak", "whole", "cut once; a weak entity tag and a date", OBJECT, 2,
    "fail_first=1&fail_how=cut&fail_at=30000&weak=1")
row("etag-weak-alone", "whole", "cut once; a weak entity tag, no date", OBJECT, 2,
    "fail_first=1&fail_how=cut&fail_at=30000&weak=1&last_modified=none")
row("etag-weakened", "whole", "cut once, then 206 with the entity tag made weak", OBJECT, 3,
    cut_first(different(ETag="W/" + ETAG)))
row("etag-bare", "whole", "cut once; an entity tag without quotes, and a date", OBJECT, 2,
    lambda x: x.answer(ETag="bare", Content_Length=str(SIZE),
                       body=x.body()[:30000]) if x.number == 1 else x.answer(ETag="bare"))
row("etag-long", "whole", "cut once; an entity tag of 1000 characters, and a date", OBJECT, 2,
    lambda x: x.answer(ETag=f'"{"e" * 1000}"', Content_Length=str(SIZE),
                       body=x.body()[:30000]) if x.number == 1
    else x.answer(ETag=f'"{"e" * 1000}"'))
row("resume-bare", "whole", "cut once, then 206 without entity tag and date", OBJECT, 2,
    cut_first(different(ETag=None, Last_Modified=None)))
row("portal-range", "range", "200 with a page of a captive portal", NO_RANGES, 1,
    plain("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\nlogin"))
row("portal-size", "known", "the same", NO_RANGES, 1,
    plain("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\nlogin"))
row("portal-resume", "known", "cut once, then the same", NO_RANGES, 3,
    cut_first(plain("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nlogin")))
row("portal-511", "whole", "511 with that page", again("0x801901FF"), 3,
    "status=511")

# ---------------------------------------------------------------- bodies and connections

row("body-none", "whole", "the end right after the head", again(ABORTED), 3, "cut=0")
row("body-reset-0", "whole", "a reset right after the head", again(ABORTED), 3, "reset=0")
row("body-reset", "whole", "a reset after 30000 bytes, each time", OBJECT, 3, "reset=30000")
row("body-reset-once", "once", "the same, without retries", ABORTED, 1, "reset=30000")
row("body-reset-last", "once", "a reset before the last byte", ABORTED, 1, "reset=65535")
row("body-cut-range", "range", "the end after 7000 bytes of a range, each time", OBJECT, 3,
    "cut=7000")
row("body-stall", "once", "silence after 30000 bytes", TIMEOUT, 1, "stall=30000")
row("body-stall-first", "whole", "the same, once", OBJECT, 2,
    "fail_first=1&fail_how=stall&fail_at=30000")
row("body-drip", "whole", "the last bytes one by one", OBJECT, 1,
    lambda x: (x.answer(Content_Length=str(SIZE), body=x.body()[:SIZE - 200]),
               x.drip(x.content(1, SIZE - 200, 200), 0.01)))
row("answer-none", "whole", "the end without any answer", again(ABORTED), 3, "drop=1")
row("answer-stall", "once", "silence instead of an answer", TIMEOUT, 1,
    lambda x: x.link.wait(FLOOD_SECONDS))
row("extra-garbage", "pieces", "garbage after the answer on a connection that is kept", OBJECT, 2,
    lambda x: (x.answer(after="garbage" * 10), KEEP)[-1])
row("extra-answer", "pieces", "a forged answer to the next request behind the right one", OBJECT, 2,
    lambda x: (x.answer(after=f"HTTP/1.1 206 OK\r\nContent-Length: 10000\r\nETag: {ETAG}\r\n"
                        f"Content-Range: bytes 30000-39999/{SIZE}\r\n\r\n" + "f" * 10000),
               KEEP)[-1])
row("extra-408", "pieces", "408 on an idle connection, which then ends", OBJECT, 2,
    lambda x: x.answer(after="HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n"))
row("kept-then-closed", "pieces", "a connection that is kept, and closed at the next request",
    OBJECT, 3, lambda x: (x.answer(), KEEP)[-1] if x.number != 2 else None)

# ---------------------------------------------------------------- redirections


HOMES = {}  # the host that was asked for first, by target


def at_home(x):
    return HOMES.setdefault(x.target, x.headers["host"]) == x.headers["host"]


def other_host(x):
    return "127.0.0.1:" + x.headers["host"].partition(":")[2]


def to(location, *lines):
    """The first request is redirected there."""
    def redirect(x):
        where = location.format(host=x.headers["host"], path=x.target,
                                port=x.headers["host"].partition(":")[2])
        x.entry["status"] = 302
        x.send("\r\n".join(["HTTP/1.1 302 Found", f"Location: {where}", "Content-Length: 0",
                            *lines]) + "\r\n\r\n")
    return by_number(redirect, different())


def redirect_away(x):
    """Another host must not see what is meant for this one."""
    if at_home(x):
        x.send(f"HTTP/1.1 307 Away\r\nLocation: http://{other_host(x)}{x.target}\r\n"
               "Content-Length: 0\r\n\r\n")
    elif "authorization" in x.headers or "cookie" in x.headers:
        x.answer(seed=3)
    else:
        x.answer()


def redirect_home(x):
    """The other host sends the client back, and there it shows its secrets again."""
    there = other_host(x) if at_home(x) else HOMES[x.target]
    secret = "authorization" in x.headers and "cookie" in x.headers
    if x.number < 3 and secret == at_home(x):
        x.send(f"HTTP/1.1 302 There\r\nLocation: http://{there}{x.target}\r\n"
               "Content-Length: 0\r\n\r\n")
    else:
        x.answer(seed=1 if at_home(x) and secret else 3)


row("redirect-loop", "whole", "redirections to itself", BAD_REDIRECT, 11,
    lambda x: x.send(f"HTTP/1.1 302 Again\r\nLocation: {x.target}\r\nContent-Length: 0\r\n\r\n"))
row("redirect-10", "whole", "ten redirections", OBJECT, 11, "redirect=10")
row("redirect-11", "whole", "eleven of them", BAD_REDIRECT, 11, "redirect=11")
row("redirect-range", "range", "three of 307 to a range", OBJECT, 4,
    "redirect=3&redirect_status=307")
row("redirect-303", "range", "303 to a range", OBJECT, 2, "redirect=1&redirect_status=303")
row("redirect-relative", "whole", "`Location: ?x_a=1`", OBJECT, 2, to("?x_a=1"))
row("redirect-no-scheme", "whole", "`Location: //host/path`", OBJECT, 2, to("//{host}{path}"))
row("redirect-fragment", "whole", "a Location with a fragment", OBJECT, 2, to("{path}#part"))
row("redirect-blanks", "whole", "a Location with blanks", OBJECT, 2, to("{path}?x_a=a b"))
row("redirect-none", "whole", "302 without Location", NOT_REDIRECTED, 1,
    plain("HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n"))
row("redirect-empty", "whole", "302 with an empty Location", NOT_REDIRECTED, 1, to(""))
row("redirect-cut", "whole", "302 with Location, the end before its empty line", again(ABORTED), 3,
    lambda x: x.send(f"HTTP/1.1 302 Found\r\nLocation: {x.target}\r\nContent-Length: 0\r\n"))
row("redirect-ftp", "whole", "a redirection to ftp", BAD_REDIRECT, 1, to("ftp://127.0.0.1/x"))
row("redirect-file", "whole", "a redirection to a file", BAD_REDIRECT, 1, to("file:///etc/passwd"))
row("redirect-unc", "whole", "a redirection to a file of another machine", BAD_REDIRECT, 1,
    to("file://host/share/x"))
row("redirect-data", "whole", "a redirection to data", BAD_REDIRECT, 1, to("data:,x"))
row("redirect-bad-port", "whole", "a redirection to port 99999", BAD_REDIRECT, 1,
    to("http://127.0.0.1:99999/x"))
row("redirect-control", "whole", "a Location with control characters", BAD_REDIRECT, 1,
    to("{path}?x_a=\x01"))
row("redirect-away", "whole", "another host, which must not see the secrets of this one", OBJECT, 2,
    redirect_away)
row("redirect-home", "whole", "another host, and from there back home", OBJECT, 3, redirect_home)
row("redirect-password", "whole", "a Location with a password for another host", OBJECT, 2,
    lambda x: to("http://user:secret@127.0.0.1:{port}{path}")(x) if x.number == 1
    else x.answer(seed=3 if "authorization" in x.headers else 1))
row("redirect-page", "whole", "a redirection with a page of 100 KiB", OBJECT, 2,
    "redirect=1&page=100k")
row("redirect-page-long", "whole", "a redirection with a page of 2 MiB", NOT_REDIRECTED, 1,
    "redirect=1&page=2m")

# ---------------------------------------------------------------- statuses

for _status in (201, 202, 203, 204, 205, 226):
    row(f"status-{_status}", "whole", f"{_status}", again(ODD_SUCCESS), 3, f"status={_status}")
for _status in (300, 301, 302, 303, 307, 308):
    row(f"status-{_status}", "whole", f"{_status} without Location", NOT_REDIRECTED, 1,
        f"status={_status}")
for _status in (304, 305, 306, 400, 401, 402, 403, 404, 405, 406, 407, 409, 410, 411, 412, 413, 414,
                415, 416, 417, 421, 422, 426, 428, 431, 451, 501, 505, 507, 510, 599):
    row(f"status-{_status}", "whole", f"{_status}", f"0x{0x80190000 + _status:08X}", 1,
        f"status={_status}")
for _status in (408, 429, 500, 502, 503, 504):
    row(f"status-{_status}", "whole", f"{_status}", again(f"0x{0x80190000 + _status:08X}"), 3,
        f"status={_status}")
row("status-600", "whole", "600", "0x80190001", 1, "status=600")
row("status-999", "whole", "999", "0x80190001", 1, "status=999")
row("status-404-range", "range", "404 to a range", "0x80190194", 1, "status=404")
row("status-503-once", "whole", "503 once", OBJECT, 2, "fail_first=1&fail_status=503")
row("page-resume", "whole", "cut once, then a page with 200 in place of the rest", again(BAD_ANSWER),
    3, "status_after=2:200&fail_first=1&fail_how=cut&fail_at=30000")
row("status-404-resume", "whole", "cut once, then 404", "0x80190194", 2,
    "fail_first=1&fail_how=cut&fail_at=30000&status_after=2:404")
row("status-401-header", "whole", "401 whose challenge makes no sense", "0x80190191", 1,
    plain("HTTP/1.1 401 No\r\nWWW-Authenticate: ,,\"\r\nContent-Length: 0\r\n\r\n"))
row("status-401-page", "whole", "401 with a page of 2 MiB", "0x80190191", 1,
    "status=401&page=2m")

# ---------------------------------------------------------------- Retry-After


def patience(value, seconds):
    """503 with that Retry-After, then the object for who waits so long and no longer than that."""
    def serve(x):
        if x.number == 1:
            ASKED_AT[x.target] = time.monotonic()
            x.send(f"HTTP/1.1 503 Busy\r\nDate: {DATE}\r\nRetry-After: {value}\r\n"
                   "Content-Length: 0\r\n\r\n")
        else:
            waited = time.monotonic() - ASKED_AT.pop(x.target, 0)
            x.answer(seed=1 if seconds - 0.02 <= waited <= seconds + 10 else 3)
    return serve


ASKED_AT = {}

row("retry-seconds", "whole", "503 with `Retry-After: 1`, once", OBJECT, 2, patience("1", 1))
row("retry-date", "whole", "the same as a date, one second after its Date", OBJECT, 2,
    patience("Wed, 01 Jan 2020 00:00:01 GMT", 1))
row("retry-past", "whole", "a date that is over", OBJECT, 2,
    patience("Tue, 31 Dec 2019 00:00:00 GMT", 0))
row("retry-garbage", "whole", "`Retry-After: soon`", OBJECT, 2, patience("soon", 0))
row("retry-negative", "whole", "`Retry-After: -1`", OBJECT, 2, patience("-1", 0))
row("retry-huge", "hurry", "`Retry-After: 4294967295`", "0x801901F7", 1,
    "status=503&retry_after=4294967295")
row("retry-overflow", "whole", "a Retry-After of 30 digits", OBJECT, 2, patience("9" * 30, 0))

# ---------------------------------------------------------------- proxies

row("proxy-none-asked", "proxy", "a proxy without faults", OBJECT, 1, "")
row("proxy-407", "proxy", "407", "0x80190197", 1, "auth=proxy")
row("proxy-407-bare", "proxy", "407 without a challenge", "0x80190197", 1, "status=407")
row("proxy-407-scheme", "proxy", "407 with a scheme that nobody knows", "0x80190197", 1,
    plain("HTTP/1.1 407 No\r\nProxy-Authenticate: Odd realm=\"x\"\r\nContent-Length: 0\r\n\r\n"))
row("proxy-403", "proxy", "403 of the proxy", "0x80190193", 1, "status=403")
row("proxy-502", "proxy", "502, the server does not answer", again("0x801901F6"), 3, "status=502")
row("proxy-504", "proxy", "504, the server is too slow", again("0x801901F8"), 3, "status=504")
row("proxy-no-ranges", "proxy-range", "a proxy that ignores ranges", NO_RANGES, 1,
    "ignore_range=1")
row("proxy-page", "proxy-range", "a page of the proxy with 200", NO_RANGES, 1,
    plain("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\nfault"))
row("proxy-cut", "proxy", "the end after 30000 bytes, each time", OBJECT, 3, "cut=30000")
row("proxy-gone", "proxy", "the end without an answer", again(ABORTED), 3, "drop=1")


# ---------------------------------------------------------------- ports of their own


def say(data):
    """Reads what comes first, says that, ends."""
    def serve(sock):
        sock.recv(65536)
        sock.sendall(data)
    return serve


def reset(sock):
    sock.recv(65536)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def stay_silent(sock):
    sock.settimeout(FLOOD_SECONDS)
    while sock.recv(65536):
        pass


def alert(number):
    """A fatal TLS alert."""
    return say(bytes([0x15, 3, 3, 0, 2, 2, number]))


def certificate():
    """A context with a certificate that nobody trusts."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                        "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
                        "-keyout", f"{folder}/key", "-out", f"{folder}/crt"], check=True,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        context.load_cert_chain(f"{folder}/crt", f"{folder}/key")
    return context


CONTEXT = []


def secure_then(function):
    """TLS, then what function says."""
    def serve(sock):
        with CONTEXT_LOCK:
            if not CONTEXT:
                CONTEXT.append(certificate())
        with CONTEXT[0].wrap_socket(sock, server_side=True) as secure:
            function(secure)
    return serve


CONTEXT_LOCK = threading.Lock()

TUNNEL_OPEN = b"HTTP/1.1 200 Connection established\r\n"


def tunnel_then(function, head=b""):
    """A proxy's answer, then what a server would do."""
    def serve(sock):
        sock.recv(65536)
        sock.sendall(TUNNEL_OPEN + head + b"\r\n")
        function(sock)
    return serve


row("tls-alert", "tls", "a TLS alert: handshake failure", again(TLS_FAILED), 3, alert(40))
row("tls-alert-version", "tls", "a TLS alert: protocol version", again(TLS_FAILED), 3, alert(70))
row("tls-alert-name", "tls", "a TLS alert: unrecognized name", again(TLS_FAILED), 3, alert(112))
row("tls-plain", "tls", "plain HTTP where TLS is spoken", again(TLS_FAILED), 3,
    say(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"))
row("tls-garbage", "tls", "garbage where TLS is spoken", again(TLS_FAILED), 3, say(b"\0\1\2" * 40))
row("tls-end", "tls", "the end in the handshake", again(TLS_FAILED), 3, say(b""))
row("tls-reset", "tls", "a reset in the handshake", again(TLS_FAILED), 3, reset)
row("tls-untrusted", "tls", "a certificate that nobody trusts", UNTRUSTED, 1,
    secure_then(say(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfalse")))
row("tls-downgrade", "trusting", "a redirection from https to http", BAD_REDIRECT, 1,
    secure_then(say(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/x\r\n"
                    b"Content-Length: 0\r\n\r\n")))
row("tls-truncated", "trusting", "a body without a length that ends without the end of TLS",
    again(ABORTED), 3, secure_then(say(b"HTTP/1.1 200 OK\r\n\r\npart")))
row("tls-cut", "trusting", "a body that is shorter than its length", again(ABORTED), 3,
    secure_then(say(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")))
row("tunnel-garbage", "tunnel", "CONNECT is answered with garbage", again(ABORTED), 3,
    say(b"garbage\r\n\r\n"))
row("tunnel-end", "tunnel", "CONNECT is answered with the end", again(ABORTED), 3, say(b""))
row("tunnel-reset", "tunnel", "CONNECT is answered with a reset", again(ABORTED), 3, reset)
row("tunnel-302", "tunnel", "CONNECT is redirected", NOT_REDIRECTED, 1,
    say(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/x\r\nContent-Length: 0\r\n\r\n"))
row("tunnel-403", "tunnel", "CONNECT is refused with 403", "0x80190193", 1,
    say(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 5\r\n\r\nnever"))
row("tunnel-407", "tunnel", "CONNECT is refused with 407 without a challenge", "0x80190197", 1,
    say(b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n"))
row("tunnel-502", "tunnel", "CONNECT is refused with 502", again("0x801901F6"), 3,
    say(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"))
row("tunnel-204", "tunnel", "CONNECT is answered with 204, then the end", again(TLS_FAILED), 3,
    say(b"HTTP/1.1 204 Nothing\r\n\r\n"))
row("tunnel-then-end", "tunnel", "a tunnel that ends at once", again(TLS_FAILED), 3,
    tunnel_then(lambda sock: None))
row("tunnel-then-plain", "tunnel", "a tunnel to plain HTTP", again(TLS_FAILED), 3,
    tunnel_then(say(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfalse")))
row("tunnel-length", "tunnel", "a tunnel whose head has a length, to who is not trusted", UNTRUSTED,
    1, tunnel_then(secure_then(say(b"")), b"Content-Length: 5\r\n"))
row("tunnel-flood", "tunnel", "CONNECT is answered with a head of 400 KiB", again(BAD_ANSWER), 3,
    say(TUNNEL_OPEN + (b"X-More: " + b"y" * 1000 + b"\r\n") * 400 + b"\r\n"))


# ---------------------------------------------------------------- for the fault server


def serve(request, link, entry, content):
    """Answers a request below PREFIX: (outcome, whether another may follow); None: the fault server
    answers, by the query that the request has got."""
    wanted = ROWS.get(request.path[len(PREFIX):].partition("/")[0])
    if wanted is None:
        request.query = "unknown=misbehaviour"
        return None
    if isinstance(wanted.how, str):
        request.query = next(filter(None, (request.query, wanted.how, "id=1")))
        if "close=1" not in request.query:
            request.query += "&close=1"
        return None
    return "complete", wanted.how(Exchange(request, link, entry, content)) == KEEP


class Port:
    """A port of which every connection meets the same misbehaviour."""

    def __init__(self, how):
        self._how = how
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.connections = 0
        self.number = self._socket.getsockname()[1]
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        while True:
            sock, _ = self._socket.accept()
            self.connections += 1
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        try:
            with sock:
                sock.settimeout(FLOOD_SECONDS)
                self._how(sock)
        except (OSError, ValueError):
            pass


PORTS = {}
PORTS_LOCK = threading.Lock()


def port_answer(name):
    """The answer to /_misbehaving_port."""
    with PORTS_LOCK:
        if name not in PORTS:
            if ROWS[name].asked not in ("tls", "trusting", "tunnel"):
                raise ValueError(name)
            PORTS[name] = Port(ROWS[name].how)
        port = PORTS[name]
    return json.dumps({"port": port.number, "connections": port.connections})


# ---------------------------------------------------------------- the table in three places


def differences(where, ours, theirs):
    for line in sorted(set(ours) - set(theirs)):
        yield f"{where} lacks: {line}"
    for line in sorted(set(theirs) - set(ours)):
        yield f"{where} has beside the catalogue: {line}"


def check(program, page):
    listed = subprocess.run([program, "--list"], check=True, capture_output=True, text=True).stdout
    with open(page, encoding="utf-8") as file:
        in_page = [line.rstrip("\n") for line in file if re.match(r"\| `[a-z0-9-]+` \|", line)]
    bad = [*differences(program, [r.facts() for r in ROWS.values()], listed.splitlines()),
           *differences(page, [r.in_page() for r in ROWS.values()], in_page)]
    print("\n".join(bad) if bad else f"{len(ROWS)} misbehaviours")
    return 1 if bad or len(ROWS) < 60 else 0


def main():
    if sys.argv[1:2] == ["--check"] and len(sys.argv) == 4:
        return check(*sys.argv[2:])
    if sys.argv[1:] == ["--page"]:
        print("\n".join(r.in_page() for r in ROWS.values()))
        return 0
    print(__doc__)
    return 2


if __name__ == "__main__":
    sys.exit(main())
