# SPDX-License-Identifier: Apache-2.0
"""Reads the command line of ./x."""
import argparse
import sys

from context import Failure


def parser():
    top = argparse.ArgumentParser(
        prog="./x", description="Builds, tests and runs Dynamo. Every command installs what it needs first (./x deps).")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)

    def command(name, text, build_options=False):
        sub = commands.add_parser(name, help=text, description=text)
        sub.add_argument("--locked", action="store_true",
                         help="fail when an installed version differs from third_party/manifest.json")
        if build_options:
            sub.add_argument("-p", dest="libraries", metavar="LIB", action="append", default=[],
                             help="only this library (repeatable)")
            sub.add_argument("--workspace", action="store_true", help="everything, also what is not built by default")
            sub.add_argument("--features", default="", metavar="a,b", help="turn features on (or off with no-)")
            sub.add_argument("--release", action="store_true", help="the release preset: -O2, thin LTO")
            sub.add_argument("--preset", help="a preset of CMakePresets.json")
        return sub

    command("deps", "install what third_party/manifest.json lists and is absent")
    command("build", "compile", build_options=True)
    command("check", "compile everything with warnings as errors, each public header alone, formats, licences", build_options=True)
    run = command("run", "build, then serve the small model on 127.0.0.1:8000 (or pass arguments after --)", build_options=True)
    run.add_argument("arguments", nargs="*", help="arguments of dynamo-run")
    test = command("test", "compile and run tests", build_options=True)
    test.add_argument("substring", nargs="?", help="only tests whose name matches")
    test.add_argument("--no-run", action="store_true", help="compile only")
    test.add_argument("--doc", action="store_true", help="only the examples in the documentation")
    test.add_argument("--interop", action="store_true", help="also tests against the reference's own wheel")
    test.add_argument("-L", dest="labels", metavar="LABEL", action="append", default=[], help="only tests with this label")
    bench = command("bench", "measure; NAME is a file of bench/ or a library with microbenchmarks", build_options=True)
    bench.add_argument("name")
    bench.add_argument("--json", action="store_true", help="machine-readable results")
    bench.add_argument("arguments", nargs="*")
    fuzz = command("fuzz", "run a fuzz target, or a comparison with another implementation on random input")
    fuzz.add_argument("target", help="'list' names them; 'all': every fuzz target, sharing the time")
    fuzz.add_argument("amount", nargs="?", type=int, help="seconds (of a NAME-differential: inputs)")
    fmt = command("fmt", "format the sources")
    fmt.add_argument("--check", action="store_true", help="only say what differs")
    lint = command("lint", "clang-tidy on the files changed in the last day's commits")
    lint.add_argument("--all", action="store_true", help="on every file")
    lint.add_argument("--budget", type=int, default=480, metavar="SECONDS")
    lint.add_argument("files", nargs="*")
    command("licenses", "check licences, bans and SPDX lines")
    command("doc", "build the documentation, warnings as errors; run its examples")
    ci = command("ci", "everything CI does, with a table of times")
    ci.add_argument("--only", metavar="STEP", action="append", default=[], help="only these steps")
    return top


def split_dashes(argv):
    """Arguments behind '--' belong to the program that is run."""
    if "--" in argv:
        at = argv.index("--")
        return argv[:at], argv[at + 1:]
    return argv, []


def main(argv):
    if not argv or argv[0] in ("help", "-h", "--help"):
        parser().print_help()
        return 0
    mine, passed = split_dashes(argv)
    args = parser().parse_args(mine)
    try:
        return dispatch(args, passed) or 0
    except Failure as why:
        print(f"./x {args.command}: {why}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def dispatch(args, passed):
    import build
    import deps
    preset = getattr(args, "preset", None) or ("release" if getattr(args, "release", False) else "dev")
    features = [f for f in getattr(args, "features", "").split(",") if f]
    common = dict(preset=preset, features=features, locked=args.locked)
    if args.command == "deps":
        deps.ensure(locked=args.locked)
    elif args.command == "build":
        build.build(libraries=args.libraries, **common)
    elif args.command == "test":
        if args.doc:
            import docs
            return docs.examples()
        labels = args.labels
        exclude = [] if args.interop or "interop" in labels else ["interop"]
        build.test(libraries=args.libraries, substring=args.substring, labels=labels, exclude_labels=exclude,
                   build_only=args.no_run, **common)
    elif args.command == "check":
        import checks
        return checks.check(args.libraries, **common)
    elif args.command == "run":
        import serve
        return serve.run(passed or args.arguments, **common)
    elif args.command == "bench":
        import bench
        return bench.run(args.name, [*args.arguments, *passed], json=args.json, features=features)
    elif args.command == "fuzz":
        import fuzz
        return fuzz.run(args.target, args.amount, passed)
    elif args.command == "fmt":
        import checks
        return checks.format_sources(check=args.check)
    elif args.command == "lint":
        import checks
        return checks.lint(args.files, everything=args.all, budget_s=args.budget)
    elif args.command == "licenses":
        import licenses
        return licenses.check()
    elif args.command == "doc":
        import docs
        return docs.build()
    elif args.command == "ci":
        import ci
        return ci.ci(args.only)
    return 0
