#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Real servers: nginx, Apache, lighttpd, and Squid as a proxy, each with a configuration of its own
in a temporary folder, on ports of 127.0.0.1 that the system chooses.

    servers.py FETCH [NAME...]      FETCH is the program of fetch.c, NAME a part of a test's name

A server that is not installed is skipped with a line that says so; with none of them the exit
status is 77.  The servers run as children in the foreground and end with this program.  Over https
their certificate is one that nobody trusts, which the client is told to accept; that it refuses it
otherwise is a test as well.  What a test needs to know about requests comes from access logs.
"""

import contextlib
import functools
import gzip
import os
import random
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

WAIT_SECONDS = 20
FETCH_SECONDS = 90
GIB = 1 << 30
SPARSE_SIZE = 5 * GIB
TRANSFERRED = "transferred 0x00000000 0"
UNTRUSTED = "0x80D05002"
RATE = 400 * 1024  # of /slow/, bytes per second
SKIPPED = 77


class Files:
    """What the servers serve."""

    def __init__(self, folder):
        self.root = os.path.join(folder, "root")
        self.big = random.Random(1).randbytes((1 << 20) + 17)
        self.other = random.Random(2).randbytes((1 << 20) + 99)
        self.text = b"".join(b"line %d of a text that is easily compressed\n" % n
                             for n in range(5000))
        self.end = random.Random(3).randbytes(70000)
        for name in ("slow", "untagged", "dir", "forbidden", "limited", "short"):
            os.makedirs(os.path.join(self.root, name))
        names = [f"{f}/{s}{c}" for f in ("slow", "untagged") for s in ("http", "https")
                 for c in ("", "-changes")]
        for name in ("big", "limited/big", "short/big", "forbidden/big", *names):
            self.write(name, self.big)
        self.write("empty", b"")
        self.write("dir/index.html", b"<html>index</html>\n")
        self.write("text.txt", self.text)
        self.write("text.txt.gz", gzip.compress(self.text))
        path = self.write("sparse", b"")
        with open(path, "r+b") as file:
            file.truncate(SPARSE_SIZE)
            file.seek(SPARSE_SIZE - len(self.end))
            file.write(self.end)

    def write(self, name, data, age_s=3600):
        """A file that is not of this minute: some servers give those weak entity tags."""
        path = os.path.join(self.root, name)
        with open(path + ".new", "wb") as file:
            file.write(data)
        os.utime(path + ".new", (time.time() - age_s,) * 2)
        os.replace(path + ".new", path)
        return path


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return sock.getsockname()[1]


def find(program):
    return shutil.which(program) or shutil.which(program, path="/usr/sbin:/usr/local/sbin:/sbin")


class Server:
    """A server, or a proxy, that runs from `with` to its end."""

    program = name = None

    def __init__(self, folder, files, pem):
        self.folder = os.path.join(folder, self.name)
        self.files = files
        self.pem = pem
        self.http, self.https = free_port(), free_port()
        self.log = os.path.join(self.folder, "access.log")
        os.makedirs(self.folder)
        os.chmod(self.folder, 0o777)

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def url(self, scheme, path):
        return f"{scheme}://127.0.0.1:{self.http if scheme == 'http' else self.https}{path}"

    def __enter__(self):
        with open(os.path.join(self.folder, "output"), "wb") as output:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=output,
                                            stderr=output, start_new_session=True)
        end = time.monotonic() + WAIT_SECONDS
        for port in self.ports():
            while not self.answers(port):
                if self.process.poll() is not None or time.monotonic() > end:
                    self.__exit__()
                    with open(os.path.join(self.folder, "output"), encoding="utf-8") as output:
                        raise AssertionError(f"{self.name} does not start: {output.read()}")
                time.sleep(0.02)
        return self

    def ports(self):
        return self.http, self.https

    @staticmethod
    def answers(port):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return True
        return False

    def __exit__(self, *_):
        """The whole group: a server's workers are not our children."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(5)

    def requests(self, path, at_least):
        """The lines of the access log for a path: status, Range, If-Range."""
        end = time.monotonic() + WAIT_SECONDS
        while True:
            found = []
            if os.path.exists(self.log):
                with open(self.log, encoding="utf-8") as file:
                    found = [line.rstrip("\n").split("|")[1:] for line in file
                             if line.startswith(path + "|") and line.endswith("\n")]
            if len(found) >= at_least:
                return found
            if time.monotonic() > end:
                raise AssertionError(f"{path}: {found}, not {at_least} requests")
            time.sleep(0.05)


    def conditions(self, path):
        """The If-Range of each request for a part; logs are in the order of the requests' ends."""
        requests = self.requests(path, 2)
        parts = [line for line in requests if line[1].startswith("bytes=")]
        equal(len(parts), len(requests) - 1)
        for status, asked, _ in parts:
            equal(status, "206")
            equal(asked.startswith("bytes=0-"), False)
        return [condition for _, _, condition in parts]


class Nginx(Server):
    program = name = "nginx"

    def command(self):
        conf = self.write("conf", f"""
            daemon off;
            {"user root;" if os.geteuid() == 0 else ""}
            worker_processes 1;
            pid {self.folder}/pid;
            error_log {self.folder}/error.log;
            events {{ worker_connections 128; }}
            http {{
                log_format plain escape=none '$uri|$status|$http_range|$http_if_range';
                access_log {self.log} plain;
                {"".join(f"{n}_temp_path {self.folder}/{n};" for n in
                         ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))}
                types {{ text/html html; text/plain txt; }}
                default_type application/octet-stream;
                limit_conn_zone $binary_remote_addr zone=one:1m;
                keepalive_requests 3;
                gzip on; gzip_types *; gzip_min_length 1; gzip_static on; gzip_vary on;
                server {{
                    listen 127.0.0.1:{self.http};
                    listen 127.0.0.1:{self.https} ssl;
                    ssl_certificate {self.pem}; ssl_certificate_key {self.pem};
                    root {self.files.root};
                    location /slow/ {{ limit_rate {RATE}; }}
                    location /untagged/ {{ limit_rate {RATE}; etag off; }}
                    location /forbidden/ {{ deny all; }}
                    location /limited/ {{ limit_conn one 1; limit_rate {RATE * 2}; }}
                }}
            }}
            """)
        return [find(self.program), "-p", self.folder, "-c", conf, "-e", f"{self.folder}/error.log"]


class Apache(Server):
    program, name = "apache2", "apache"

    def command(self):
        modules = ("mpm_event", "authz_core", "dir", "mime", "alias", "deflate", "filter", "env",
                   "setenvif", "headers", "ratelimit", "ssl", "socache_shmcb")
        folder = next((f for f in ("/usr/lib/apache2/modules", "/usr/lib64/httpd/modules")
                       if os.path.isdir(f)), "/usr/lib/apache2/modules")
        loads = "\n".join(f"LoadModule {m}_module {folder}/mod_{m}.so" for m in modules)
        conf = self.write("conf", f"""
ServerRoot {self.folder}
ServerName 127.0.0.1
PidFile {self.folder}/pid
DefaultRuntimeDir {self.folder}
ErrorLog {self.folder}/error.log
{loads}
{"User www-data" if os.geteuid() == 0 else ""}
{"Group www-data" if os.geteuid() == 0 else ""}
Listen 127.0.0.1:{self.http}
Listen 127.0.0.1:{self.https}
StartServers 1
ServerLimit 2
ThreadsPerChild 16
MaxRequestWorkers 32
KeepAlive On
MaxKeepAliveRequests 3
TypesConfig /dev/null
AddType text/html .html
AddType text/plain .txt
LogFormat "%U|%>s|%{{Range}}i|%{{If-Range}}i" plain
CustomLog {self.log} plain
DocumentRoot {self.files.root}
<Directory {self.files.root}>
    Require all granted
    SetOutputFilter DEFLATE
</Directory>
<Location /forbidden/>
    Require all denied
</Location>
<Location /slow/>
    SetOutputFilter RATE_LIMIT
    SetEnv rate-limit {RATE // 1024}
</Location>
<Location /untagged/>
    FileETag None
    Header unset ETag
    SetOutputFilter RATE_LIMIT
    SetEnv rate-limit {RATE // 1024}
</Location>
<VirtualHost 127.0.0.1:{self.https}>
    SSLEngine on
    SSLCertificateFile {self.pem}
</VirtualHost>
""")
        return [find(self.program), "-f", conf, "-DFOREGROUND"]


class Lighttpd(Server):
    program = name = "lighttpd"

    def command(self):
        folder = next((f for f in ("/usr/lib/lighttpd", "/usr/lib64/lighttpd")
                       if os.path.exists(f"{f}/mod_openssl.so")), None)
        deflate = folder and os.path.exists(f"{folder}/mod_deflate.so")
        conf = self.write("conf", f"""
server.modules = ( "mod_access", "mod_accesslog", "mod_openssl"
                   {', "mod_deflate"' if deflate else ""} )
server.document-root = "{self.files.root}"
server.errorlog = "{self.folder}/error.log"
server.pid-file = "{self.folder}/pid"
server.bind = "127.0.0.1"
server.port = {self.http}
server.max-keep-alive-requests = 3
server.stat-cache-engine = "disable"
index-file.names = ( "index.html" )
mimetype.assign = ( ".html" => "text/html", ".txt" => "text/plain",
                    "" => "application/octet-stream" )
accesslog.filename = "{self.log}"
accesslog.format = "%U|%>s|%{{Range}}i|%{{If-Range}}i"
{f'''deflate.mimetypes = ( "" )
deflate.allowed-encodings = ( "gzip" )''' if deflate else ""}
$SERVER["socket"] == "127.0.0.1:{self.https}" {{
    ssl.engine = "enable"
    ssl.pemfile = "{self.pem}"
}}
$HTTP["url"] =~ "^/(slow|untagged)/" {{ connection.kbytes-per-second = {RATE // 1024} }}
$HTTP["url"] =~ "^/untagged/" {{ static-file.etags = "disable" }}
$HTTP["url"] =~ "^/forbidden/" {{ url.access-deny = ( "" ) }}
""")
        return [find(self.program), "-D", "-f", conf]


class Squid(Server):
    """A forward proxy; it lets CONNECT to the https port of the server behind it, and no other."""

    program = name = "squid"

    def __init__(self, folder, files, pem, behind):
        super().__init__(folder, files, pem)
        self.behind = behind

    def ports(self):
        return (self.http,)

    def command(self):
        conf = self.write("conf", f"""
http_port 127.0.0.1:{self.http}
acl local dst 127.0.0.1/32
acl tunnel method CONNECT
acl tls port {self.behind.https}
acl secret urlpath_regex ^/refused
http_access deny secret
http_access deny tunnel !tls
http_access allow local
http_access deny all
cache_mem 8 MB
maximum_object_size_in_memory 4 MB
pid_filename {self.folder}/pid
cache_log {self.folder}/cache.log
coredump_dir {self.folder}
logformat plain %ru|%>Hs|%{{Range}}>h|%{{If-Range}}>h
access_log stdio:{self.log} plain
buffered_logs off
visible_hostname proxy.invalid
pinger_enable off
shutdown_lifetime 0 seconds
netdb_filename none
""")
        return [find(self.program), "-N", "-f", conf]


# ---------------------------------------------------------------- the client


class Client:
    def __init__(self, program, folder):
        self.program = program
        self.folder = folder
        self.count = 0

    def start(self, url, *options):
        self.count += 1
        path = os.path.join(self.folder, f"file{self.count}")
        trust = ["--any-certificate"] if url.startswith("https:") else []
        process = subprocess.Popen([self.program, *trust, *options, url, path], text=True,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        return process, path

    def fetch(self, url, *options):
        """What is said of the jobs, and the path."""
        process, path = self.start(url, *options)
        return self.end(process), path

    @staticmethod
    def end(process, words=""):
        said, _ = process.communicate(words, timeout=FETCH_SECONDS)
        if process.returncode:
            raise AssertionError(f"the client ends with {process.returncode}: {said}")
        return said.splitlines()

    def get(self, url, *options):
        """The content of a download that must succeed without a failure."""
        said, path = self.fetch(url, *options)
        equal(said, [TRANSFERRED])
        return content(path)

    def fails(self, url, code, *options):
        """A download that must fail at once, and leave nothing."""
        said, path = self.fetch(url, *options)
        equal(said, [f"error {code} 1"])
        equal(os.path.exists(path), False)

    def get_in_two(self, url, between=lambda: None, *options):
        """The content of a download that is stopped and goes on."""
        process, path = self.start(url, "--stop-at", "100000", *options)
        ready, _, _ = select.select([process.stdout], [], [], FETCH_SECONDS)
        line = process.stdout.readline() if ready else ""
        if not line.startswith("suspended"):
            process.kill()
            raise AssertionError(f"the client does not stop: {line!r}")
        between()
        equal(self.end(process, "\n"), [TRANSFERRED])
        return content(path)


def content(path):
    with open(path, "rb") as file:
        return file.read()


def equal(actual, expected):
    if actual != expected:
        raise AssertionError(f"got {actual!r:.300}, expected {expected!r:.300}")


# ---------------------------------------------------------------- tests

TESTS = []


def test(function):
    """Of each server, over http and https."""
    TESTS.append((function, ("http", "https"), ("nginx", "apache", "lighttpd")))
    return function


def test_of(schemes=("http", "https"), servers=("nginx", "apache", "lighttpd")):
    def take(function):
        TESTS.append((function, schemes, servers))
        return function
    return take


@test
def whole(client, server, scheme):
    equal(client.get(server.url(scheme, "/big")), server.files.big)
    equal(client.get(server.url(scheme, "/big"), "--size", str(len(server.files.big))),
          server.files.big)


@test
def ranges(client, server, scheme):
    big = server.files.big
    equal(client.get(server.url(scheme, "/big"), "--range", "1000-20000", "--range",
                     "500000-600000", "--range", "0-1", "--range", "1048000-"),
          big[1000:20000] + big[500000:600000] + big[:1] + big[1048000:])
    client.fails(server.url(scheme, "/big"), "0x80D05010", "--range", "1000000-2000000")
    client.fails(server.url(scheme, "/big"), "0x801901A0", "--range", "3000000-4000000")


@test
def resume_with_entity_tag(client, server, scheme):
    equal(client.get_in_two(server.url(scheme, f"/slow/{scheme}")), server.files.big)
    for condition in server.conditions(f"/slow/{scheme}"):
        equal(condition.lstrip("\\")[:1], '"')


@test
def resume_with_date(client, server, scheme):
    equal(client.get_in_two(server.url(scheme, f"/untagged/{scheme}")), server.files.big)
    for condition in server.conditions(f"/untagged/{scheme}"):
        equal(condition[-4:], " GMT")


def changes(client, server, scheme, path):
    files = server.files
    try:
        equal(client.get_in_two(server.url(scheme, f"/{path}"),
                                lambda: files.write(path, files.other, 60)), files.other)
    finally:
        files.write(path, files.big)


@test
def changed_file_with_entity_tag(client, server, scheme):
    changes(client, server, scheme, f"slow/{scheme}-changes")


@test
def changed_file_with_date(client, server, scheme):
    changes(client, server, scheme, f"untagged/{scheme}-changes")


@test
def refusals(client, server, scheme):
    client.fails(server.url(scheme, "/none"), "0x80190194")
    client.fails(server.url(scheme, "/none"), "0x80190194", "--range", "0-10")
    client.fails(server.url(scheme, "/forbidden/big"), "0x80190193")


@test
def directory(client, server, scheme):
    equal(client.get(server.url(scheme, "/dir")), b"<html>index</html>\n")


@test
def identity_although_compression_is_on(client, server, scheme):
    text = server.files.text
    equal(client.get(server.url(scheme, "/text.txt")), text)
    equal(client.get(server.url(scheme, "/text.txt"), "--range", "100-5000", "--range", "9000-"),
          text[100:5000] + text[9000:])


@test
def few_requests_for_each_connection(client, server, scheme):
    pieces = [(at, at + 1000) for at in range(0, 40000, 2000)]
    options = [word for begin, end in pieces for word in ("--range", f"{begin}-{end}")]
    equal(client.get(server.url(scheme, "/short/big"), *options),
          b"".join(server.files.big[begin:end] for begin, end in pieces))


@test
def empty(client, server, scheme):
    equal(client.get(server.url(scheme, "/empty")), b"")


@test
def end_of_a_sparse_file_of_5_gib(client, server, scheme):
    end = server.files.end
    equal(client.get(server.url(scheme, "/sparse"), "--range", f"{SPARSE_SIZE - 1000}-", "--size",
                     str(SPARSE_SIZE)), end[-1000:])
    equal(client.get(server.url(scheme, "/sparse"), "--range", f"{4 * GIB - 1}-{4 * GIB + 1}",
                     "--range", f"{SPARSE_SIZE - len(end)}-{SPARSE_SIZE}"), bytes(2) + end)


@test_of(schemes=("https",))
def certificate_that_nobody_trusts(client, server, scheme):
    process = subprocess.run([client.program, server.url(scheme, "/big"),
                              os.path.join(client.folder, f"untrusted-{server.name}")],
                             capture_output=True, text=True, timeout=FETCH_SECONDS, check=True)
    equal(process.stdout.splitlines(), [f"error {UNTRUSTED} 1"])


@test
def parallel(client, server, scheme):
    said, path = client.fetch(server.url(scheme, "/big"), "--jobs", "8")
    equal(said, [TRANSFERRED] * 8)
    for number in range(8):
        equal(content(f"{path}.{number}"), server.files.big)


@test_of(servers=("nginx",))
def limit_of_connections(client, server, scheme):
    """503 to whoever comes while another one is served; all come through."""
    said, path = client.fetch(server.url(scheme, "/limited/big"), "--jobs", "3")
    equal([line.split()[0] for line in said], ["transferred"] * 3)
    for number in range(3):
        equal(content(f"{path}.{number}"), server.files.big)
    equal("503" in [status for status, *_ in server.requests("/limited/big", 4)], True)


PROXY_TESTS = []


def proxy_test(function):
    """Through Squid to nginx, over http and https."""
    PROXY_TESTS.append(function)
    return function


@proxy_test
def proxy_whole(client, server, scheme, squid, proxy):
    url = server.url(scheme, "/big")
    equal(client.get(url, *proxy), server.files.big)
    seen = url if scheme == "http" else f"127.0.0.1:{server.https}"
    equal(squid.requests(seen, 1)[0][0], "200")


@proxy_test
def proxy_ranges(client, server, scheme, squid, proxy):
    big = server.files.big
    for path in ("/big", "/short/big"):
        equal(client.get(server.url(scheme, path), *proxy, "--range", "1000-20000", "--range",
                         "500000-"), big[1000:20000] + big[500000:])


@proxy_test
def proxy_resume(client, server, scheme, squid, proxy):
    equal(client.get_in_two(server.url(scheme, f"/slow/{scheme}"), lambda: None, *proxy),
          server.files.big)


@proxy_test
def proxy_pages_are_no_files(client, server, scheme, squid, proxy):
    """Squid's own pages: nobody listens, it is not allowed, there is no such file."""
    dead = f"{scheme}://127.0.0.1:{free_port()}/x"
    if scheme == "http":
        client.fails(dead, "0x801901F7", *proxy, "--no-retries")
        client.fails(server.url(scheme, "/refused"), "0x80190193", *proxy)
    else:
        client.fails(dead, "0x80190193", *proxy)
    client.fails(server.url(scheme, "/none"), "0x80190194", *proxy)


# ---------------------------------------------------------------- program


def make_certificate(folder):
    pem = os.path.join(folder, "pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                    "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout",
                    pem, "-out", pem + ".crt"], check=True, stdin=subprocess.DEVNULL,
                   capture_output=True)
    with open(pem, "ab") as file:
        file.write(content(pem + ".crt"))
    return pem


class Runner:
    def __init__(self, wanted):
        self.wanted = wanted
        self.passed = self.failed = 0

    def run(self, name, function):
        if self.wanted and not any(word in name for word in self.wanted):
            return
        start = time.monotonic()
        try:
            function()
        except Exception:  # whatever a test raises is its failure
            self.failed += 1
            print(f"FAILED {name}\n{traceback.format_exc()}", flush=True)
        else:
            self.passed += 1
            print(f"passed {name} ({time.monotonic() - start:.1f} s)", flush=True)


def run_proxied(runner, client, folder, files, pem):
    if not find("nginx") or not find("squid"):
        print("SKIPPED squid: it, or nginx behind it, is not installed")
        return
    os.makedirs(os.path.join(folder, "behind"))
    with Nginx(os.path.join(folder, "behind"), files, pem) as server, \
            Squid(folder, files, pem, server) as squid:
        for scheme in ("http", "https"):
            for function in PROXY_TESTS:
                runner.run(f"squid.{scheme}.{function.__name__}",
                           functools.partial(function, client, server, scheme, squid,
                                             ("--proxy", f"127.0.0.1:{squid.http}")))


def run_all(runner, program, folder):
    files, pem = Files(folder), make_certificate(folder)
    client = Client(program, os.path.join(folder, "client"))
    os.makedirs(client.folder)
    ran = 0
    for kind in (Nginx, Apache, Lighttpd):
        if not find(kind.program):
            print(f"SKIPPED {kind.name}: it is not installed", flush=True)
            continue
        ran += 1
        with kind(folder, files, pem) as server:
            for function, schemes, servers in TESTS:
                for scheme in schemes if server.name in servers else ():
                    runner.run(f"{server.name}.{scheme}.{function.__name__}",
                               functools.partial(function, client, server, scheme))
    if ran:
        run_proxied(runner, client, folder, files, pem)
    return ran


def main():
    if len(sys.argv) < 2:
        print(__doc__)
        return 2
    runner = Runner(sys.argv[2:])
    with tempfile.TemporaryDirectory(prefix="dosvc-servers-") as folder:
        os.chmod(folder, 0o755)
        ran = run_all(runner, os.path.abspath(sys.argv[1]), folder)
    if not ran:
        print("SKIPPED: no server is installed")
        return SKIPPED
    print(f"{runner.passed} passed, {runner.failed} failed")
    return 1 if runner.failed or not runner.passed else 0


if __name__ == "__main__":
    sys.exit(main())
