# SPDX-License-Identifier: Apache-2.0
"""./x bench NAME: bench/NAME.py when there is one, else the microbenchmarks of library NAME."""

import build
import deps
from context import Failure, ROOT, VENV, environment, run as run_command


def scripts():
    return {path.stem: path for path in sorted((ROOT / "bench").glob("*.py"))}


def run(name, arguments, json=False, features=()):
    name = name.replace("-", "_")
    deps.ensure()
    build.configure("release", features)
    if name in scripts():
        env = dict(environment(), DYNAMO_BIN_DIR=str(build.folder("release") / "bin"),
                   PYTHONPATH=str(ROOT / "tools" / "x"))
        run_command(VENV / "bin" / "python", scripts()[name], *(["--json"] if json else []), *arguments, env=env)
        return
    target = "dynamo_" + name.replace("/", "_") + "_bench"
    if target not in build.known_test_targets("release"):
        raise Failure(f"no benchmark '{name}'. Known: {', '.join(scripts())} and libraries that have a *_bench.cpp")
    build.build("release", targets=[target], features=features, with_deps=False)
    form = ["--benchmark_format=json"] if json else []
    run_command(build.folder("release") / "bin" / target, *form, *arguments)
