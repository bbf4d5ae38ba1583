# SPDX-License-Identifier: Apache-2.0
"""Configure, build and test: the counterpart of cargo build and cargo test."""

import deps
from context import CACHE, Failure, ROOT, environment, jobs, output, run, shared_folder

FEATURES = {  # cargo feature -> CMake option
    "llama": "DYNAMO_LLAMA", "cuda": "DYNAMO_CUDA", "metal": "DYNAMO_METAL",
    "tests": "DYNAMO_TESTS", "bench": "DYNAMO_BENCH",
}


def folder(preset):
    return ROOT / "build" / preset


def feature_options(features):
    options = []
    for feature in features:
        name = feature.removeprefix("no-")
        if name not in FEATURES:
            raise Failure(f"unknown feature '{feature}'. Known: {', '.join(sorted(FEATURES))} (with 'no-' in front to turn one off)")
        options.append(f"-D{FEATURES[name]}={'OFF' if feature.startswith('no-') else 'ON'}")
    return options


def configure(preset, features=(), extra=()):
    """CMake reconfigures by itself when a CMakeLists changes; this runs it when options may differ."""
    options = [f"-DDYNAMO_CACHE_DIR={CACHE}", *feature_options(features), *extra]
    marker = folder(preset) / "x-options.txt"
    # CMake does not see a new folder by itself: the top CMakeLists asks which parts exist.
    parts = sorted(str(path.relative_to(ROOT)) for top in ("src", "apps", "tools", "tests", "bench", "examples")
                   for path in (ROOT / top).glob("**/CMakeLists.txt"))
    text = "\n".join([*options, *parts])
    if marker.exists() and (folder(preset) / "build.ninja").exists() and marker.read_text() == text:
        return
    run("cmake", "--preset", preset, *options)
    marker.write_text(text)


def targets_of(libraries, suffix=""):
    """CMake's targets of libraries (llm, engines/llama), their tests ("_test"), or of the program dynamo-run."""
    targets = []
    for library in libraries:
        if library == "dynamo-run":
            targets.append("dynamo_run" + suffix if suffix else library)
        else:
            targets.append("dynamo_" + library.replace("/", "_") + suffix)
    return targets


def build(preset="dev", libraries=(), features=(), targets=(), extra=(), with_deps=True, locked=False):
    if with_deps:
        deps.ensure(locked=locked)
    configure(preset, features, extra)
    names = [*targets_of(libraries), *targets]
    command = ["cmake", "--build", folder(preset), "-j", jobs()]
    if names:
        command += ["--target", *names]
    run(*command)


def known_test_targets(preset):
    listing = output("ninja", "-C", folder(preset), "-t", "targets", "all") or ""
    return {line.split(":")[0] for line in listing.splitlines()}


def test_environment(preset):
    """What tests need to know beside their arguments."""
    env = environment()
    shared = shared_folder()
    if shared:
        env["DYNAMO_SHARED_DIR"] = str(shared)
    env.setdefault("DYNAMO_BIN_DIR", str(folder(preset) / "bin"))
    env.setdefault("GTEST_BRIEF", "1")
    env.setdefault("ASAN_OPTIONS", "detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1")
    env.setdefault("UBSAN_OPTIONS", "print_stacktrace=1")
    env.setdefault("TSAN_OPTIONS", f"suppressions={ROOT}/tools/x/tsan.supp:second_deadlock_stack=1")
    return env


def test(preset="dev", libraries=(), features=(), substring=None, labels=(), exclude_labels=(), build_only=False,
         with_deps=True, locked=False):
    if with_deps:
        deps.ensure(locked=locked)
    configure(preset, features)
    if libraries:
        wanted = targets_of(libraries, "_test")
        missing = [name for name in wanted if name not in known_test_targets(preset)]
        if missing:  # CMake has not looked since the library got its first test
            run("cmake", folder(preset))
            missing = [name for name in wanted if name not in known_test_targets(preset)]
        if missing:
            raise Failure(f"no such test target: {', '.join(missing)}")
        build(preset, targets=wanted, features=features, with_deps=False)
    else:
        build(preset, features=features, with_deps=False)
    if build_only:
        return
    command = ["ctest", "--test-dir", folder(preset), "--output-on-failure", "--no-tests=error", "-j", jobs(),
               "--timeout", "300"]
    if libraries or substring:
        prefixes = "|".join("run" if library == "dynamo-run" else library for library in libraries)
        command += ["-R", (f"^({prefixes})/.*" if libraries else "") + (substring or "")]
    for label in labels:
        command += ["-L", label]
    for label in exclude_labels:
        command += ["-LE", label]
    run(*command, env=test_environment(preset))
