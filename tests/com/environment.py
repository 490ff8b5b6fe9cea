#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the COM tests need around them, as CTest fixtures.

    environment.py start --build DIR --dll FILE
    environment.py stop --build DIR
    environment.py check-registration --build DIR --dll FILE

start: a Wine prefix in DIR/wine (made once, then reused), a wineserver that stays, the fault server
and, where we may mount one, a tmpfs of 1 MiB to be filled; registers the DLL. stop: ends what start
began. check-registration: regsvr32 /u must leave nothing behind, and the DLL is registered again.
Notes for run.sh and for stop lie in DIR/com-env. Nothing that stays inherits our pipes,
else CTest would wait for it.
"""

import argparse
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

SERVER = pathlib.Path(__file__).resolve().parent.parent / "server" / "fault_server.py"
FULL_DIR_BYTES = 1 << 20
# Class, type library, AppID, the interfaces that are ours alone, the module.
REGISTERED = [
    "{5b99fa76-721c-423c-adac-56d03c8a8007}",
    "{6a1fae95-21b8-46c4-a0c9-5d5fae106ef0}",
    "{379001de-7108-4a45-8a74-6cd0a9fbef2c}",
    "{400e2d4a-1431-4c1a-a748-39ca472cfdb1}",
    "{fbbd7fc0-c147-4727-a38d-827ef071ee77}",
    "{d166e8e3-a90e-4392-8e87-05e996d3747d}",
    "{ee2584cf-a69c-4848-b633-2649962b3ef7}",
    "{18995a26-bf59-4abe-9f8b-d5092d5a2405}",
    "{b76b9699-e99e-4101-803f-a20e325d93e2}",
    "{3a87296f-6ec2-4126-ab29-e3f8dc4cc390}",
    "dosvc.dll",
]
SILENT = {
    "stdin": subprocess.DEVNULL,
    "stdout": subprocess.DEVNULL,
    "stderr": subprocess.DEVNULL,
}


class Environment:
    def __init__(self, build):
        self.notes = build / "com-env"
        self.prefix = build / "wine"
        self.port_file = self.notes / "port"
        self.tls_port_file = self.notes / "tls_port"
        self.certificate = self.notes / "tls.pem"
        self.pid_file = self.notes / "server.pid"
        self.full_note = self.notes / "full_dir"
        self.full_dir = self.notes / "full"
        self.environ = dict(
            os.environ,
            WINEPREFIX=str(self.prefix),
            WINEARCH="win64",
            WINEDEBUG="-all",
            WINEDLLOVERRIDES="mscoree,mshtml=",
        )
        self.environ.pop("DISPLAY", None)

    def run(self, *command, timeout=120):
        """Runs a command of the prefix in a session of its own; returns its exit code."""
        return subprocess.run(
            command,
            env=self.environ,
            timeout=timeout,
            start_new_session=True,
            check=False,
            **SILENT,
        ).returncode

    def start(self, dll):
        if not dll.is_file():
            sys.exit(f"{dll} is missing: build it first")
        self.stop()
        self.notes.mkdir(parents=True, exist_ok=True)
        self.prefix.mkdir(exist_ok=True)
        self.start_server()
        if self.run("wineserver", "-p", timeout=20) != 0:
            sys.exit("wineserver does not start")
        if not (self.prefix / "system.reg").is_file():
            if self.run("wine", "wineboot", "-i") != 0:
                sys.exit("wineboot failed")
        self.register(dll)
        self.mount_full_dir()
        print(f"server on port {self.port_file.read_text().strip()}, prefix {self.prefix}")

    def register(self, dll, *options):
        code = self.run("wine", "regsvr32", "/s", *options, str(dll), timeout=60)
        if code != 0:
            sys.exit(f"regsvr32 {' '.join(options)} {dll}: exit code {code}")

    def read_classes(self):
        """HKEY_CLASSES_ROOT as text, in lower case."""
        path = self.notes / "classes.reg"
        key = "HKEY_LOCAL_MACHINE\\Software\\Classes"
        if self.run("wine", "reg", "export", key, "Z:" + str(path), "/y", timeout=60) != 0:
            sys.exit(f"{key} cannot be exported")
        return path.read_text(encoding="utf-16").lower()

    def check_registration(self, dll):
        """Twice each, since registering again must be harmless, and so must /u without need."""
        self.register(dll)
        with_dll = self.read_classes()
        self.register(dll, "/u")
        without_dll = self.read_classes()
        code = self.run("wine", "regsvr32", "/s", "/u", str(dll), timeout=60)
        self.register(dll)
        wrong = [f"{text} stays" for text in REGISTERED if text in without_dll]
        wrong += [f"{text} is missing" for text in REGISTERED[:3] if text not in with_dll]
        wrong += [f"a second /u: exit code {code}"] if code else []
        wrong += ["registering again differs"] if self.read_classes() != with_dll else []
        if wrong:
            sys.exit("\n".join(wrong))

    def start_server(self):
        command = [sys.executable, str(SERVER), "--port-file", str(self.port_file)]
        if self.make_certificate():
            command += ["--tls-cert", str(self.certificate)]
            command += ["--tls-port-file", str(self.tls_port_file)]
        process = subprocess.Popen(
            command,
            start_new_session=True,
            **SILENT,
        )
        self.pid_file.write_text(str(process.pid))
        deadline = time.monotonic() + 20
        while not self.port_file.is_file():
            if process.poll() is not None or time.monotonic() > deadline:
                sys.exit("the fault server does not start")
            time.sleep(0.02)

    def make_certificate(self):
        """One that nobody has signed, with its key; without openssl there is none."""
        key, signed = self.notes / "tls.key", self.notes / "tls.crt"
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
        command += ["-subj", "/CN=localhost", "-keyout", str(key), "-out", str(signed)]
        if not shutil.which("openssl") or self.run(*command, timeout=60) != 0:
            return False
        self.certificate.write_bytes(key.read_bytes() + signed.read_bytes())
        return True

    def mount_full_dir(self):
        """A small file system to be filled; without the right to mount, that test is skipped."""
        self.full_dir.mkdir(exist_ok=True)
        options = f"size={FULL_DIR_BYTES}"
        if self.run("mount", "-t", "tmpfs", "-o", options, "dosvc-test", str(self.full_dir)) == 0:
            self.full_note.write_text("Z:" + str(self.full_dir).replace("/", "\\"))

    def stop(self):
        if self.full_note.is_file():
            self.run("umount", str(self.full_dir))
            self.full_note.unlink()
        self.stop_server()
        if self.prefix.is_dir():
            self.run("wineserver", "-k", timeout=20)

    def stop_server(self):
        """Ends the server by its id, if the id is still that of our server."""
        if self.pid_file.is_file():
            pid = int(self.pid_file.read_text())
            try:
                if str(SERVER) in pathlib.Path(f"/proc/{pid}/cmdline").read_text():
                    os.kill(pid, signal.SIGTERM)
            except (OSError, UnicodeDecodeError):
                pass
            self.pid_file.unlink()
        self.port_file.unlink(missing_ok=True)
        self.tls_port_file.unlink(missing_ok=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("action", choices=["start", "stop", "check-registration"])
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--dll", type=pathlib.Path)
    arguments = parser.parse_args()
    environment = Environment(arguments.build.resolve())
    if arguments.action == "stop":
        environment.stop()
    elif not arguments.dll:
        parser.error("--dll is missing")
    elif arguments.action == "check-registration":
        environment.check_registration(arguments.dll.resolve())
    else:
        environment.start(arguments.dll.resolve())


if __name__ == "__main__":
    main()
