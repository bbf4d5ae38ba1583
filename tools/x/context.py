# SPDX-License-Identifier: Apache-2.0
"""Paths, the environment and how commands are run. Every other part of ./x builds on this."""
import json
import os
import pathlib
import shlex
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
#: Downloads, Python tools, and whatever else outlives a build; shared by all checkouts.
CACHE = pathlib.Path(
    os.environ.get("DYNAMO_CACHE_DIR")
    or os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "dynamo-cpp"))
MANIFEST = ROOT / "third_party" / "manifest.json"
VENV = CACHE / "venv"


class Failure(Exception):
    """An expected failure; its text is all that is printed."""


def manifest():
    return json.loads(MANIFEST.read_text())


def environment():
    """ccache with paths relative to the checkout, so that every checkout shares one cache."""
    env = dict(os.environ)
    env.setdefault("CCACHE_BASEDIR", str(ROOT))
    env.setdefault("CCACHE_NOHASHDIR", "1")
    env.setdefault("CCACHE_SLOPPINESS", "pch_defines,time_macros,include_file_mtime,include_file_ctime")
    env.setdefault("CCACHE_MAXSIZE", "10G")
    env["DYNAMO_CACHE_DIR"] = str(CACHE)
    return env


def say(text):
    print(f"\033[1m{text}\033[0m" if sys.stdout.isatty() else text, flush=True)


def run(*command, cwd=None, check=True, quiet=False, env=None, timeout=None):
    """Prints and runs a command; a failure names it. Returns the exit status."""
    words = [str(word) for word in command]
    if not quiet:
        say("+ " + shlex.join(words))
    try:
        status = subprocess.run(words, cwd=cwd or ROOT, env=env or environment(), timeout=timeout).returncode
    except FileNotFoundError:
        raise Failure(f"{words[0]} is not installed. Fix: ./x deps")
    except subprocess.TimeoutExpired:
        raise Failure(f"gave up after {timeout} s: {shlex.join(words)}")
    if check and status != 0:
        raise Failure(f"failed with status {status}: {shlex.join(words)}")
    return status


def output(*command, cwd=None):
    """The standard output of a command, or None when it fails or is absent."""
    try:
        done = subprocess.run([str(w) for w in command], cwd=cwd or ROOT, env=environment(),
                              capture_output=True, text=True)
    except FileNotFoundError:
        return None
    return done.stdout if done.returncode == 0 else None


def jobs():
    return os.environ.get("DYNAMO_JOBS") or str(os.cpu_count() or 2)


def shared_folder():
    """Case files of others and traces, beside the checkout; None in a plain clone."""
    for candidate in (os.environ.get("DYNAMO_SHARED_DIR"), ROOT.parent / "shared", ROOT / "shared"):
        if candidate and (pathlib.Path(candidate) / "conformance").is_dir():
            return pathlib.Path(candidate)
    return None
