#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
#
# Holds docs/com-surface.md against idl/*.idl and the COM tests:
#  - every method of every interface has a row, and a row names methods that there are;
#  - the row names programs that exist and are built (test_x is tests/com/test_x.c, client_x is
#    tests/com/clients/x.c);
#  - one of them calls the method of that interface, by the macro IFoo_Method (or that of a derived
#    interface) or through lpVtbl; what the client implements is in a table IFooVtbl;
#  - each code of the row is in a test that calls one of the row's methods, and E_INVALIDARG in one
#    of each method that gives something out.
# A test is a function test_*, with all of its program that it mentions, directly or not: helpers,
# tables, macros. Prints what is wrong and exits 1.

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = "docs/com-surface.md"
HEAD = ["Interface", "Method", "Behaviour and codes", "Test"]
CODE = r"\b(?:DO_E_\w+|E_[A-Z]{3,}\w*|BG_[ES]_\w+|CRYPT_E_\w+|DISP_E_\w+|S_FALSE|0x8[0-9A-F]{7})\b"
# What the tests call codes that mingw-w64's headers do not have.
ALIASES = {"BG_S_PARTIAL_COMPLETE": "0x00200017", "BG_S_UNABLE_TO_DELETE_FILES": "0x0020001A",
           "E_NOT_SET": "0x80070490"}


def without_comments(text):
    return re.sub(r"/\*.*?\*/", " ", text, flags=re.S)


def read_idl():
    """{interface: (base, {method: whether it gives something out})}"""
    interfaces = {}
    for path in sorted(ROOT.glob("idl/*.idl")):
        text = without_comments(path.read_text())
        found = re.findall(r"^interface (\w+) : (\w+)\s*\{(.*?)^\}", text, re.S | re.M)
        for name, base, body in found:
            methods = re.findall(r"HRESULT (\w+)\((.*?)\);", body, re.S)
            interfaces[name] = base, {method: bool(re.search(r"\bout\b", parameters))
                                      for method, parameters in methods}
    return interfaces


def read_rows():
    """[(interfaces, methods, codes, tests, is_clients)] of the tables with that head."""
    rows, inside, interfaces, is_clients = [], False, [], False
    for line in (ROOT / PAGE).read_text().splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.startswith("|"):
            inside = False
        elif cells == HEAD:
            inside = True
        elif inside and not cells[0].startswith("---"):
            if len(cells) != len(HEAD):
                sys.exit(f"check: {PAGE}: not {len(HEAD)} cells: {line}")
            if cells[0]:
                is_clients = cells[0].endswith(" (the client's)")
                interfaces = cells[0].removesuffix(" (the client's)").split(", ")
            codes = set(re.findall(CODE, cells[2]))
            if re.search(r"\bIS\b", cells[2]):
                codes.add("DO_E_INVALID_STATE")
            rows.append((interfaces, cells[1].split(", "), codes, cells[3].split(", "), is_clients))
    return rows


def owner(interfaces, name, method):
    """The interface that declares the method: name or a base of it."""
    while name in interfaces and method not in interfaces[name][1]:
        name = interfaces[name][0]
    return name


def read_sources(path):
    """The program's text: the file and those whose headers it includes, and what these include."""
    paths, texts = [path], []
    for path in paths:
        text = without_comments(path.read_text())
        texts.append(text)
        for name in re.findall(r'^#include "([\w/]+)\.h"', text, re.M):
            for folder in (path.parent, ROOT / "tests/com"):
                paths += [folder / f"{name}{suffix}" for suffix in (".h", ".c")
                          if (folder / f"{name}{suffix}").is_file()
                          and folder / f"{name}{suffix}" not in paths]
    return "\n".join(texts)


def split(text):
    """{name: text} of a program's functions, tables and macros."""
    parts, lines, depth = {}, [], 0
    text = re.sub(r'"(?:\\.|[^"\\\n])*"', '""', text.replace("\\\n", " "))
    for line in re.sub(r"//[^\n]*", "", text).splitlines():
        if line.startswith("#"):
            if name := re.match(r"#define (\w+)", line):
                parts[name[1]] = line
            continue
        lines.append(line)
        depth += line.count("{") - line.count("}")
        if not depth and line.endswith(("}", ";")):
            part = "\n".join(lines).strip()
            name = re.match(r"[^{;=]*?(\w+)\(", part) or re.search(
                r"(\w+)(?:\[[^\n]*\])? = \{", part)
            if name and "{" in part:
                parts[name[1]] = part
            lines = []
    return parts


def whole(parts, start):
    """The text of a part and of all that it mentions."""
    names = [start]
    for name in names:
        words = set(re.findall(r"\w+", parts[name]))
        names += [word for word in words if word in parts and word not in names]
    return "\n".join(parts[name] for name in names)


def read_program(interfaces, name):
    """[({(interface, method, is_clients)}, {codes})] of its tests; None: no such program."""
    is_client = name.startswith("client_")
    path = ROOT / "tests/com" / (f"clients/{name[7:]}.c" if is_client else f"{name}.c")
    short_name = path.stem.removeprefix("test_")
    built = re.findall(r"\w+", (path.parent / "CMakeLists.txt").read_text())
    if not path.is_file() or short_name not in built:
        return None
    text = read_sources(path)
    parts = split(text)
    tests, types = [], {}
    for interface, variable in re.findall(r"\b(I[A-Z]\w*) \*(\w+)", text):
        types.setdefault(variable, set()).add(interface)
    for test in re.findall(r"^static void (test_\w+)\(void \*\*state\)", text, re.M):
        text = whole(parts, test)
        calls = set(re.findall(r"\b(I[A-Z]\w*?)_([A-Z]\w*)\s*\(", text))
        for variable, method in re.findall(r"\b(\w+)->lpVtbl->(\w+)", text):
            calls |= {(interface, method) for interface in types.get(variable, ())}
        found = {(owner(interfaces, i, m), m, False) for i, m in calls}
        for interface, body in re.findall(r"\b(I[A-Z]\w*)Vtbl \w+ = \{(.*?)\}", text, re.S):
            for method in re.findall(r"\.(\w+) =", body):
                found.add((owner(interfaces, interface, method), method, True))
        tests.append((found, set(re.findall(CODE + r"|\b0x0020\w{4}\b", text))))
    return tests


def check_row(interfaces, row, tests):
    """What is wrong with a row, given the tests of the programs that it names."""
    names, methods, codes, programs, is_clients = row
    where = ", ".join(programs)
    for name, method in ((name, method) for name in names for method in methods):
        has_result = False
        if name in interfaces:
            if method not in interfaces[name][1]:
                yield f"{name}::{method} is not in the IDL"
                continue
            has_result = interfaces[name][1][method]
        seen = [codes for found, codes in tests if (name, method, is_clients) in found]
        if not seen:
            yield f"{name}::{method} is not {'in a table' if is_clients else 'called'} in {where}"
        elif has_result and not any("E_INVALIDARG" in codes for codes in seen):
            yield f"{name}::{method} is not called with E_INVALIDARG in {where}"
    wanted = {(name, method, is_clients) for name in names for method in methods}
    for code in sorted(codes):
        if not any(found & wanted and {code, ALIASES.get(code)} & seen for found, seen in tests):
            yield f"{names[0]}::{methods[0]}: {code} is in no test of {where} that calls it"


def main():
    interfaces = read_idl()
    rows = read_rows()
    named = {name for row in rows for name in row[3]}
    programs = {name: read_program(interfaces, name) for name in named}
    complaints = [f"there is no test program \"{name}\"" for name in sorted(programs)
                  if programs[name] is None]
    for row in rows:
        complaints += check_row(
            interfaces, row, [test for name in row[3] for test in programs[name] or []])
    shown = {(name, method) for row in rows for name in row[0] for method in row[1]}
    complaints += [f"there is no row for {name}::{method}" for name in interfaces
                   for method in interfaces[name][1] if (name, method) not in shown]
    for complaint in complaints:
        print(f"check: {PAGE}: {complaint}")
    return bool(complaints)


if __name__ == "__main__":
    sys.exit(main())
