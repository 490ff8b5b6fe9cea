#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The network goes and returns under Wine: doctl downloads from a server in another network
namespace, the interface between them goes down and up again.

    network.py --build DIR --doctl EXE --dll FILE

Runs itself twice more: in namespaces of its own with the fault server (--stage server), and in a
further network namespace with Wine (--stage client), whose prefix is made for the occasion, since
interfaces are what Wine's services see. Where such namespaces, or interfaces in them, cannot be
made the exit status is 77.
"""

import argparse
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

SKIPPED = 77
PATIENCE_S = 20
SOON_S = 8
SERVER = pathlib.Path(__file__).resolve().parent.parent / "server" / "fault_server.py"
ADDRESS, PORT = "10.77.0.1", 8080
OBJECT = "size=150m&seed=7"
SILENT = {
    "stdin": subprocess.DEVNULL,
    "stdout": subprocess.DEVNULL,
    "stderr": subprocess.DEVNULL,
}


class Failure(Exception):
    pass


def run(command, **options):
    return subprocess.run(command, check=False, **SILENT, **options).returncode == 0


def wine_path(path):
    return "Z:" + str(path).replace("/", "\\")


def enter_namespaces(arguments):
    if not shutil.which("ip") or not run(["unshare", "-rnm", "true"]):
        print("SKIPPED: network namespaces cannot be made here")
        return SKIPPED
    return subprocess.run(["unshare", "-rnm", sys.executable, *arguments, "--stage", "server"],
                          check=False).returncode


def serve(arguments):
    run(["ip", "link", "set", "lo", "up"])
    with subprocess.Popen([sys.executable, str(SERVER), "--host", "0.0.0.0", "--port", str(PORT),
                           "--max-seconds", "300"], **SILENT) as server:
        try:
            return subprocess.run(["unshare", "-n", sys.executable, *arguments, "--stage",
                                   "client", "--server", str(server.pid)], check=False).returncode
        finally:
            server.terminate()


def connect(server):
    there = ["nsenter", "-t", server, "-n"]
    return all(map(run, [
        ["ip", "link", "add", "out", "type", "veth", "peer", "name", "away", "netns", server],
        [*there, "ip", "address", "add", f"{ADDRESS}/24", "dev", "away"],
        [*there, "ip", "link", "set", "away", "up"],
        ["ip", "address", "add", "10.77.0.2/24", "dev", "out"],
        ["ip", "link", "set", "lo", "up"],
        ["ip", "link", "set", "out", "up"]]))


def await_true(condition, what):
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise Failure(what)
        time.sleep(0.05)


class Client:
    def __init__(self, options, folder):
        self.options = options
        self.folder = pathlib.Path(folder)
        self.environ = dict(os.environ, WINEPREFIX=str(self.folder / "wine"), WINEARCH="win64",
                            WINEDEBUG="-all", WINEDLLOVERRIDES="mscoree,mshtml=")
        self.environ.pop("DISPLAY", None)
        self.output = self.folder / "output"
        self.log = self.folder / "log"
        self.environ.update(DOSVC_LOG="info", DOSVC_LOG_FILE=wine_path(self.log))

    def wine(self, *command):
        if not run(["wine", *command], env=self.environ, timeout=120):
            raise Failure(f"{command} failed")

    def said(self):
        return self.output.read_text(errors="replace")

    def download(self):
        """Broken: the loss is not noticed for a minute, ends the download, or its end is not."""
        saved = self.folder / "saved"
        with open(self.output, "wb") as output, subprocess.Popen(
                ["wine", str(self.options.doctl), "get",
                 f"http://{ADDRESS}:{PORT}/x?rate=1m&{OBJECT}", "-o", wine_path(saved)],
                env=self.environ, stdin=subprocess.DEVNULL, stdout=output,
                stderr=subprocess.STDOUT) as process:
            try:
                await_true(lambda: "%" in self.said(), "no byte comes")
                run(["ip", "link", "set", "out", "down"])
                await_true(lambda: "waiting: DO_E_BLOCKED_BY_NO_NETWORK" in self.said(),
                           "the loss is not told")
                run(["ip", "link", "set", "out", "up"])
                returned = time.monotonic()
                await_true(lambda: "/s" in self.said().rsplit("NO_NETWORK", 1)[-1],
                           "it does not go on")
                if time.monotonic() - returned > SOON_S:
                    raise Failure("it goes on late")
                if process.wait(90) != 0:
                    raise Failure("doctl fails")
            finally:
                process.kill()
        digest = f"http://{ADDRESS}:{PORT}/_sha256?{OBJECT}"
        with urllib.request.urlopen(digest, timeout=60) as answer:
            expected = answer.read().decode().strip()
        if hashlib.sha256(saved.read_bytes()).hexdigest() != expected:
            raise Failure("the file is not the object")

    def check_log(self):
        """Broken: the system's interfaces or its INetworkCostManager are not asked. Wine 8 says of
        every network that it costs nothing."""
        log = self.log.read_text(errors="replace")
        for text in ("network reach is 3, its cost 0x01", "network reach is 2, its cost 0x01"):
            if text not in log:
                raise Failure(f"not in the log: {text}\n{log}")

    def test(self):
        try:
            self.wine("wineboot", "-i")
            self.wine("regsvr32", "/s", str(self.options.dll))
            self.download()
            self.check_log()
        except (Failure, subprocess.TimeoutExpired) as failure:
            print(f"FAILED: {failure}\n{self.said() if self.output.exists() else ''}")
            return 1
        finally:
            run(["wineserver", "-k"], env=self.environ, timeout=PATIENCE_S)
            run(["wineserver", "-w"], env=self.environ, timeout=PATIENCE_S)
        print("network: all well")
        return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--doctl", type=pathlib.Path, required=True)
    parser.add_argument("--dll", type=pathlib.Path, required=True)
    parser.add_argument("--stage", choices=["server", "client"])
    parser.add_argument("--server")
    options = parser.parse_args()
    if not options.stage:
        return enter_namespaces(sys.argv)
    if options.stage == "server":
        return serve(sys.argv)
    if not connect(options.server):
        print("SKIPPED: no interfaces can be made here (veth)")
        return SKIPPED
    with tempfile.TemporaryDirectory(prefix="network-", dir=options.build.resolve()) as folder:
        return Client(options, folder).test()


if __name__ == "__main__":
    sys.exit(main())
