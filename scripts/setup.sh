#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Makes a Debian machine ready to build and test dosvc: installs the missing packages (as root) and
# unpacks, with the distribution's patches, the sources of the libraries that have no mingw package.
# The sources go to a cache outside the tree; cmake/Dependencies.cmake builds them from there. Apt's
# own lists and settings are left as they are when sources are fetched. A second run does nothing.

set -euo pipefail

packages=(
    # Windows builds, and Wine to run them (with TLS and root certificates)
    gcc-mingw-w64-x86-64-posix g++-mingw-w64-x86-64-posix
    gcc-mingw-w64-i686-posix g++-mingw-w64-i686-posix mingw-w64-tools
    wine wine64 libwine libwine-dev libgnutls30 ca-certificates
    # native builds, sanitizers, fuzzers, checks
    cmake ninja-build gcc g++ make pkg-config clang clang-format clang-tidy libclang-rt-14-dev
    libcurl4-openssl-dev libsqlite3-dev libcjson-dev libcmocka-dev libssl-dev openssl
    # to fetch sources and build them (tcl: SQLite's single-file form)
    dpkg-dev tcl python3 git
    # test servers, benchmarks
    nginx-light apache2 lighttpd lighttpd-mod-openssl lighttpd-mod-deflate squid
    aria2 curl time
)
sources=(curl sqlite3 cjson cmocka)

cache=$(realpath -m "${DOSVC_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/dosvc}")
policy=/usr/sbin/policy-rc.d
scratch=
own_policy=

die()
{
    echo "setup: $*" >&2
    exit 1
}

clean_up()
{
    if [[ -n $own_policy ]]; then rm -f "$policy"; fi
    if [[ -n $scratch ]]; then rm -rf "$scratch"; fi
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' HUP TERM

# Runs a command in silence; shows what it said only if it fails.
quietly()
{
    "$@" >"$scratch/log" 2>&1 </dev/null && return
    cat "$scratch/log" >&2
    die "failed: $*"
}

missing_packages()
{
    local -A installed=()
    local name status
    while read -r name status; do
        if [[ $status == ?i ]]; then installed[$name]=1; fi
    done < <(dpkg-query -W -f '${Package} ${db:Status-Abbrev}\n' "${packages[@]}" 2>/dev/null ||
        true)
    for name in "${packages[@]}"; do
        if [[ -z ${installed[$name]:-} ]]; then echo "$name"; fi
    done
}

install_packages()
{
    local -a missing
    local service
    mapfile -t missing < <(missing_packages)
    if ((${#missing[@]} == 0)); then return; fi
    if ((EUID != 0)); then
        echo "setup: packages are missing; run this, then run setup again:" >&2
        echo "sudo apt-get install --no-install-recommends ${missing[*]}" >&2
        exit 1
    fi

    # Tests start their servers themselves: while packages are installed, no service may start.
    if [[ ! -e $policy ]]; then
        own_policy=1
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
    fi
    export DEBIAN_FRONTEND=noninteractive
    quietly apt-get -q -o DPkg::Lock::Timeout=300 update
    quietly apt-get -q -y -o DPkg::Lock::Timeout=300 install --no-install-recommends "${missing[@]}"
    if [[ -n $own_policy ]]; then
        rm -f "$policy"
        own_policy=
    fi
    # ... nor at the next boot, unless a server was here before.
    for service in nginx-light apache2 lighttpd squid; do
        if [[ " ${missing[*]} " == *" $service "* && -d /run/systemd/system ]]; then
            systemctl --quiet disable "${service%-light}.service" >/dev/null 2>&1 || true
        fi
    done
}

# A folder src/<package>-<version> exists only when complete: it is renamed into place.
missing_sources()
{
    local name
    for name in "${sources[@]}"; do
        compgen -G "$cache/src/$name-[0-9]*" >/dev/null || echo "$name"
    done
}

# Writes to folder $1 the deb-src form of this machine's own entries for release $2. Other vendors'
# entries are left out, and backports too, whose newer versions `apt-get source` would prefer.
write_source_entries()
{
    python3 - "$1" "$2" <<'PYTHON'
import glob
import re
import sys

out_dir, codename = sys.argv[1:]
suites_wanted = {codename, codename + "-updates", codename + "-security", codename + "/updates"}
found = 0


def wanted(uris, suites, components):
    uris = [u for u in uris if not u.startswith("cdrom:")]
    suites = [s for s in suites if s.rstrip("/") in suites_wanted]
    return (uris, suites) if uris and suites and "main" in components else None


with open(out_dir + "/dosvc.list", "w") as out:
    for path in ["/etc/apt/sources.list"] + sorted(glob.glob("/etc/apt/sources.list.d/*.list")):
        try:
            lines = open(path, encoding="utf-8", errors="replace").read().splitlines()
        except FileNotFoundError:
            continue
        for line in lines:
            entry = re.match(r"\s*deb\s+(\[[^]]*\]\s*)?(\S+)\s+(\S+)\s+([^#]+)", line)
            if entry:
                options, uri, suite, components = entry.groups()
                if wanted([uri], [suite], components.split()):
                    options = (options or "").strip()
                    print("deb-src", options, uri, suite, components.strip(), file=out)
                    found += 1

with open(out_dir + "/dosvc.sources", "w") as out:
    for path in sorted(glob.glob("/etc/apt/sources.list.d/*.sources")):
        text = open(path, encoding="utf-8", errors="replace").read()
        text = "".join(l + "\n" for l in text.splitlines() if not l.startswith("#"))
        for stanza in re.split(r"\n\s*\n", text):
            fields = {}
            for field in re.finditer(r"^([A-Za-z-]+):(.*(?:\n[ \t].*)*)", stanza, re.M):
                fields[field.group(1).lower()] = field.group(2)

            def words(name):
                return fields.get(name, "").split()

            kept = wanted(words("uris"), words("suites"), words("components"))
            disabled = words("enabled") in (["no"], ["false"], ["0"])
            if "deb" not in words("types") or disabled or not kept:
                continue
            fields["types"] = " deb-src"
            fields["uris"] = " " + " ".join(kept[0])
            fields["suites"] = " " + " ".join(kept[1])
            for name, value in fields.items():
                out.write(name.title() + ":" + value.rstrip() + "\n")
            out.write("\n")
            found += 1

sys.exit(0 if found else "setup: no entry for " + codename + " in /etc/apt/sources.list*")
PYTHON
}

fetch_sources()
{
    local -a missing
    local codename name version folder
    mapfile -t missing < <(missing_sources)
    if ((${#missing[@]} == 0)); then return; fi

    codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
    if [[ -z $codename ]]; then die "no VERSION_CODENAME in /etc/os-release"; fi
    mkdir -p "$scratch"/{parts,lists/partial,apt/archives/partial}
    write_source_entries "$scratch/parts" "$codename" || exit 1
    cat >"$scratch/apt.conf" <<CONF
Dir::Etc::SourceList "/dev/null";
Dir::Etc::SourceParts "$scratch/parts";
Dir::State::Lists "$scratch/lists";
Dir::Cache "$scratch/apt";
Acquire::Languages "none";
APT::Sandbox::User "root";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
CONF
    quietly apt-get -q -c="$scratch/apt.conf" update
    for name in "${missing[@]}"; do
        mkdir "$scratch/$name"
        cd "$scratch/$name"
        quietly apt-get -q -c="$scratch/apt.conf" source --only-source "$name"
        folder=$(find . -mindepth 1 -maxdepth 1 -type d)
        if [[ ! -f $folder/debian/changelog ]]; then die "no source of $name"; fi
        version=$(dpkg-parsechangelog -l "$folder/debian/changelog" -S Version)
        mv -T "$folder" "$cache/src/$name-${version#*:}"
        cd "$cache"
    done
}

if ! command -v dpkg-query >/dev/null; then
    die "this is for Debian; elsewhere install the packages by hand"
fi
if [[ -z $(missing_packages) && -z $(missing_sources) ]]; then
    echo "setup: ready"
    exit 0
fi
mkdir -p "$cache/src"
scratch=$(mktemp -d "$cache/setup.XXXXXX")
install_packages
fetch_sources
echo "setup: ready"
