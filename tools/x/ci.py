# SPDX-License-Identifier: Apache-2.0
"""What CI runs, with the minutes each step may take on 2 cores and a cold cache."""
import collections
import os
import sys
import threading
import time

import build
import checks
import deps
import docs
import fuzz
import licenses
from context import Failure, ROOT, run, say

TOTAL_MINUTES = 80


def dependencies():
    deps.ensure()


def formats():
    checks.format_sources(check=True)
    licenses.check()


def dev_build():
    build.build("dev", with_deps=False)


def header_checks():
    build.build("dev", targets=["dynamo_header_checks"], with_deps=False)


def tests():
    try:
        run(ROOT / "x", "test")
    except Failure:
        # Still a failure; but what they print now stands at the end of the log, and shows which fail only sometimes.
        say("the failed tests once more:")
        run("ctest", "--test-dir", build.folder("dev"), "--rerun-failed", "--output-on-failure", "--timeout", "300", check=False,
            env=build.test_environment("dev"))
        raise


def release():
    build.build("release", targets=["dynamo-run"], with_deps=False)


def asan():
    # llama.cpp itself is not instrumented; its tests ran with the others.
    build.test("asan", with_deps=False, labels=["unit"], exclude_labels=["llama"])


def tsan():
    # The libraries that have threads, or that threads share; the others are confined to one by design.
    build.test("tsan", with_deps=False, labels=["unit"], libraries=["base", "config", "runtime", "kv_router", "llm", "engines/batching", "engines/echo"])


def tidy():
    # Reported, not failed on: the tree is too large for the budget, so which files are looked at is chance.
    # `./x lint FILE…` fails on findings.
    checks.lint(budget_s=7 * 60, report_only=True)


def fuzzing():
    fuzz.run("all", 210, repeatable=True)
    fuzz.run("jinja-differential", 4000)


STEPS = [  # name, budget in minutes, what
    ("deps", 6, dependencies),
    ("format, licences", 1, formats),
    ("dev build, tests' build", 12, dev_build),
    ("headers stand alone", 2, header_checks),
    ("release", 8, release),
    ("tests", 15, tests),
    ("asan, ubsan", 14, asan),
    ("tsan", 8, tsan),
    ("clang-tidy", 8, tidy),
    ("fuzz", 8, fuzzing),
    ("documentation", 3, docs.build),
]


class Tail:
    """Passes on what this process and its children print while it lives, and keeps the last lines."""

    def __init__(self, lines=60):
        self.lines = collections.deque(maxlen=lines)

    def __enter__(self):
        sys.stdout.flush()
        reader, writer = os.pipe()
        self.saved = [os.dup(1), os.dup(2)]
        os.dup2(writer, 1)
        os.dup2(writer, 2)
        os.close(writer)
        self.thread = threading.Thread(target=self.pass_on, args=(reader,), daemon=True)
        self.thread.start()
        return self

    def pass_on(self, reader):
        with os.fdopen(reader, "rb") as source:
            for line in source:
                os.write(self.saved[0], line)
                self.lines.append(line.decode(errors="replace").rstrip("\n"))

    def __exit__(self, *_):
        sys.stdout.flush()
        for number, saved in zip((1, 2), self.saved):
            os.dup2(saved, number)
        self.thread.join(timeout=10)
        if not self.thread.is_alive():  # else a child that was left behind still prints
            for saved in self.saved:
                os.close(saved)


def run_step(action):
    """Minutes, and why it failed with the last lines it printed."""
    started = time.monotonic()
    with Tail() as tail:
        try:
            action()
            why = None
        except Failure as failure:
            why = str(failure)
    return time.monotonic() - started, why, list(tail.lines)


def table(rows):
    print(f"\n{'step':<26}{'budget':>8}{'actual':>8}  result")
    for name, budget, seconds, why in rows:
        print(f"{name:<26}{budget:>6} m{seconds / 60:>6.1f} m  {'ok' if why is None else 'FAILED: ' + why.splitlines()[0]}")
    total = sum(seconds for _, _, seconds, _ in rows) / 60
    print(f"{'total':<26}{TOTAL_MINUTES:>6} m{total:>6.1f} m", flush=True)
    return total


def ci(only=()):
    rows = []
    failures = []
    for name, budget, action in STEPS:
        if only and not any(word in name for word in only):
            continue
        say(f"=== {name} (budget {budget} min)")
        seconds, why, last_lines = run_step(action)
        if why:
            print(f"=== {name} FAILED: {why}", flush=True)
            failures.append((name, why, last_lines))
        rows.append((name, budget, seconds, why))
        if why and name in ("deps", "dev build, tests' build"):
            break  # nothing after it can work
    for name, why, last_lines in failures:
        print(f"\n=== the end of {name}, which failed: {why}")
        print("\n".join(last_lines))
    total = table(rows)
    if failures:
        raise Failure("failed: " + ", ".join(name for name, _, _ in failures))
    if total > TOTAL_MINUTES:
        raise Failure(f"took {total:.0f} minutes, the limit is {TOTAL_MINUTES}")

