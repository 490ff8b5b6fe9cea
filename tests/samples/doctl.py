#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""doctl, command by command, in the environment of the COM tests.

    doctl.py --build DIR --doctl EXE --leave EXE

Each case is told by what would be broken. Waits are bounded; what is asserted about requests comes
from the fault server's log.
"""

import argparse
import base64
import hashlib
import json
import os
import pathlib
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request

PATIENCE_S = 20
SIZE = 3000001
PIECE = 65536


class Failure(Exception):
    pass


def check(condition, text):
    if not condition:
        raise Failure(text)


class Doctl:
    def __init__(self, arguments, folder):
        build = arguments.build.resolve()
        self.server = "http://127.0.0.1:" + (build / "com-env" / "port").read_text().strip()
        self.exe = str(arguments.doctl)
        self.leave = str(arguments.leave)
        self.folder = folder
        self.cases = 0
        self.environ = dict(os.environ, WINEPREFIX=str(build / "wine"), WINEDEBUG="-all")

    def run(self, *command, exe=None, code=0):
        """Runs doctl, which must exit with code; returns stdout and stderr as one text."""
        # Through a file: a Wine process left behind would hold a pipe open.
        with tempfile.TemporaryFile() as output:
            done = subprocess.run(
                ["wine", exe or self.exe, *command],
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=60,
                check=False,
            )
            output.seek(0)
            text = output.read().decode(errors="replace").replace("\r", "")
        check(done.returncode == code, f"{command}: exit code {done.returncode}, not {code}\n{text}")
        return text

    def url(self, query):
        self.cases += 1
        self.path = f"/doctl.{os.getpid()}.{self.cases}"
        return f"{self.server}{self.path}?{query}"

    def target(self, name):
        return "Z:" + str(self.folder / name).replace("/", "\\"), self.folder / name

    def fetch(self, target):
        with urllib.request.urlopen(self.server + target, timeout=PATIENCE_S) as answer:
            return answer.read()

    def put(self, path, data):
        request = urllib.request.Request(
            f"{self.server}/_put?path={path}", data=data, method="PUT"
        )
        urllib.request.urlopen(request, timeout=PATIENCE_S).close()

    def log(self, wait=5000):
        return json.loads(self.fetch(f"/_log?path={self.path}&wait={wait}"))

    def wait_sent(self, size):
        """Until the server has sent so much of the object."""
        deadline = time.monotonic() + PATIENCE_S
        while sum(entry["body_bytes_sent"] for entry in self.log(0)) < size:
            check(time.monotonic() < deadline, f"{size} bytes are not sent")
            time.sleep(0.05)

    def kill_when_sent(self, size, *command):
        process = subprocess.Popen(
            ["wine", *command],
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            self.wait_sent(size)
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait(timeout=PATIENCE_S)

    def no_leftovers(self):
        left = [path.name for path in self.folder.glob("DO*.tmp")]
        check(not left, f"left behind: {left}")


class Running:
    """doctl in a process of its own, while others are called."""

    def __init__(self, doctl, *command):
        self.output = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            ["wine", doctl.exe, *command],
            env=doctl.environ,
            stdin=subprocess.DEVNULL,
            stdout=self.output,
            stderr=subprocess.STDOUT,
        )

    def wait(self):
        """It must end by itself: its exit code and what it printed."""
        try:
            found = self.process.wait(timeout=PATIENCE_S)
        finally:
            self.process.kill()
        self.output.seek(0)
        printed = self.output.read().decode(errors="replace")
        self.output.close()
        return found, printed

    def end(self, code, text):
        found, printed = self.wait()
        check(found == code and text in printed, f"exit code {found}, not {code}\n{printed}")


def find_id(text):
    """The ids in what list prints."""
    return re.findall(r"^(\{[0-9A-F-]{36}\})", text, re.MULTILINE | re.IGNORECASE)


def value(text, label):
    """A line of what status prints."""
    found = re.search(rf"^{label} +(.*)$", text, re.MULTILINE)
    check(found, f"no {label} in\n{text}")
    return found.group(1)


def not_twice(requests, missing):
    """What is here is not asked for; what was under way when a piece was cut short is lost."""
    sent = sum(entry["body_bytes_sent"] for entry in requests)
    check(missing <= sent <= missing + 600000, f"{missing} bytes were missing, {sent} were sent")


# Cases


def ranges(doctl, whole):
    """Broken: -r fetches other bytes than curl does, or the whole file."""
    target, path = doctl.target("ranges")
    url = doctl.url(f"size={SIZE}&seed=77")
    doctl.run("get", url, "-o", target, "--ranges", "0-99,1000-1000,2999990-", "-q")
    check(path.read_bytes() == whole[:100] + whole[1000:1001] + whole[2999990:], "other bytes")
    for bad in ["", "5", "-5", "9-8", "1-2,", ",1-2", "1-2;3-4", "1-99999999999999999999"]:
        doctl.run("get", url, "-o", target, f"--ranges={bad}", code=2)
    doctl.run("get", url, "-o", target, "-r", "0-9,5-7", "-q", code=5)


def headers(doctl, _whole):
    """Broken: a header of the user is not sent, or a wrong one is."""
    target, path = doctl.target("headers")
    url = doctl.url("size=1000")
    doctl.run("get", "-q", "-H", "X-One: first", "--header=X-Two: b: c", url, "-o", target)
    check(path.stat().st_size == 1000, "other size")
    for entry in doctl.log():
        check(entry["headers"].get("x-one") == "first", "X-One is not sent")
        check(entry["headers"].get("x-two") == "b: c", "X-Two is not sent")
    for bad in ["", "no colon", ": empty", "two words: x"]:
        doctl.run("get", url, "-o", target, "-H", bad, code=2)


def piece_hashes(doctl, whole):
    """Broken: --phf lets a file through that is not the one that was hashed, or stops the right."""
    pieces = [hashlib.sha256(whole[i : i + PIECE]).digest() for i in range(0, SIZE, PIECE)]
    digest = hashlib.sha256(struct.pack("<IQI", 1, SIZE, PIECE) + b"".join(pieces)).digest()
    hash_of_hashes = base64.b64encode(digest).decode()
    document = {
        "MajorVersion": 1,
        "MinorVersion": 0,
        "HashOfHashes": hash_of_hashes,
        "ContentLength": SIZE,
        "PieceSize": PIECE,
        "Pieces": [base64.b64encode(piece).decode() for piece in pieces],
    }
    phf = f"/doctl.{os.getpid()}.phf"
    doctl.put(phf, json.dumps(document).encode())
    options = ["-q", "--phf", doctl.server + phf, "--phf-hash", hash_of_hashes]
    target, path = doctl.target("pieces")
    url = doctl.url(f"size={SIZE}&seed=77")
    doctl.run("get", url, "-o", target, *options)
    check(path.read_bytes() == whole, "other bytes")
    path.unlink()
    doctl.run("get", doctl.url(f"size={SIZE}&seed=77&corrupt=70000"), "-o", target, *options, code=5)
    check(not path.exists(), "a file with a wrong piece is saved")
    other = base64.b64encode(bytes(32)).decode()
    doctl.run("get", url, "-o", target, *options[:-1], other, code=5)
    check(not path.exists(), "a file is saved whose piece hash file is a wrong one")
    doctl.run("get", url, "-o", target, *options[:3], code=2)
    doctl.run("get", url, "-o", target, "-q", "--phf", 'http://a/"', "--phf-hash", other, code=2)


def digest(doctl, whole):
    """Broken: --sha256 lets a wrong file stay, or takes a right one away, or one that was there."""
    target, path = doctl.target("digest")
    url = doctl.url(f"size={SIZE}&seed=77")
    right = hashlib.sha256(whole).hexdigest()
    doctl.run("get", url, "-o", target, "-q", "--sha256", right.upper())
    check(path.read_bytes() == whole, "other bytes")
    path.unlink()
    text = doctl.run("get", url, "-o", target, "-q", "--sha256", "0" * 64, code=8)
    check(right in text and not path.exists(), f"a wrong file stays: {text}")
    path.write_text("was there")
    text = doctl.run("get", url, "-o", target, "-q", "--sha256", "0" * 64, code=8)
    check(path.exists() and path.read_text() == "was there", f"the old file is gone: {text}")
    check(right in text, text)
    check(not find_id(doctl.run("list")), "a wrong file stays in the queue")
    doctl.no_leftovers()
    doctl.run("get", url, "-o", target, "-q", "--sha256", right)
    check(path.read_bytes() == whole, "the old file is not replaced")
    doctl.run("get", url, "-o", target, "--sha256", "0" * 63, code=2)


def check_not_twice(log, missing):
    """What several connections had fetched has holes; a connection that is closed loses a little."""
    sent = sum(entry["body_bytes_sent"] for entry in log)
    check(all(entry["range"] for entry in log), "an object is fetched as a whole again")
    check(sent <= missing + 400000, f"fetched twice: {sent} bytes instead of {missing}")


def killed(doctl, whole):
    """Broken: what was given to get is forgotten when it is killed, or bytes are fetched twice."""
    target, path = doctl.target("killed")
    url = doctl.url(f"size={SIZE}&seed=77&rate=700k")
    command = ["get", url, "-o", target, "-q", "-r", "1000-", "-H", "X-Kept: yes", "--background", "-k"]
    doctl.kill_when_sent(1800000, doctl.exe, *command)
    check(not path.exists(), "a file is seen that is not whole")
    check("paused {" in doctl.run("pause", "killed"), "not paused")
    before = len(doctl.log())
    text = doctl.run("status", "killed")
    check(value(text, "kind") == "job" and value(text, "state") == "SUSPENDED", text)
    check(value(text, "url") == url.split("?")[0] and value(text, "path") == target, text)
    check("wrong usage, wrong name, wrong date" in value(text, "trust"), text)
    fetched, total = value(text, "bytes").split(" of ")
    check(0 < int(fetched) < int(total) == SIZE - 1000, text)
    doctl.run("resume", value(text, "id").strip("{}"), "-q")
    check(path.read_bytes() == whole[1000:], "other bytes")
    log = doctl.log()
    check(all(entry["headers"].get("x-kept") == "yes" for entry in log), "the header is forgotten")
    check_not_twice(log[before:], SIZE - 1000 - int(fetched))


def killed_download(doctl, whole):
    """Broken: a nonvolatile download is lost with the program that made it."""
    target, path = doctl.target("killed_download")
    url = doctl.url(f"size={SIZE}&seed=77&rate=700k")
    doctl.kill_when_sent(1800000, doctl.leave, url, target, str(SIZE))
    doctl.run("pause", "left behind")
    before = len(doctl.log())
    text = doctl.run("status", "left behind")
    check(value(text, "kind") == "download" and value(text, "state") == "PAUSED", text)
    fetched = int(value(text, "bytes").split(" of ")[0])
    check(0 < fetched < SIZE, text)
    right = hashlib.sha256(whole).hexdigest()
    doctl.run("resume", "left behind", "-q", "--timeout=60", "--sha256", right)
    check(path.read_bytes() == whole, "other bytes")
    check_not_twice(doctl.log()[before:], SIZE - fetched)


def errors(doctl, _whole):
    """Broken: status does not say why a download failed, or cancel leaves something."""
    target, path = doctl.target("errors")
    doctl.run("status", "nothing of this name", code=1)
    doctl.run("pause", "{00000000-0000-0000-0000-000000000001}", code=1)
    doctl.run("status", code=2)
    doctl.run("pause", "a", "b", code=2)
    doctl.run(
        doctl.url("size=2m&rate=500k&status_after=2:404"), target, "200000", exe=doctl.leave
    )
    text = doctl.run("status", "left behind")
    check(value(text, "kind") == "download" and value(text, "state") == "PAUSED", text)
    check("\nerror" not in text, text)
    text = doctl.run("resume", "left behind", "-q", code=4)
    check("0x80190194" in text and "doctl cancel {" in text, text)
    text = doctl.run("status", "left behind")
    check(re.match(r"\w+ \(0x80190194\): \S", value(text, "error")), text)
    check(int(value(text, "bytes").split(" of ")[0]) >= 200000, text)
    check("cancelled {" in doctl.run("cancel", value(text, "id")), "not cancelled")
    doctl.run("status", value(text, "id"), code=1)
    check(not path.exists(), "a file is seen")
    doctl.no_leftovers()


def downloads(doctl, whole):
    """Broken: a download that another program left cannot be finished from here."""
    target, path = doctl.target("download")
    doctl.run(doctl.url(f"size={SIZE}&seed=77&rate=2m"), target, "500000", exe=doctl.leave)
    text = doctl.run("list")
    check(len(find_id(text)) == 1 and "PAUSED" in text and "left behind" in text, text)
    (name,) = find_id(text)
    text = doctl.run("list", "--verbose")
    check(value(text, "id") == name and value(text, "state") == "PAUSED", text)
    check("\ntrust" not in text, text)
    doctl.run("list", "--all", code=2)
    doctl.run("complete", name, code=1)
    path.write_text("in the way")
    doctl.run("resume", "left behind", "-q", code=7)
    check(path.read_text() == "in the way", "IDODownload replaces a file")
    path.unlink()
    wrong = doctl.run("status", name)
    check(value(wrong, "state") == "TRANSFERRED", wrong)
    doctl.run("complete", name)
    check(path.read_bytes() == whole, "other bytes")
    doctl.run("status", name, code=1)


def two_programs(doctl, _whole):
    """Broken: a job that another program runs is not seen, or cannot be paused, resumed, cancelled."""
    target, path = doctl.target("two")
    url = doctl.url("size=200m&rate=200k")
    first = Running(doctl, "get", url, "-o", target, "-q")
    doctl.wait_sent(400000)
    text = doctl.run("list")
    check(len(find_id(text)) == 1 and "TRANSFERRING" in text, text)
    (name,) = find_id(text)
    deadline = time.monotonic() + PATIENCE_S
    while int(value(doctl.run("status", name), "bytes").split(" of ")[0]) == 0:
        check(time.monotonic() < deadline, "no bytes are seen")
    doctl.run("pause", name)
    first.end(1, "paused from elsewhere")
    check(value(doctl.run("status", name), "state") == "SUSPENDED", "not paused")
    before = len(doctl.log())
    fetched = int(value(doctl.run("status", name), "bytes").split(" of ")[0])
    second = Running(doctl, "resume", name, "-q")
    deadline = time.monotonic() + PATIENCE_S
    while len(doctl.log(0)) == before:
        check(time.monotonic() < deadline, "it does not go on")
        time.sleep(0.05)
    # Who resumes a job that another one runs has it from then on; the other one watches.
    third = Running(doctl, "resume", name, "-q")
    time.sleep(1)  # in it, or soon after: both are right
    doctl.run("cancel", name)
    second.end(130, "cancelled from elsewhere")
    third.end(130, "cancelled from elsewhere")
    asked = [entry["range"] for entry in doctl.log()[before:]]
    check(fetched > 0 and all(asked), f"{fetched} bytes, then {asked}")
    check(not path.exists() and not find_id(doctl.run("list")), "something is left")
    doctl.no_leftovers()
    whole = doctl.fetch("/doctl.large?size=40m&seed=78")
    url = doctl.url("size=40m&seed=78&rate=700k")
    fourth = Running(doctl, "get", url, "-o", target, "-q")
    doctl.wait_sent(400000)
    (name,) = find_id(doctl.run("list"))
    # Both complete it; who comes second is told so.
    both = sorted([Running(doctl, "resume", name, "-q", "--timeout=60").wait(), fourth.wait()])
    check([code for code, _ in both] == [0, 1], f"{both}")
    check("completed from elsewhere" in both[1][1], f"{both}")
    check(path.read_bytes() == whole, "other bytes")


def secrets(doctl, _whole):
    """Broken: a password that a line of the log has no room for is written there."""
    target, path = doctl.target("secrets")
    log, log_path = doctl.target("log")
    url = doctl.url("size=10").replace("http://", "http://user:" + "s3cret" * 40 + "@")
    doctl.environ.update(DOSVC_LOG="trace", DOSVC_LOG_FILE=log)
    try:
        doctl.run("get", url, "-o", target, "-q")
    finally:
        del doctl.environ["DOSVC_LOG"], doctl.environ["DOSVC_LOG_FILE"]
    check(path.stat().st_size == 10, "other size")
    text = log_path.read_text(errors="replace")
    check("s3cret" not in text, f"the password is in the log:\n{text}")
    check("AddFile" in text and doctl.path in text, f"the call is not in the log:\n{text}")


CASES = [
    ranges,
    headers,
    piece_hashes,
    digest,
    killed,
    killed_download,
    errors,
    downloads,
    two_programs,
    secrets,
]


def empty_queue(doctl):
    for name in find_id(doctl.run("list")):
        doctl.run("cancel", name)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--doctl", type=pathlib.Path, required=True)
    parser.add_argument("--leave", type=pathlib.Path, required=True)
    folder = pathlib.Path(tempfile.mkdtemp())
    doctl = Doctl(parser.parse_args(), folder)
    failed = 0
    try:
        empty_queue(doctl)
        whole = doctl.fetch(f"/doctl.whole?size={SIZE}&seed=77")
        for case in CASES:
            try:
                case(doctl, whole)
                doctl.no_leftovers()
                print(f"ok      {case.__name__}")
            except Failure as failure:
                failed += 1
                print(f"FAILED  {case.__name__}: {failure}\n  {case.__doc__}")
                empty_queue(doctl)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
