#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""HTTPS through the registered DLL: each fault of a certificate has its own error, and a good one works.

    tls.py --build DIR --client EXE --add-root EXE [--request EXE]

Makes an authority and server certificates with openssl, trusts the authority in the tests' Wine
prefix, serves one file over HTTPS on 127.0.0.1 and runs the client (URL and PATH as arguments)
against each certificate. With --request (tls_request.c) also: each fault is accepted by the flags
that name it and by no others, on connections that are there already too, and the host of a
redirection has to prove its own name. The environment of environment.py must be running.
"""

import argparse
import http.server
import os
import pathlib
import ssl
import subprocess
import sys
import tempfile
import threading

BODY = os.urandom(300_000)

# name, host in the certificate, issuer, days, what the client must say (None: success)
CASES = [
    ("good", "localhost", "trusted", 30, None),
    ("wrong-name", "other.example", "trusted", 30, "80072f06"),
    ("unknown-authority", "localhost", "unknown", 30, "80072f0d"),
    ("self-signed", "localhost", None, 30, "80072f0d"),
    ("expired", "localhost", "trusted", -1, "80072f05"),
]

# name, host in the certificate, issuer, days, usage
FLAG_CERTIFICATES = {
    "flag-good": ("localhost", "trusted", 30, "serverAuth"),
    "flag-name": ("other.example", "trusted", 30, "serverAuth"),
    "flag-authority": ("localhost", "unknown", 30, "serverAuth"),
    "flag-self-signed": ("localhost", None, 30, None),
    "flag-expired": ("localhost", "trusted", -1, "serverAuth"),
    "flag-usage": ("localhost", "trusted", 30, "clientAuth"),
    "flag-everything": ("other.example", "unknown", -1, "clientAuth"),
}

# DO_TLS_*: 1 unknown authority, 2 usage, 4 name, 8 date, 10 check revocation.
# Exchanges of one client in a row: flags, and what comes of it.
OK = "00000000"
FLAG_CASES = [
    ("flag-good", [("0", OK), ("f", OK), ("0", OK)]),
    ("flag-name", [("0", "80072f06"), ("b", "80072f06"), ("4", OK), ("0", "80072f06"), ("f", OK)]),
    ("flag-authority", [("0", "80072f0d"), ("e", "80072f0d"), ("1", OK), ("0", "80072f0d")]),
    ("flag-self-signed", [("0", "80072f0d"), ("e", "80072f0d"), ("1", OK), ("0", "80072f0d")]),
    ("flag-expired", [("0", "80072f05"), ("7", "80072f05"), ("8", OK), ("0", "80072f05")]),
    ("flag-usage", [("0", "80072f93"), ("d", "80072f93"), ("2", OK), ("0", "80072f93")]),
    ("flag-everything", [("f", OK), ("b", "80072f06"), ("f", OK), ("0", None)]),
    # A check that cannot be made has failed, and asking for it switches the other flags off.
    ("flag-good", [("10", "80072f19"), ("0", OK)]),
    ("flag-authority", [("1f", "80072f0d")]),
    ("flag-name", [("14", None)]),
]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    requests = 0
    elsewhere = None  # where /elsewhere redirects to

    def do_GET(self):
        Handler.requests += 1
        if self.path == "/elsewhere":
            self.send_response(302)
            self.send_header("Location", Handler.elsewhere)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)

    def log_message(self, *_):
        pass


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, capture_output=True, timeout=60)


def make_authority(folder, name):
    """Its subject is its own: earlier ones of that name may still be trusted in the prefix."""
    subject = f"/CN=dosvc test {name} {os.urandom(4).hex()}"
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj",
            subject, "-addext", "basicConstraints=critical,CA:TRUE",
            "-keyout", f"{folder}/{name}.key", "-out", f"{folder}/{name}.pem")


def make_certificate(folder, name, host, issuer, days, usage="serverAuth", extra=""):
    """A certificate, with more lines of extensions, and its key in one file: its path."""
    base = f"{folder}/{name}"
    if issuer is None:
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", str(days), "-subj",
                f"/CN={host}", "-addext", f"subjectAltName=DNS:{host}",
                "-keyout", f"{base}.key", "-out", f"{base}.pem")
    else:
        pathlib.Path(f"{base}.ext").write_text(
            f"subjectAltName=DNS:{host}\nextendedKeyUsage={usage}\n{extra}", encoding="ascii")
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={host}",
                "-keyout", f"{base}.key", "-out", f"{base}.csr")
        openssl("x509", "-req", "-in", f"{base}.csr", "-CA", f"{folder}/{issuer}.pem", "-CAkey",
                f"{folder}/{issuer}.key", "-CAcreateserial", "-days", str(days), "-extfile",
                f"{base}.ext", "-out", f"{base}.pem")
    both = pathlib.Path(f"{base}.both")
    both.write_bytes(pathlib.Path(f"{base}.key").read_bytes()
                     + pathlib.Path(f"{base}.pem").read_bytes())
    return both


def serve(certificate):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def wine(environ, *command):
    return subprocess.run(["wine", *command], env=environ, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60,
                          check=False)


def run_case(environ, client, folder, case):
    name, host, issuer, days, expected = case
    server = serve(make_certificate(folder, name, host, issuer, days))
    target = folder / f"{name}.bin"
    before = Handler.requests
    result = wine(environ, client, f"https://localhost:{server.server_address[1]}/file",
                  f"Z:{target}")
    server.shutdown()
    said = result.stdout.decode("utf-8", "replace").lower()
    if expected is None:
        return result.returncode == 0 and target.read_bytes() == BODY, said
    # Refused before a byte of the request has left.
    return (result.returncode != 0 and expected in said and not target.exists()
            and Handler.requests == before), said


def exchange(environ, request, url, flags):
    """What came of each exchange with that URL: (code, bytes)."""
    result = wine(environ, request, url, *flags)
    lines = result.stdout.decode("utf-8", "replace").lower().split("\n")
    found = [line.split() for line in lines if "0x" in line and len(line.split()) == 3]
    return [(code.removeprefix("0x"), int(count)) for _, code, count in found]


def is_expected(found, steps):
    """Whether each step has its code (None: any failure), and the bytes that go with it."""
    if len(found) != len(steps):
        return False
    for (code, count), (_, expected) in zip(found, steps):
        if (code == OK) != (expected == OK) or (count == len(BODY)) != (expected == OK):
            return False
        if expected is not None and code != expected:
            return False
    return True


def run_flag_cases(environ, request, folder):
    failed = 0
    certificates = {name: make_certificate(folder, name, *rest)
                    for name, rest in FLAG_CERTIFICATES.items()}
    for name, steps in FLAG_CASES:
        server = serve(certificates[name])
        before = Handler.requests
        found = exchange(environ, request, f"https://localhost:{server.server_address[1]}/file",
                         [flags for flags, _ in steps])
        server.shutdown()
        # What is refused is refused before a byte of the request has left.
        accepted = sum(expected == OK for _, expected in steps)
        good = is_expected(found, steps) and Handler.requests - before == accepted
        print(f"{name} {' '.join(flags for flags, _ in steps)}: {'ok' if good else found}")
        failed += not good
    return failed + run_redirection(environ, request, certificates)


def run_redirection(environ, request, certificates):
    """A host that a redirection leads to has to prove its own name, not the first one's."""
    failed = 0
    for name, steps in (("flag-good", [("0", OK)]), ("flag-name", [("0", "80072f06")])):
        first, second = serve(certificates["flag-good"]), serve(certificates[name])
        Handler.elsewhere = f"https://localhost:{second.server_address[1]}/file"
        found = exchange(environ, request,
                         f"https://localhost:{first.server_address[1]}/elsewhere", ["0"])
        # The address is no name that the certificate has.
        Handler.elsewhere = f"https://127.0.0.1:{second.server_address[1]}/file"
        by_address = exchange(environ, request,
                              f"https://localhost:{first.server_address[1]}/elsewhere", ["0"])
        first.shutdown()
        second.shutdown()
        good = is_expected(found, steps) and is_expected(by_address, [("0", "80072f06")])
        print(f"redirection to {name}: {'ok' if good else (found, by_address)}")
        failed += not good
    return failed


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--client", required=True)
    parser.add_argument("--add-root", required=True)
    parser.add_argument("--request")
    options = parser.parse_args()
    environ = dict(os.environ, WINEPREFIX=str(options.build / "wine"), WINEDEBUG="-all")
    failed = 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for authority in ("trusted", "unknown"):
            make_authority(folder, authority)
        openssl("x509", "-in", f"{folder}/trusted.pem", "-outform", "der", "-out",
                f"{folder}/trusted.der")
        if wine(environ, options.add_root, f"Z:{folder}/trusted.der").returncode:
            sys.exit("tls.py: the authority cannot be trusted")
        for case in CASES:
            good, said = run_case(environ, options.client, folder, case)
            print(f"{case[0]}: {'ok' if good else 'FAILED: ' + said}")
            failed += not good
        if options.request:
            failed += run_flag_cases(environ, options.request, folder)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
