# SPDX-License-Identifier: Apache-2.0
"""Runs the libFuzzer binaries of tests/fuzz under ASan and UBSan, and its comparisons with other implementations.

A comparison is tests/fuzz/NAME_differential.py, called with the path of dynamo-conformance and --count N; it prints
what differs with what reproduces it, and its status is 1 when something does.
"""
import re
import shutil
import subprocess

import build
import deps
from context import CACHE, Failure, ROOT, VENV, environment, output, run as run_command, say

FOLDER = ROOT / "tests" / "fuzz"
CORPUS = FOLDER / "corpus"


def targets():
    listing = output("ninja", "-C", build.folder("fuzz"), "-t", "targets", "all") or ""
    return sorted({m.group(1) for m in re.finditer(r"^dynamo_fuzz_(\w+):", listing, re.M)})


def run_one(name, seconds, arguments=(), repeatable=False):
    """`repeatable`: the same inputs in the same order each time (as far as the time goes), from the kept corpus alone."""
    grown = ROOT / "build" / "fuzz" / "grown" / name if repeatable else CACHE / "fuzz" / name
    if repeatable:
        shutil.rmtree(grown, ignore_errors=True)
        arguments = ("-seed=1", *arguments)
    grown.mkdir(parents=True, exist_ok=True)
    seeds = [str(CORPUS / name)] if (CORPUS / name).is_dir() else []
    artifacts = ROOT / "build" / "fuzz" / "artifacts"
    artifacts.mkdir(parents=True, exist_ok=True)
    command = [str(build.folder("fuzz") / "bin" / f"dynamo_fuzz_{name}"), str(grown), *seeds,
               f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=2048", "-max_len=65536",
               f"-artifact_prefix={artifacts}/{name}-", "-print_final_stats=1", *arguments]
    say(f"+ fuzz {name} for {seconds} s")
    env = dict(environment(), ASAN_OPTIONS="detect_leaks=1:allocator_may_return_null=1", UBSAN_OPTIONS="print_stacktrace=1",
               DYN_LOG="off")
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, errors="replace")
    facts = dict(re.findall(r"stat::(\w+):\s+(\d+)", done.stderr))
    coverage = re.findall(r"cov: (\d+)", done.stderr)
    print(f"  {name}: {facts.get('number_of_executed_units', '?')} executions, "
          f"{coverage[-1] if coverage else '?'} edges, status {done.returncode}", flush=True)
    if done.returncode != 0:
        print(done.stderr[-6000:])
        raise Failure(f"fuzz target {name} failed; the input lies in build/fuzz/artifacts")


def differentials():
    """Name of the target -> its script."""
    return {path.stem.replace("_", "-"): path for path in sorted(FOLDER.glob("*_differential.py"))}


def run_differential(script, count, arguments=()):
    build.build("release", targets=["dynamo-conformance"], with_deps=False)
    run_command(VENV / "bin" / "python", script, build.folder("release") / "bin" / "dynamo-conformance",
                *(["--count", count] if count else []), *arguments)


def run(target, amount=None, arguments=(), repeatable=False):
    """`amount` is in seconds for fuzz targets and in inputs for comparisons. "all" means all fuzz targets."""
    deps.ensure()
    if target in differentials():
        return run_differential(differentials()[target], amount, arguments)
    build.configure("fuzz")
    known = targets()
    if target == "list":
        print("\n".join([*known, *differentials()]))
        return
    if target != "all" and target not in known:
        raise Failure(f"no fuzz target '{target}'. Known: all, {', '.join([*known, *differentials()])}")
    chosen = known if target == "all" else [target]
    if not chosen:
        raise Failure("there are no fuzz targets yet")
    build.build("fuzz", targets=[f"dynamo_fuzz_{name}" for name in chosen], with_deps=False)
    share = max(1, (amount or 60) // len(chosen))
    failed = []
    for name in chosen:
        try:
            run_one(name, share, arguments, repeatable)
        except Failure as failure:
            failed.append(str(failure))
    if failed:
        raise Failure("; ".join(failed))
