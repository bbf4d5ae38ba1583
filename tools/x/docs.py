# SPDX-License-Identifier: Apache-2.0
"""Documentation: headers through Doxygen with warnings as errors, links that resolve, examples that run."""
import re

import build as builder
import deps
from context import Failure, ROOT, output, run, say

LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(#[^)]*)?\)")
EXAMPLE = re.compile(r"^```cpp (examples/\S+)\n(.*?)^```", re.M | re.S)


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


def misquoted_examples():
    """Fenced blocks "cpp examples/FILE" must stand in that file, line by line, indentation aside."""
    problems = []
    for page in markdown():
        for match in EXAMPLE.finditer(page.read_text()):
            name, quoted = match.groups()
            where = f"{page.relative_to(ROOT)}: the block that quotes {name}"
            if not (ROOT / name).exists():
                problems.append(f"{where}, which does not exist")
                continue
            source = [line.strip() for line in (ROOT / name).read_text().splitlines()]
            lines = [line.strip() for line in quoted.splitlines()]
            if not any(source[at:at + len(lines)] == lines for at in range(len(source))):
                problems.append(f"{where} differs from it")
    return problems


def examples():
    """Builds and runs the programs that the documentation quotes, and holds the quotations against them."""
    problems = misquoted_examples()
    if problems:
        raise Failure("\n  ".join(["documentation:", *problems]))
    deps.ensure()
    builder.configure("dev")
    builder.build("dev", targets=["dynamo_examples"], with_deps=False)
    run("ctest", "--test-dir", builder.folder("dev"), "-L", "^doc$", "--output-on-failure", "--no-tests=error")


def build():
    deps.ensure()
    problems = broken_links()
    if problems:
        raise Failure("\n  ".join(["documentation:", *problems]))
    (ROOT / "build" / "docs").mkdir(parents=True, exist_ok=True)
    run("doxygen", "docs/Doxyfile")
    examples()
    say("documentation lies in build/docs/html")
