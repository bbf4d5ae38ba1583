# SPDX-License-Identifier: Apache-2.0
"""What a reviewer should not have to look for: format, warnings, self-contained headers, lint."""
import concurrent.futures
import os
import shutil
import subprocess
import time

import build
import licenses
from context import Failure, ROOT, environment, jobs, output, run, say

SOURCES = ("*.h", "*.cpp")


def sources():
    listing = output("git", "ls-files", "--cached", "--others", "--exclude-standard", *SOURCES)
    if listing is None:
        raise Failure("not a git checkout: the list of sources comes from git ls-files")
    return [line for line in listing.splitlines() if (ROOT / line).exists()]


def format_sources(check=False):
    tool = shutil.which("clang-format-19")
    if not tool:
        raise Failure("clang-format-19 is not installed. Fix: ./x deps")
    files = sources()
    say(f"clang-format-19 on {len(files)} files")
    mode = ["--dry-run", "-Werror"] if check else ["-i"]
    status = 0
    for at in range(0, len(files), 100):
        status |= run(tool, *mode, *files[at:at + 100], quiet=True, check=False)
    if status:
        raise Failure("these files are not formatted. Fix: ./x fmt")


def check(libraries=(), preset="dev", features=(), locked=False):
    """Compiles with warnings as errors (the presets set DYNAMO_WERROR) and checks the rest."""
    build.build(preset, libraries=libraries, features=features, locked=locked)
    targets = build.targets_of(libraries, "_header_check") if libraries else ["dynamo_header_checks"]
    build.build(preset, targets=targets, features=features, with_deps=False)
    format_sources(check=True)
    licenses.check()


def changed_files(days=1):
    listing = output("git", "log", f"--since={days}.days", "--name-only", "--pretty=format:", "--diff-filter=d")
    uncommitted = output("git", "diff", "--name-only", "--diff-filter=d", "HEAD") or ""
    names = {line for line in ((listing or "") + uncommitted).splitlines() if line.endswith(".cpp")}
    return sorted(name for name in names if (ROOT / name).exists())


def lint(files=(), everything=False, budget_s=480, report_only=False):
    """clang-tidy 19; ends at its budget and says what it left out. Findings fail it unless they are only reported."""
    build.configure("dev")
    database = build.folder("dev") / "compile_commands.json"
    known = database.read_text() if database.exists() else ""
    if files:
        wanted = [os.path.relpath(f, ROOT) for f in files]
    else:
        wanted = [f for f in sources() if f.endswith(".cpp")] if everything else changed_files()
    # Tests are compiled in unity batches and fuzz targets in their own preset: neither is in the database.
    wanted = [f for f in wanted if f'"{ROOT / f}"' in known]
    # Newest work first, so that a budget too small still looks at what changed last.
    wanted.sort(key=lambda f: -(ROOT / f).stat().st_mtime)
    say(f"clang-tidy-19 on {len(wanted)} files, at most {budget_s} s")
    started = time.monotonic()
    failed, skipped = [], []

    def one(name):
        left = budget_s - (time.monotonic() - started)
        if left <= 1:
            return name, None, ""
        try:
            done = subprocess.run(
                ["clang-tidy-19", "-p", str(build.folder("dev")), "--quiet", name], cwd=ROOT, env=environment(),
                capture_output=True, text=True, timeout=left)
            return name, done.returncode, done.stdout
        except subprocess.TimeoutExpired:
            return name, None, ""

    with concurrent.futures.ThreadPoolExecutor(int(jobs())) as pool:
        for name, status, text in pool.map(one, wanted):
            if status is None:
                skipped.append(name)
            elif status != 0:
                failed.append(name)
                print(text, flush=True)
    for name in skipped:
        print(f"not looked at (budget): {name}")
    say(f"clang-tidy: {len(wanted) - len(skipped)} files looked at, {len(failed)} with findings, {len(skipped)} left out")
    if failed and not report_only:
        raise Failure("clang-tidy has findings in " + ", ".join(failed))
