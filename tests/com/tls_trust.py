#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Whom the registered DLL trusts, and what it tells of its client: all through COM.

    tls_trust.py --build DIR --client EXE --add-root EXE

Client certificates (IBackgroundCopyJobHttpOptions, property 15 of a download), the flags that
accept one fault each (SetSecurityFlags, property 7), redirections from https to http (property 24)
and revocation lists, with HTTPS servers and a responder on 127.0.0.1. The client is tls_client.c.
The environment of environment.py must be running. What this system cannot do is told as SKIPPED.
"""

import argparse
import base64
import http.server
import os
import pathlib
import socket
import socketserver
import ssl
import subprocess
import sys
import tempfile
import threading
import time

import tls
from tls import BODY, make_authority, make_certificate, openssl

OK = "00000000"
NAME = "80072f06"
DATE = "80072f05"
AUTHORITY = "80072f0d"
USAGE = "80072f93"
REVOKED = "80072f8a"
NOT_CHECKED = "80072f19"
CERTIFICATE_NEEDED = "80072f0c"
REDIRECT_FAILED = "80072f7c"
UNEXPECTED_REDIRECTION = "80190003"

OURS = "dosvc test"  # in the subject of every certificate that goes into a store
SECRET = "s3cret"

# fault: host in the certificate, issuer, days, usage, the fault's code
FAULTS = {
    "name": ("other.example", "trusted", 30, "serverAuth", NAME),
    "date": ("localhost", "trusted", -1, "serverAuth", DATE),
    "authority": ("localhost", "unknown", 30, "serverAuth", AUTHORITY),
    "usage": ("localhost", "trusted", 30, "clientAuth", USAGE),
}
# What a client passes to accept a fault: BG_SSL_* for jobs, WinHTTP's for downloads.
FLAGS = {
    "job": {"name": 0x2, "date": 0x4, "authority": 0x8, "usage": 0x10},
    "download": {"name": 0x1000, "date": 0x2000, "authority": 0x100, "usage": 0x200},
}
CHECK_REVOCATION = 0x1  # of both
KINDS = ("job", "download")


class Handler(http.server.BaseHTTPRequestHandler):
    """/file is the body, /to redirects, /asks does when there is an Authorization, else 401."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        shown = self.connection.getpeercert() if self.server.is_secure else None
        subject = dict(part[0] for part in shown["subject"])["commonName"] if shown else None
        self.server.requests.append((self.path, str(self.headers), subject))
        if self.path == "/asks" and "Authorization" not in self.headers:
            self.answer(401, b"", "WWW-Authenticate", 'Basic realm="test"')
        elif self.path in ("/to", "/asks"):
            self.answer(302, b"", "Location", self.server.target)
        else:
            self.answer(200, BODY)

    def answer(self, status, body, name="X-Nothing", value=""):
        self.send_response(status)
        self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    """certificate None: plain HTTP. asks: ssl.CERT_*, with authority as whom it believes."""

    def __init__(self, certificate=None, asks=ssl.CERT_NONE, authority=None, breaks=0):
        super().__init__(("127.0.0.1", 0), Handler)
        self.is_secure = certificate is not None
        self.breaks = breaks  # so many connections at first end in the handshake
        self.connections = 0
        self.requests = []
        self.target = ""
        if certificate:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(certificate)
            if authority:
                self.context.load_verify_locations(authority)
            self.context.verify_mode = asks
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def finish_request(self, request, client_address):
        """In the connection's own thread."""
        self.connections += 1
        if self.connections <= self.breaks:
            request.recv(100)
            return
        if self.is_secure:
            request.settimeout(20)
            with self.context.wrap_socket(request, server_side=True) as secure:
                super().finish_request(secure, client_address)
        else:
            super().finish_request(request, client_address)

    def handle_error(self, request, client_address):
        """A handshake that fails is what many tests want."""

    def url(self, path="/file", host="localhost"):
        scheme = "https" if self.is_secure else "http"
        return f"{scheme}://{host}:{self.server_address[1]}{path}"


class Responder(http.server.BaseHTTPRequestHandler):
    """Revocation lists by path; they have ports of their own, since systems keep them by URL."""

    lists = {}
    asked = []

    def do_GET(self):
        Responder.asked.append(self.path)
        found = Responder.lists.get(self.path)
        self.send_response(200 if found else 404)
        self.send_header("Content-Type", "application/pkix-crl")
        self.send_header("Content-Length", str(len(found or b"")))
        self.end_headers()
        self.wfile.write(found or b"")

    def log_message(self, *_):
        pass


class Tunnel(socketserver.ThreadingTCPServer):
    """A proxy that only makes tunnels, to port PORT of 127.0.0.1 whatever host it is asked for."""

    daemon_threads = True

    def __init__(self, port):
        super().__init__(("127.0.0.1", 0), None)
        self.port = port
        self.asked = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def finish_request(self, request, client_address):
        head = b""
        while b"\r\n\r\n" not in head:
            head += request.recv(4096)
        self.asked.append(head.split(b"\r\n")[0].decode())
        request.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as server:
            back = threading.Thread(target=self.copy, args=(server, request))
            back.start()
            self.copy(request, server)
            back.join(20)

    def copy(self, source, target):
        try:
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def handle_error(self, request, client_address):
        """A connection that a client drops."""


class Test:
    def __init__(self, options, folder):
        self.folder = folder
        self.client = options.client
        self.add_root = options.add_root
        self.environ = dict(os.environ, WINEPREFIX=str(options.build / "wine"), WINEDEBUG="-all")
        self.failed = 0
        self.targets = 0

    def check(self, name, good, said):
        print(f"{name}: {'ok' if good else f'FAILED: {said}'}", flush=True)
        self.failed += not good

    def skip(self, name, reason):
        print(f"{name}: SKIPPED: {reason}", flush=True)

    def wine(self, *command):
        result = tls.wine(self.environ, *command)
        return result.returncode, result.stdout.decode("utf-8", "replace").strip()

    def run(self, *transfers):
        """Transfers (kind, URL, options...) of one process, in a row: (code, ms, redirected)."""
        words, targets = [], []
        for kind, url, *options in transfers:
            self.targets += 1
            targets.append(self.folder / f"target{self.targets}.bin")
            path = f"Z:{targets[-1]}".replace("/", "\\")
            words += ["--"] * bool(words) + [kind, url, path, *options]
        _, said = self.wine(self.client, "transfer", *words)
        results = []
        # Wine itself may say something too.
        lines = [line for line in said.splitlines() if line.startswith("0x")]
        for line, target in zip(lines, targets):
            code, milliseconds, redirected = line.split()
            code = code.removeprefix("0x")
            # A success without the bytes, or a failure with any, is neither.
            whole = target.is_file() and target.read_bytes() == BODY
            if whole != (code == OK) or (code != OK and target.exists()):
                code += " with wrong bytes"
            results.append((code, int(milliseconds), redirected))
        if len(results) != len(transfers):
            sys.exit(f"tls_trust.py: {transfers}: {said}")
        return results

    def codes(self, *transfers):
        return [code for code, _, _ in self.run(*transfers)]

    def certificate(self, name, *arguments):
        return make_certificate(self.folder, name, *arguments)

    def import_client(self, name, issuer):
        """A client's certificate into the personal store: its SHA-1."""
        self.certificate(name, f"{OURS} {name}", issuer, 30, "clientAuth")
        base = f"{self.folder}/{name}"
        openssl("pkcs12", "-export", "-inkey", f"{base}.key", "-in", f"{base}.pem", "-passout",
                "pass:test", "-out", f"{base}.pfx")
        code, said = self.wine(self.client, "import", f"Z:{base}.pfx")
        if code:
            sys.exit(f"tls_trust.py: {name} cannot be imported: {said}")
        return said.splitlines()[-1]


class Lists:
    """Certificates that name a revocation list, lists of the authorities, and who gives them."""

    def __init__(self, test):
        self.folder = test.folder
        self.count = 0
        self.responder = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Responder)
        threading.Thread(target=self.responder.serve_forever, daemon=True).start()

    def url(self, name):
        return f"http://127.0.0.1:{self.responder.server_address[1]}/{name}.crl"

    def serve(self, name, made):
        """Answers with the list from now on; its URL."""
        Responder.lists[f"/{name}.crl"] = made
        return self.url(name)

    def certificate(self, url):
        """A good certificate that names this list (None: none), and its serial number."""
        self.count += 1
        name = f"listed{self.count}"
        extra = f"crlDistributionPoints=URI:{url}\n" if url else ""
        both = make_certificate(
            self.folder, name, "localhost", "trusted", 30, "serverAuth", extra)
        serial = subprocess.run(
            ["openssl", "x509", "-noout", "-serial", "-in", f"{self.folder}/{name}.pem"],
            check=True, capture_output=True, timeout=60).stdout.decode().strip().split("=")[1]
        return both, serial

    def make(self, issuer, revoked=(), *dates):
        """A list (DER) in which the serial numbers are revoked."""
        base = f"{self.folder}/list"
        lines = [f"R\t491231235959Z\t250101000000Z\t{serial}\tunknown\t/CN=x\n"
                 for serial in revoked]
        pathlib.Path(f"{base}.txt").write_text("".join(lines), encoding="ascii")
        pathlib.Path(f"{base}.txt.attr").write_text("unique_subject = no\n", encoding="ascii")
        pathlib.Path(f"{base}.number").write_text("01\n", encoding="ascii")
        pathlib.Path(f"{base}.cnf").write_text(
            f"[ca]\ndefault_ca=a\n[a]\ndatabase={base}.txt\ncrlnumber={base}.number\n"
            "default_md=sha256\ndefault_crl_days=5\n", encoding="ascii")
        openssl("ca", "-gencrl", "-config", f"{base}.cnf", "-cert",
                f"{self.folder}/{issuer}.pem", "-keyfile", f"{self.folder}/{issuer}.key",
                "-out", f"{base}.pem", *dates)
        openssl("crl", "-in", f"{base}.pem", "-outform", "DER", "-out", f"{base}.crl")
        return pathlib.Path(f"{base}.crl").read_bytes()


def test_client_certificates(test):
    authority = test.folder / "trusted.pem"
    good = test.certificate("good", "localhost", "trusted", 30)
    needs = Server(good, ssl.CERT_REQUIRED, authority)
    asks = Server(good, ssl.CERT_OPTIONAL, authority)

    # First, since Wine keeps the key of the last imported certificate only.
    stranger = test.import_client("stranger", "unknown")
    code = test.codes(("job", needs.url(), f"id={stranger}"))[0]
    test.check("client certificate that the server refuses", code == CERTIFICATE_NEEDED
               and needs.connections == 1 and not needs.requests, (code, needs.connections))
    known = test.import_client("client", "trusted")
    ways = [("job", f"name={OURS} client"), ("job", f"id={known}"),
            ("download", f"context={known}")]
    for kind, option in ways:
        needs.requests.clear()
        code = test.codes((kind, needs.url(), option))[0]
        subjects = [subject for _, _, subject in needs.requests]
        test.check(f"client certificate, {kind} {option.split('=')[0]}",
                   code == OK and subjects == [f"{OURS} client"], (code, subjects))

    for kind in KINDS:
        needs.requests.clear()
        needs.connections = 0
        code, milliseconds, _ = test.run((kind, needs.url()))[0]
        said = (code, milliseconds, needs.connections, needs.requests)
        # Told at once: nothing is tried again.
        test.check(f"no client certificate, {kind}", code == CERTIFICATE_NEEDED
                   and milliseconds < 10000 and needs.connections == 1 and not needs.requests, said)
        asks.requests.clear()
        code = test.codes((kind, asks.url()))[0]
        test.check(f"no client certificate where none is needed, {kind}",
                   code == OK and asks.requests[0][2] is None, (code, asks.requests))

    code, milliseconds, _ = test.run(("job", asks.url(), f"id={'0' * 40}"))[0]
    test.check("client certificate that is in no store",
               code == CERTIFICATE_NEEDED and milliseconds < 10000, (code, milliseconds))

    # A connection that knows the client serves no transfer that does not show its certificate.
    code = test.codes(("job", needs.url(), f"id={known}"), ("job", needs.url()),
                      ("download", needs.url()), ("download", needs.url(), f"context={known}"))
    test.check("a known client's connection is its own",
               code == [OK, CERTIFICATE_NEEDED, CERTIFICATE_NEEDED, OK], code)

    for kind, option in (("job", f"id={known}"), ("download", f"context={known}")):
        # The other host's name is none of its certificate's: that is accepted here.
        flag = f"flags={FLAGS[kind]['name']:x}"
        for other, expected in ((asks, OK), (needs, CERTIFICATE_NEEDED)):
            first = Server(good, ssl.CERT_REQUIRED, authority)
            first.target = other.url(host="127.0.0.1")
            other.requests.clear()
            code = test.codes((kind, first.url("/to"), option, flag))[0]
            shown = [first.requests[0][2] if first.requests else "nothing"]
            shown += [subject for _, _, subject in other.requests]
            wanted = [f"{OURS} client"] + [None] * (expected == OK)
            test.check(f"client certificate, redirection to another host, {kind} {expected}",
                       code == expected and shown == wanted, (code, shown))
            first.shutdown()

    # Not the client's certificate makes a server good.
    strange = Server(test.certificate("strange", "localhost", "unknown", 30), ssl.CERT_OPTIONAL,
                     authority)
    for kind, option in (("job", f"id={known}"), ("download", f"context={known}")):
        code = test.codes((kind, strange.url(), option))[0]
        # Windows looks already while it shakes hands, and gives no reason then.
        test.check(f"client certificate, server of an unknown authority, {kind}",
                   code in (AUTHORITY, "80d05002") and not strange.requests, code)
    strange.shutdown()

    serialized = f"{test.folder}/client.serialized"
    code, said = test.wine(test.client, "serialize", known, f"Z:{serialized}")
    if code:
        sys.exit(f"tls_trust.py: no serialized certificate: {said}")
    option = f"context-file=Z:{serialized}"
    code = test.codes(("download", needs.url(), option))
    test.wine(test.client, "forget", f"{OURS} client")
    code += test.codes(("download", needs.url(), option))
    test.check("serialized certificate, in and no longer in the personal store",
               code == [OK, CERTIFICATE_NEEDED], code)
    for server in (needs, asks):
        server.shutdown()


def test_flags(test, lists):
    """Each flag against each fault; what the authorities have revoked is known to be nothing."""
    for fault, (host, issuer, days, usage, fault_code) in FAULTS.items():
        url = lists.serve(f"faults-{issuer}", lists.make(issuer))
        certificate = test.certificate(f"fault-{fault}", host, issuer, days, usage,
                                       f"crlDistributionPoints=URI:{url}\n")
        for kind in KINDS:
            server = Server(certificate)
            flags = {"none": 0, **FLAGS[kind], "revocation": CHECK_REVOCATION}
            # Asking for revocation switches the others off.
            flags["revocation and its own"] = CHECK_REVOCATION | FLAGS[kind][fault]
            codes = test.codes(*[(kind, server.url(), f"flags={flag:x}")
                                 for flag in flags.values()])
            found = dict(zip(flags, codes))
            wanted = {name: OK if name == fault else fault_code for name in flags}
            # What is refused is refused before a byte of the request leaves.
            test.check(f"flags against {fault}, {kind}",
                       found == wanted and len(server.requests) == 1, (found, server.requests))
            server.shutdown()


def test_lax_and_strict(test):
    """In one process, on one connection: what was accepted for one is not for the next."""
    for fault in ("name", "authority"):
        code = FAULTS[fault][4]
        for order in (("job", "job"), ("job", "download"), ("download", "job")):
            server = Server(test.folder / f"fault-{fault}.both")
            lax, strict = order
            accepting = (lax, server.url(), f"flags={FLAGS[lax][fault]:x}")
            found = test.codes(accepting, (strict, server.url()), accepting,
                               (strict, server.url(), "flags=0"))
            test.check(f"lax {lax}, then strict {strict}, {fault}",
                       found == [OK, code, OK, code] and len(server.requests) == 2
                       and server.connections == 2,
                       (found, len(server.requests), server.connections))
            server.shutdown()
    everything = test.certificate("fault-everything", "other.example", "unknown", -1, "clientAuth")
    server = Server(everything)
    for kind in KINDS:
        flags = FLAGS[kind].values()
        found = test.codes((kind, server.url(), f"flags={sum(flags):x}"),
                           *[(kind, server.url(), f"flags={sum(flags) - flag:x}")
                             for flag in flags])
        test.check(f"every fault at once, {kind}", found[0] == OK and OK not in found[1:], found)
    server.shutdown()


def test_tunnels(test):
    """The host at the end of a proxy's tunnel has to prove its name as any other."""
    wrong = [(f"fault-{fault}", FAULTS[fault][4], FLAGS["job"][fault]) for fault in FAULTS]
    for name, code, flag in [("good", OK, 0), *wrong]:
        server = Server(test.folder / f"{name}.both")
        tunnel = Tunnel(server.server_address[1])
        proxy = f"proxy=127.0.0.1:{tunnel.server_address[1]}"
        found = test.codes(("job", server.url(), proxy),
                           ("job", server.url(), proxy, f"flags={flag:x}"))
        test.check(f"tunnel to {name}", found == [code, OK]
                   and len(server.requests) == 1 + (code == OK)
                   and tunnel.asked[0].startswith("CONNECT localhost:"), (found, tunnel.asked))
        tunnel.shutdown()
        server.shutdown()


def test_broken_handshakes(test):
    """A connection that is lost in a handshake is tried again, as any other."""
    for kind in KINDS:
        server = Server(test.folder / "good.both", breaks=2)
        code = test.codes((kind, server.url()))[0]
        test.check(f"handshakes that break, {kind}", code == OK and server.connections == 3,
                   (code, server.connections))
        server.shutdown()


def test_redirections(test):
    plain = Server()
    secure = Server(test.folder / "good.both")
    secure.target = plain.url()
    to_plain = secure.url("/to")
    # flags or property 24, code, whether the new URL is told
    cases = [
        ("job", [], REDIRECT_FAILED, False),
        ("job", ["flags=100"], REDIRECT_FAILED, False),
        ("job", ["flags=200"], UNEXPECTED_REDIRECTION, False),
        ("job", ["flags=a00"], UNEXPECTED_REDIRECTION, False),
        ("job", ["flags=800"], OK, False),
        ("job", ["flags=900"], OK, True),
        ("job", ["flags=1e"], REDIRECT_FAILED, False),
        ("download", [], REDIRECT_FAILED, False),
        ("download", ["downgrade=0"], REDIRECT_FAILED, False),
        ("download", ["flags=3300"], REDIRECT_FAILED, False),
        ("download", ["downgrade=1"], OK, True),
    ]
    for kind, options, expected, told in cases:
        plain.requests.clear()
        code, _, redirected = test.run((kind, to_plain, *options))[0]
        asked = len(plain.requests)
        test.check(f"https to http, {kind} {' '.join(options)}",
                   code == expected and asked == (expected == OK)
                   and (redirected == plain.url()) == told, (code, asked, redirected))
    # Not the first URL counts, but the hop that redirects.
    plain.target = to_plain
    plain.requests.clear()
    codes = test.codes(("job", plain.url("/to")), ("download", plain.url("/to")))
    test.check("http to https to http", codes == [REDIRECT_FAILED] * 2
               and [path for path, _, _ in plain.requests] == ["/to", "/to"],
               (codes, plain.requests))
    for server in (plain, secure):
        server.shutdown()


def test_secrets(test):
    """What https alone may see, in each way that a client can give it."""
    encoded = base64.b64encode(f"name:{SECRET}".encode()).decode()
    headers = f"Authorization: Bearer {SECRET}\r\nCookie: a={SECRET}\r\nX-Plain: yes"
    ways = [
        ("job", "", "/to", ["flags=800", f"headers={headers}"]),
        ("job", "", "/asks", ["flags=800", f"user=name:{SECRET}"]),
        ("job", f"name:{SECRET}@", "/to", ["flags=800"]),
        ("download", "", "/to", ["downgrade=1", f"headers={headers}"]),
        ("download", "", "/asks", ["downgrade=1", f"auth-headers=Authorization: Basic {encoded}"]),
        ("download", f"name:{SECRET}@", "/to", ["downgrade=1"]),
    ]
    for kind, user, path, options in ways:
        plain = Server()
        secure = Server(test.folder / "good.both")
        secure.target = plain.url()
        code = test.codes((kind, secure.url(path, f"{user}localhost"), *options))[0]
        safe = repr(secure.requests)
        open_text = repr(plain.requests)
        test.check(f"secrets, {kind} {user}{path} {options[-1].split('=')[0]}",
                   code == OK and len(plain.requests) == 1
                   and (SECRET in safe or encoded in safe)
                   and SECRET not in open_text and encoded not in open_text
                   and ("X-Plain" in open_text) == ("X-Plain" in safe), (code, safe, open_text))
        plain.shutdown()
        secure.shutdown()


def test_revocation(test, lists):
    dead = http.server.HTTPServer(("127.0.0.1", 0), Responder)
    dead.server_close()
    outcomes = {
        "good": (lists.certificate(lists.url("good")), OK),
        "missing": (lists.certificate(lists.url("missing")), NOT_CHECKED),
        "garbage": (lists.certificate(lists.url("garbage")), NOT_CHECKED),
        "down": (lists.certificate(f"http://127.0.0.1:{dead.server_address[1]}/down.crl"),
                 NOT_CHECKED),
        "none": (lists.certificate(None), NOT_CHECKED),
    }
    lists.serve("good", lists.make("trusted"))
    lists.serve("garbage", b"garbage")
    for name, ((certificate, _), code) in outcomes.items():
        server = Server(certificate)
        Responder.asked.clear()
        unchecked = test.codes(*[(kind, server.url(), "flags=0") for kind in KINDS])
        unasked = not Responder.asked
        server.requests.clear()
        checked = test.codes(*[(kind, server.url(), "flags=1") for kind in KINDS])
        asked = bool(Responder.asked) or name in ("down", "none")
        test.check(f"revocation, list {name}",
                   unchecked == [OK, OK] and checked == [code, code] and unasked and asked
                   and len(server.requests) == 2 * (code == OK),
                   (unchecked, checked, unasked, Responder.asked, len(server.requests)))
        # A connection that was made without the check is checked for who asks for it.
        found = test.codes(("job", server.url()), ("job", server.url(), "flags=1"),
                           ("download", server.url()), ("download", server.url(), "flags=1"))
        test.check(f"revocation, list {name}, with and without", found == [OK, code] * 2, found)
        server.shutdown()
    for kind in KINDS:
        test_revoked(test, lists, kind)

    # Lists that prove nothing: by another authority, and out of date.
    old = ("-crl_lastupdate", "20250101000000Z", "-crl_nextupdate", "20250102000000Z")
    proofless = {"foreign": lists.make("unknown"), "old": lists.make("trusted", (), *old)}
    for name, made in proofless.items():
        certificate, _ = lists.certificate(lists.serve(name, made))
        server = Server(certificate)
        code = test.codes(("job", server.url(), "flags=1"))[0]
        if code == OK and Responder.asked[-1] == f"/{name}.crl":
            test.skip(f"revocation, list {name}", "cryptnet of this system looks neither at a "
                      "list's signature nor at its dates (Wine 8)")
        else:
            test.check(f"revocation, list {name}", code == NOT_CHECKED, code)
        server.shutdown()
    test_kept_verdicts(test, lists)
    test_stalled_list(test, lists)


def test_revoked(test, lists, kind):
    """A certificate that no earlier check has seen."""
    certificate, serial = lists.certificate(lists.url(f"revoked-{kind}"))
    lists.serve(f"revoked-{kind}", lists.make("trusted", [serial]))
    server = Server(certificate)
    found = test.codes((kind, server.url()), (kind, server.url(), "flags=1"))
    test.check(f"revoked, {kind}", found == [OK, REVOKED] and len(server.requests) == 1, found)
    found = test.codes((kind, server.url(), "flags=1"))[0]
    if found == OK:
        test.skip(f"revoked, {kind}, again", "cryptnet of this system keeps the verdict by serial "
                  "number, and keeps a revoked one as good (Wine 8)")
    else:
        test.check(f"revoked, {kind}, again", found == REVOKED, found)
    server.shutdown()


class Silent(socketserver.ThreadingTCPServer):
    """A responder that accepts and never answers. note: a file that is made when it is asked."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, note=None):
        super().__init__(("127.0.0.1", 0), None)
        self.note = note
        self.asked = 0
        self.ends = threading.Event()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def finish_request(self, request, client_address):
        self.asked += bool(request.recv(4096))
        if self.note:
            self.note.touch()
        self.ends.wait()

    def handle_error(self, request, client_address):
        """The process that asked has ended."""

    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/silent.crl"

    def close(self):
        self.ends.set()
        self.shutdown()
        self.server_close()


def beside(test, url, plain, until=None):
    """Words that the client says of a download beside which others run, and how long it ran."""
    target, other = (f"Z:{test.folder}/{name}.bin".replace("/", "\\")
                     for name in ("watched", "other"))
    begin = time.monotonic()
    exit_code, said = test.wine(test.client, "beside", url, target, plain, other,
                        *([f"Z:{until}".replace("/", "\\")] if until else []))
    seconds = time.monotonic() - begin
    words = [line for line in said.splitlines() if line.startswith("0x")]
    if exit_code or not words:
        sys.exit(f"tls_trust.py: beside: exit code {exit_code}: {said}")
    return [word.removeprefix("0x") for word in words[0].split()], seconds


def test_stalled_list(test, lists):
    """A responder that never answers holds nobody but who asks, and that for 10 s."""
    plain = Server()
    silent = Silent()
    server = Server(lists.certificate(silent.url())[0])
    (code, took, count, others, slowest), seconds = beside(test, server.url(), plain.url())
    test.check("revocation, responder stalls, code",
               code == NOT_CHECKED and 8000 < int(took) < 13000 and not server.requests
               and silent.asked, (code, took, server.requests, silent.asked))
    test.check("revocation, responder stalls, others go on",
               others == OK and int(count) >= 5 and int(slowest) < 5000, (count, others, slowest))
    test.check("revocation, responder stalls, end of the process",
               seconds < int(took) / 1000 + 5, (seconds, took))
    silent.close()
    server.shutdown()

    note = test.folder / "asked"
    silent = Silent(note)
    server = Server(lists.certificate(silent.url())[0])
    words, seconds = beside(test, server.url(), plain.url(), note)
    code, took, count, others, slowest, aborted, abort_ms = words
    test.check("revocation, responder stalls, cancel",
               code == OK and aborted == OK and int(abort_ms) < 2000 and others == OK
               and int(count) >= 1 and int(slowest) < 5000 and not server.requests
               and seconds < int(took) / 1000 + 8, (words, seconds))
    silent.close()
    server.shutdown()
    plain.shutdown()


def test_kept_verdicts(test, lists):
    """Within some minutes nobody is asked again, whatever the system would do."""
    for name, code in (("kept-good", OK), ("kept-missing", NOT_CHECKED)):
        server = Server(lists.certificate(lists.url(name))[0])
        if code == OK:
            lists.serve(name, lists.make("trusted"))
        Responder.asked.clear()
        once = test.codes(("job", server.url(), "flags=1"))
        asked = Responder.asked.count(f"/{name}.crl")
        server.shutdown()
        server = Server(lists.certificate(lists.url(f"{name}-again"))[0])
        if code == OK:
            lists.serve(f"{name}-again", lists.make("trusted"))
        found = test.codes(*[(kind, server.url(), "flags=1") for kind in KINDS * 2])
        again = Responder.asked.count(f"/{name}-again.crl")
        test.check(f"revocation, verdict {name}", once == [code] and found == [code] * 4
                   and asked and again == asked, (once, found, asked, again))
        server.shutdown()
    # Wine 8 keeps a revoked one as good, so that this one is ours.
    certificate, serial = lists.certificate(lists.url("kept-revoked"))
    lists.serve("kept-revoked", lists.make("trusted", [serial]))
    server = Server(certificate)
    found = test.codes(*[(kind, server.url(), "flags=1") for kind in KINDS * 2])
    test.check("revocation, verdict kept-revoked",
               found == [REVOKED] * 4 and not server.requests, found)
    server.shutdown()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--client", required=True)
    parser.add_argument("--add-root", required=True)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        test = Test(options, folder)
        make_authority(folder, "trusted")
        make_authority(folder, "unknown")
        openssl("x509", "-in", f"{folder}/trusted.pem", "-outform", "DER", "-out",
                f"{folder}/trusted.der")
        test.wine(test.client, "forget", OURS)
        if test.wine(test.add_root, f"Z:{folder}/trusted.der")[0]:
            sys.exit("tls_trust.py: the authority cannot be trusted")
        lists = Lists(test)
        try:
            test_client_certificates(test)
            test_flags(test, lists)
            test_lax_and_strict(test)
            test_tunnels(test)
            test_broken_handshakes(test)
            test_redirections(test)
            test_secrets(test)
            test_revocation(test, lists)
        finally:
            test.wine(test.client, "forget", OURS)
    sys.exit(1 if test.failed else 0)


if __name__ == "__main__":
    main()
