#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""HTTPS through the registered DLL: each fault of a certificate has its own error, and a good one works.

    tls.py --build DIR --client EXE --add-root EXE

Makes an authority and server certificates with openssl, trusts the authority in the tests' Wine
prefix, serves one file over HTTPS on 127.0.0.1 and runs the client (URL and PATH as arguments)
against each certificate. The environment of environment.py must be running.
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


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    requests = 0

    def do_GET(self):
        Handler.requests += 1
        self.send_response(200)
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)

    def log_message(self, *_):
        pass


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, capture_output=True, timeout=60)


def make_authority(folder, name):
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj",
            f"/CN=dosvc test {name}", "-addext", "basicConstraints=critical,CA:TRUE",
            "-keyout", f"{folder}/{name}.key", "-out", f"{folder}/{name}.pem")


def make_certificate(folder, name, host, issuer, days):
    """A certificate with its key in one file, whose path is returned."""
    base = f"{folder}/{name}"
    if issuer is None:
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", str(days), "-subj",
                f"/CN={host}", "-addext", f"subjectAltName=DNS:{host}",
                "-keyout", f"{base}.key", "-out", f"{base}.pem")
    else:
        pathlib.Path(f"{base}.ext").write_text(
            f"subjectAltName=DNS:{host}\nextendedKeyUsage=serverAuth\n", encoding="ascii")
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


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--client", required=True)
    parser.add_argument("--add-root", required=True)
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
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
