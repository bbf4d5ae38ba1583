# SPDX-License-Identifier: Apache-2.0
"""What CI runs, with the minutes each step may take on 2 cores and a cold cache."""
import os
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
    run(ROOT / "x", "test")


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
    fuzz.run("all", 210)
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


def run_step(action):
    started = time.monotonic()
    try:
        action()
        return time.monotonic() - started, None
    except Failure as why:
        return time.monotonic() - started, str(why)


def table(rows):
    print(f"\n{'step':<26}{'budget':>8}{'actual':>8}  result")
    for name, budget, seconds, why in rows:
        print(f"{name:<26}{budget:>6} m{seconds / 60:>6.1f} m  {'ok' if why is None else 'FAILED: ' + why.splitlines()[0]}")
    total = sum(seconds for _, _, seconds, _ in rows) / 60
    print(f"{'total':<26}{TOTAL_MINUTES:>6} m{total:>6.1f} m", flush=True)
    return total


def ci(only=()):
    rows = []
    for name, budget, action in STEPS:
        if only and not any(word in name for word in only):
            continue
        say(f"=== {name} (budget {budget} min)")
        seconds, why = run_step(action)
        if why:
            print(f"=== {name} FAILED: {why}", flush=True)
        rows.append((name, budget, seconds, why))
        if why and name in ("deps", "dev build, tests' build"):
            break  # nothing after it can work
    total = table(rows)
    failed = [name for name, _, _, why in rows if why]
    if failed:
        raise Failure("failed: " + ", ".join(failed))
    if total > TOTAL_MINUTES:
        raise Failure(f"took {total:.0f} minutes, the limit is {TOTAL_MINUTES}")

