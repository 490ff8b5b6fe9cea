#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the COM tests need around them, as CTest fixtures.

    environment.py start --build DIR --dll FILE
    environment.py stop --build DIR

start: a Wine prefix in DIR/wine (made once, then reused), a wineserver that stays, the fault server
and, where we may mount one, a tmpfs of 1 MiB to be filled; registers the DLL. stop: ends what start
began. Notes for run.sh and for stop lie in DIR/com-env. Nothing that stays inherits our pipes,
else CTest would wait for it.
"""

import argparse
import os
import pathlib
import signal
import subprocess
import sys
import time

SERVER = pathlib.Path(__file__).resolve().parent.parent / "server" / "fault_server.py"
FULL_DIR_BYTES = 1 << 20
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
        code = self.run("wine", "regsvr32", "/s", str(dll), timeout=60)
        if code != 0:
            sys.exit(f"regsvr32 {dll}: exit code {code}")
        self.mount_full_dir()
        print(f"server on port {self.port_file.read_text().strip()}, prefix {self.prefix}")

    def start_server(self):
        process = subprocess.Popen(
            [sys.executable, str(SERVER), "--port-file", str(self.port_file)],
            start_new_session=True,
            **SILENT,
        )
        self.pid_file.write_text(str(process.pid))
        deadline = time.monotonic() + 20
        while not self.port_file.is_file():
            if process.poll() is not None or time.monotonic() > deadline:
                sys.exit("the fault server does not start")
            time.sleep(0.02)

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


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("action", choices=["start", "stop"])
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--dll", type=pathlib.Path)
    arguments = parser.parse_args()
    environment = Environment(arguments.build.resolve())
    if arguments.action == "stop":
        environment.stop()
    elif not arguments.dll:
        parser.error("start needs --dll")
    else:
        environment.start(arguments.dll.resolve())


if __name__ == "__main__":
    main()
