# SPDX-License-Identifier: Apache-2.0
"""Published crates that benchmarks measure beside ours: bench/anchors/NAME, a program of ours built with cargo.

Cargo is no dependency of anything else, so ./x deps does not install it; where it is absent a benchmark says so and goes
on without. Versions are pinned in each Cargo.toml.
"""
import os
import shutil
import subprocess
import sys

from context import CACHE, ROOT


def program(name):
    """The path of the built program NAME_anchor, or None when it cannot be built, which is said on stderr."""
    folder = ROOT / "bench" / "anchors" / name
    without = f"so {folder.relative_to(ROOT)} is NOT measured beside ours"
    if shutil.which("cargo") is None:
        print(f"bench: cargo is not installed, {without}. Install Rust (rustup) and run again.", file=sys.stderr, flush=True)
        return None
    target = CACHE / "anchors" / name
    print(f"bench: building {folder.relative_to(ROOT)}", file=sys.stderr, flush=True)
    done = subprocess.run(["cargo", "build", "--release", "--quiet"], cwd=folder, stdout=sys.stderr,
                          env=dict(os.environ, CARGO_TARGET_DIR=str(target)))
    if done.returncode != 0:
        print(f"bench: cargo failed, {without}", file=sys.stderr, flush=True)
        return None
    return target / "release" / f"{name}_anchor"
