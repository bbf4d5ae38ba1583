# SPDX-License-Identifier: Apache-2.0
"""Documentation: headers through Doxygen with warnings as errors, links that resolve, examples that compile."""
import pathlib
import re

import build as builder
import deps
from context import Failure, ROOT, output, run, say

LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(#[^)]*)?\)")
EXAMPLE = re.compile(r"^```cpp example(?: (\S+))?\n(.*?)^```", re.M | re.S)


def markdown():
    listing = output("git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md") or ""
    return [ROOT / line for line in listing.splitlines() if (ROOT / line).exists()]


def broken_links():
    problems = []
    for page in markdown():
        for match in LINK.finditer(page.read_text()):
            target = match.group(1)
            if "://" in target or target.startswith("mailto:"):
                continue
            if not (page.parent / target).exists():
                problems.append(f"{page.relative_to(ROOT)}: link to {target}, which does not exist")
    return problems


def examples():
    """Compiles each block that begins with ```cpp example [library …]."""
    deps.ensure()
    builder.configure("dev")
    folder = ROOT / "build" / "dev" / "doc_examples"
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    for page in [*markdown(), *sorted((ROOT / "include").rglob("*.h"))]:
        text = re.sub(r"^\s*/// ?", "", page.read_text(), flags=re.M) if page.suffix == ".h" else page.read_text()
        for number, match in enumerate(EXAMPLE.finditer(text)):
            source = folder / f"{page.stem}_{number}.cpp"
            source.write_text(match.group(2))
            run("clang++-19", "-std=c++23", "-fsyntax-only", f"-I{ROOT}/include", "-DBOOST_ASIO_NO_DEPRECATED", source)
            count += 1
    say(f"examples: {count} compiled")


def build():
    deps.ensure()
    problems = broken_links()
    if problems:
        raise Failure("\n  ".join(["documentation:", *problems]))
    (ROOT / "build" / "docs").mkdir(parents=True, exist_ok=True)
    run("doxygen", "docs/Doxyfile")
    examples()
    say("documentation lies in build/docs/html")
