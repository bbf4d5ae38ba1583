# SPDX-License-Identifier: Apache-2.0
"""Installs what third_party/manifest.json lists and is absent. A second run does nothing."""
import hashlib
import os
import pathlib
import shutil
import sys
import tarfile
import tempfile
import zipfile

from context import CACHE, Failure, MANIFEST, VENV, environment, manifest, output, run, say

STAMP = CACHE / "deps.stamp"


def fingerprint():
    """Changes when the manifest, this file or the system's package database changes."""
    digest = hashlib.sha256()
    for path in (MANIFEST, pathlib.Path(__file__)):
        digest.update(path.read_bytes())
    status = pathlib.Path("/var/lib/dpkg/status")
    digest.update(str(status.stat().st_mtime_ns if status.exists() else 0).encode())
    return digest.hexdigest()


def installed_apt():
    listing = output("dpkg-query", "-W", "-f", "${Package} ${db:Status-Status} ${Version}\n")
    if listing is None:
        raise Failure("this is not a Debian system (no dpkg-query). docs/development.md lists what to install.")
    rows = (line.split() for line in listing.splitlines())
    return {row[0]: row[2] for row in rows if len(row) == 3 and row[1] == "installed"}


def ensure_apt(entries):
    have = installed_apt()
    missing = [e["name"] for e in entries
               if e["name"] not in have and not (e.get("command") and shutil.which(e["command"]))]
    if not missing:
        return
    sudo = [] if os.geteuid() == 0 else ["sudo"]
    env = dict(environment(), DEBIAN_FRONTEND="noninteractive")
    run(*sudo, "apt-get", "update", "-qq", env=env)
    run(*sudo, "apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing, env=env)


def ensure_python_tools(entries):
    wanted = [f"{e['name']}=={e['version']}" for e in entries]
    stamp = VENV / "installed.txt"
    if stamp.exists() and stamp.read_text().split() == wanted:
        return
    if not (VENV / "bin" / "pip").exists():
        run(sys.executable, "-m", "venv", VENV)
    run(VENV / "bin" / "pip", "install", "-q", "--disable-pip-version-check", *wanted)
    stamp.write_text("\n".join(wanted))


def ensure_node_tools(entries):
    wanted = [f"{e['name']}@{e['version']}" for e in entries]
    folder = CACHE / "node"
    stamp = folder / "installed.txt"
    if stamp.exists() and stamp.read_text().split() == wanted:
        return
    folder.mkdir(parents=True, exist_ok=True)
    run("npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", folder, *wanted)
    stamp.write_text("\n".join(wanted))


def fetch(entry, into):
    """Downloads one package file with its registry's ordinary client; returns its path."""
    name, version = entry["name"], entry["version"]
    if entry["registry"] == "pypi":
        source = ["--no-binary", name] if entry.get("form") == "sdist" else []
        run(VENV / "bin" / "pip", "download", "-q", "--disable-pip-version-check", "--no-deps", *source,
            "-d", into, f"{name}=={version}")
    elif entry["registry"] == "npm":
        run("npm", "pack", "--silent", f"{name}@{version}", cwd=into)
    else:
        raise Failure(f"{entry['id']}: unknown registry {entry['registry']}")
    files = [p for p in pathlib.Path(into).iterdir() if p.is_file()]
    if len(files) != 1:
        raise Failure(f"{entry['id']}: expected one file from {entry['registry']}, got {len(files)}")
    return files[0]


def members(archive, unpack):
    """(name inside, name outside) of each file that `unpack` selects."""
    prefix = unpack.get("strip", "")
    include = unpack.get("include")
    for name in archive:
        if not name.startswith(prefix) or name.endswith("/"):
            continue
        inner = name[len(prefix):]
        if ".." in inner.split("/") or inner.startswith("/"):
            raise Failure(f"archive member {name} leaves its folder")
        if include is None or any(inner == i or (i.endswith("/") and inner.startswith(i)) for i in include):
            yield name, inner


def ensure_download(entry):
    target = CACHE / entry["into"]
    stamp = target / ".complete"
    if stamp.exists() and stamp.read_text() == entry["sha256"]:
        return
    say(f"fetching {entry['id']} {entry['version']} ({entry['registry']})")
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
        try:
            path = fetch(entry, scratch)
        except Failure as why:
            raise Failure(f"downloading {entry['id']} did not work: {why}\n"
                          f"Check the network and the {entry['registry']} client's settings, then run ./x deps again.")
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        if found != entry["sha256"]:
            raise Failure(f"{entry['id']}: {path.name} has sha256 {found}, third_party/manifest.json says {entry['sha256']}")
        fresh = pathlib.Path(scratch) / "unpacked"
        fresh.mkdir()
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                for name, inner in members(archive.namelist(), entry["unpack"]):
                    (fresh / inner).parent.mkdir(parents=True, exist_ok=True)
                    (fresh / inner).write_bytes(archive.read(name))
        else:
            with tarfile.open(path) as archive:
                files = {m.name: m for m in archive.getmembers() if m.isfile()}
                for name, inner in members(files, entry["unpack"]):
                    (fresh / inner).parent.mkdir(parents=True, exist_ok=True)
                    (fresh / inner).write_bytes(archive.extractfile(files[name]).read())
        for name, text in entry.get("write", {}).items():
            (fresh / name).write_text(text)
        shutil.rmtree(target, ignore_errors=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(fresh, target)
        stamp.write_text(entry["sha256"])


def check_locked(listing):
    have = installed_apt()
    wrong = [f"  {e['name']}: manifest {e['version']}, installed {have[e['name']]}"
             for e in listing["apt"] if e.get("version") and e["name"] in have and not have[e["name"]].startswith(e["version"])]
    if wrong:
        raise Failure("--locked: installed versions differ from third_party/manifest.json:\n" + "\n".join(wrong))


def ensure(locked=False, only_downloads=False):
    """`only_downloads` leaves system packages alone (they were checked a moment ago)."""
    listing = manifest()
    if STAMP.exists() and STAMP.read_text() == fingerprint():
        if locked:
            check_locked(listing)
        return
    if not only_downloads:
        ensure_apt(listing["apt"])
    if locked:
        check_locked(listing)
    ensure_python_tools(listing["python"])
    ensure_node_tools(listing["node"])
    for entry in listing["downloads"]:
        ensure_download(entry)
    CACHE.mkdir(parents=True, exist_ok=True)
    STAMP.write_text(fingerprint())
    say("dependencies are complete")
