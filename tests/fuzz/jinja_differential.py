#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares our template engine with Python's Jinja2, set up as transformers does, on random input.

  jinja_differential.py BINARY [--count N] [--seed S] [--only conversations|expressions|statements]

BINARY is dynamo-conformance. Three kinds of input: random conversations on the published templates of
../shared (skipped where that is absent), random expressions, and random small templates. Prints each difference
with what reproduces it; the exit status is 1 when there is one.
"""
import argparse
import collections
import datetime
import functools
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import warnings

import jinja2
import jinja2.ext
import jinja2.nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

import jinja_random

warnings.simplefilter("ignore")
FROZEN_NOW = datetime.datetime(2026, 8, 21, 9, 5, 7)


class Generation(jinja2.ext.Extension):
    """The `generation` tag, whose body is rendered in place."""
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_render"), [], [], body).set_lineno(line)

    def _render(self, caller):
        return caller()


def environment():
    def tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    def raise_exception(message):
        raise jinja2.exceptions.TemplateError(message)

    env = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols])
    for name in ("map", "select", "reject", "selectattr", "rejectattr", "unique", "batch", "slice", "items", "reverse"):
        env.filters[name] = without_address(env.filters[name])
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    env.globals["strftime_now"] = FROZEN_NOW.strftime
    return env


class Lazy:
    """An iterator that prints the same each time, as ours does."""

    def __init__(self, iterator):
        self.iterator = iterator

    def __iter__(self):
        return self

    def __next__(self):
        return next(self.iterator)

    def __repr__(self):
        return "<generator object>"


def without_address(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        made = function(*args, **kwargs)
        return made if isinstance(made, (str, list)) else Lazy(made)
    return wrapper


class TooSlow(Exception):
    pass


def alarm(*_):
    raise TooSlow


class Oracle:
    """What Python renders: ("ok", text), ("compile"|"render", exception) or None when it takes too long or recurses too deep."""

    def __init__(self):
        self.env = environment()
        self.compiled = collections.OrderedDict()
        signal.signal(signal.SIGALRM, alarm)

    def render(self, source, context):
        signal.setitimer(signal.ITIMER_REAL, 2)
        try:
            template = self.compiled.get(source)
            if template is None:
                try:
                    template = self.env.from_string(source)
                except TooSlow:
                    return None
                except Exception as error:  # also SyntaxError of the generated Python
                    return "compile", error
                self.compiled[source] = template
                if len(self.compiled) > 200:
                    self.compiled.popitem(last=False)
            try:
                return "ok", template.render(**context)
            except TooSlow:
                return None
            except (RecursionError, MemoryError):
                return None
            except Exception as error:
                return "render", error
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)


class Ours:
    def __init__(self, binary):
        self.process = subprocess.Popen([binary, "render"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def render(self, source, context):
        line = json.dumps({"source": source, "context": context}, ensure_ascii=False)
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit(f"{self.process.args[0]} ended (status {self.process.wait()}) on:\n{line}")
        return json.loads(answer)


def difference(expected, got):
    """None when they agree, else a text."""
    kind, value = expected
    error = got.get("error")
    if "fault" in got:
        return "fault: " + got["fault"]
    if error and error["reason"] == "template_limit":
        return None
    if error and error["stage"] == "compile" and error["message"].rstrip(".").endswith("named 'nope'"):
        return None  # behind a constant condition Jinja2 does not look for unknown filters
    if kind == "ok":
        if any(sign in value.lower() for sign in (" at 0x", "<bound method", "<function", "<built-in")):
            return None  # addresses and internals of Python
        if error and ("is not subscriptable" in error["message"] or "'slice'" in error["message"]):
            return None  # folding a constant like 10[1:], Jinja2 forgets that it is an error
        if error:
            return f"expected {value!r}\n  got error {error}"
        return None if got["rendered"] == value else f"expected {value!r}\n  got      {got['rendered']!r}"
    if not error:
        return f"expected a {kind} error, {type(value).__name__}: {value}\n  got {got['rendered']!r}"
    if error["stage"] != kind:
        return f"expected the error at {kind}, {type(value).__name__}: {value}\n  got {error}"
    if type(value) is jinja2.exceptions.TemplateError:
        if error["reason"] != "template_raise" or error["message"] != str(value):
            return f"expected {value}\n  got {error}"
    return None


def published_templates():
    root = os.environ.get("DYNAMO_SHARED_DIR") or pathlib.Path(__file__).resolve().parents[3] / "shared"
    folder = pathlib.Path(root) / "conformance" / "template"
    if not (folder / "templates.json").exists():
        return []
    listing = json.loads((folder / "templates.json").read_text())["templates"]
    return [((folder / t["file"]).read_text(), t["tokens"]) for t in listing]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("--count", type=int, default=20000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--only", choices=["conversations", "expressions", "statements"])
    parser.add_argument("--show", type=int, default=10, help="differences to print before giving up")
    args = parser.parse_args()
    oracle, ours = Oracle(), Ours(args.binary)
    templates = published_templates()
    kinds = [args.only] if args.only else ["conversations", "expressions", "statements"]
    if not templates and "conversations" in kinds:
        print("no published templates beside this checkout: conversations are skipped")
        kinds.remove("conversations")
    counts, different = collections.Counter(), 0
    print(f"seed {args.seed}", flush=True)
    for number in range(args.count):
        rng = random.Random(f"{args.seed}/{number}")
        kind = kinds[number % len(kinds)]
        if kind == "conversations":
            source, tokens = templates[rng.randrange(len(templates))]
            context = {**tokens, **jinja_random.conversation(rng)}
        else:
            make = jinja_random.expression_template if kind == "expressions" else jinja_random.statement_template
            source, context = make(rng), jinja_random.VALUES
        expected = oracle.render(source, context)
        if expected is None:
            counts["Python gives up (time, recursion)"] += 1
            continue
        counts[f"{kind} {expected[0]}"] += 1
        found = difference(expected, ours.render(source, context))
        if found:
            different += 1
            shown = source if kind != "conversations" else source[:80] + "…\n  context " + json.dumps(context)
            print(f"DIFFERENCE {number} ({kind})\n  template {shown}\n  {found}", flush=True)
            if different >= args.show:
                break
    print(", ".join(f"{name}: {n}" for name, n in sorted(counts.items())))
    print(f"{sum(counts.values())} renders, {different} differences")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
