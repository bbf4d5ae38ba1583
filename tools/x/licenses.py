# SPDX-License-Identifier: Apache-2.0
"""Licences, bans and SPDX lines: the counterpart of cargo-deny. Run alone: python3 tools/x/licenses.py [MANIFEST]"""
import json
import pathlib
import re
import sys

from context import Failure, MANIFEST, ROOT, output, say

SPDX = "SPDX-License-Identifier: Apache-2.0"
SPDX_FILES = re.compile(
    r"\.(h|hpp|c|cc|cpp|cu|py|sh|cmake|proto|js|mjs|ts|html|css)$|(^|/)(CMakeLists\.txt|x|run|Doxyfile)$")
#: Case data and generated listings have no room for a comment.
SPDX_EXEMPT = re.compile(r"(^|/)testdata/|^tests/conformance/cases/|^tests/fuzz/corpus/")
FOUND_BY_CMAKE = re.compile(r"(?:find_package|dynamo_require)\(\s*([A-Za-z0-9_+]+)|pkg_check_modules\([^)]*?\b(lib[a-z0-9+-]+)")
#: Part of CMake itself.
CMAKE_MODULES = {"Threads", "PkgConfig", "Python3", "CUDAToolkit"}


def entries(manifest):
    for group in ("apt", "python", "node", "downloads"):
        for entry in manifest.get(group, []):
            yield group, entry


def manifest_problems(manifest):
    allowed = set(manifest["licenses"]["allow"])
    banned = {ban["name"]: ban["reason"] for ban in manifest["licenses"]["ban"]}
    problems = []
    for group, entry in entries(manifest):
        name = entry.get("name", "?")
        licence = entry.get("license")
        if name in banned:
            problems.append(f"{group}: {name} is banned: {banned[name]}")
        if not licence:
            problems.append(f"{group}: {name} has no licence")
        elif licence not in allowed and not entry.get("use"):
            problems.append(f"{group}: {name} is part of the product but its licence {licence} is not on the allow list")
        if group == "downloads" and not re.fullmatch(r"[0-9a-f]{64}", entry.get("sha256", "")):
            problems.append(f"downloads: {name} has no sha256")
    return problems


def cmake_problems(manifest, texts):
    declared = {name for _, entry in entries(manifest) for name in entry.get("cmake", [])}
    problems = []
    for path, text in texts.items():
        text = re.sub(r"#.*", "", text)
        for match in FOUND_BY_CMAKE.finditer(text):
            package = match.group(1) or match.group(2)
            if package not in declared and package not in CMAKE_MODULES and package != "package":
                problems.append(f"{path}: uses {package}, which no entry of third_party/manifest.json names under 'cmake'")
    return problems


def spdx_problems(paths):
    problems = []
    for path in paths:
        if SPDX_FILES.search(path) and not SPDX_EXEMPT.search(path) and (ROOT / path).is_file():
            if SPDX not in (ROOT / path).read_text(errors="replace")[:600]:
                problems.append(f"{path}: no line '{SPDX}'")
    return problems


def check(manifest_path=MANIFEST):
    manifest = json.loads(pathlib.Path(manifest_path).read_text())
    tracked = (output("git", "ls-files", "--cached", "--others", "--exclude-standard") or "").splitlines()
    cmake = {p: (ROOT / p).read_text() for p in tracked
             if (p.endswith(".cmake") or p.endswith("CMakeLists.txt")) and (ROOT / p).is_file()}
    problems = manifest_problems(manifest) + cmake_problems(manifest, cmake) + spdx_problems(tracked)
    if problems:
        raise Failure("\n  ".join(["licence check failed:", *problems]))
    say(f"licences: {sum(1 for _ in entries(manifest))} dependencies and {len(tracked)} files are in order")


if __name__ == "__main__":
    try:
        check(*sys.argv[1:2])
    except Failure as why:
        sys.exit(str(why))
