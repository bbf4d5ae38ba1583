# SPDX-License-Identifier: Apache-2.0
"""./x bench kv-trace [--trace FILE] [--no-anchor]: a request trace through the index, driven by deadlines.

Lookups and KV events (from an LRU model of each worker's cache) come at their times, scaled to ever shorter windows; the clock
stops when every event is applied. Each side's highest load is that of the shortest window it keeps up with (issue and drain
within 1.10 x the window): ours (ShardedIndex, one writer) and the reference's (`ThreadPoolIndexer` over its compressed concurrent
tree, one event thread), which replays the same schedule from a file. Then what growth to 50 M (worker, block) pairs costs.
"""
import argparse
import contextlib
import json
import pathlib
import subprocess
import sys
import tempfile

import anchors
import build
from context import Failure, environment, shared_folder

#: As in the reference's mooncake_bench: 1.5, and 0.9, where workers are small and evict.
FLEETS = ({"workers": 1000, "blocks-per-worker": 16384}, {"workers": 64, "blocks-per-worker": 2048})


def build_ours():
    with contextlib.redirect_stdout(sys.stderr):
        subprocess.run(["cmake", "--build", build.folder("release"), "--target", "dynamo_kv_router_trace"], check=True,
                       env=environment(), stdout=sys.stderr)
    return build.folder("release") / "bin" / "dynamo_kv_router_trace"


def lines_of(*command):
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise Failure(f"{command[0]} ended with {done.returncode}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def best(rows):
    """The highest load that was kept up with."""
    return max((row for row in rows if row["kept_up"]), key=lambda row: row["block_ops_per_s"], default=None)


def replay(ours, anchor, trace, fleet, rows):
    arguments = ["--trace", trace, *(word for name, value in fleet.items() for word in (f"--{name}", value))]
    found = {"ours": lines_of(ours, *arguments)}
    if anchor:
        with tempfile.TemporaryDirectory() as scratch:
            schedule = pathlib.Path(scratch) / "schedule.bin"
            lines_of(ours, *arguments, "--write", schedule)
            found["reference"] = lines_of(anchor, "trace", schedule, 1)
    for side, lines in found.items():
        rows += [{"name": f"trace/{fleet['workers']}_workers/{side}", **line} for line in lines]
    return {side: best(lines) for side, lines in found.items()}


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--json", action="store_true")
    options.add_argument("--no-anchor", action="store_true")
    options.add_argument("--no-growth", action="store_true")
    options.add_argument("--pairs", type=int, default=50_000_000)
    options.add_argument("--trace")
    chosen = options.parse_args()
    trace = chosen.trace or (shared_folder() and shared_folder() / "data" / "traces" / "conversation_trace.jsonl")
    ours = build_ours()
    anchor = None if chosen.no_anchor else anchors.program("kv_router")
    rows = []
    if not trace or not pathlib.Path(trace).is_file():
        print("bench: no trace (name one with --trace FILE: JSON lines with timestamp and hash_ids, as Mooncake's)", file=sys.stderr)
    else:
        for fleet in FLEETS:
            for side, row in replay(ours, anchor, trace, fleet, rows).items():
                if not chosen.json:
                    print(f"{fleet['workers']} workers of {fleet['blocks-per-worker']} blocks, {side:<10}" + (
                        f"{row['block_ops_per_s'] / 1e6:8.2f} M block operations/s, window {row['window_s']:.2f} s, done after "
                        f"{row['total_s']:.2f} s, lookup p50 {row['find_p50_ns']:.0f} ns, p99 {row['find_p99_ns']:.0f} ns, "
                        f"writer {row['writer_cpu_s']:.3f} CPU s"
                        if row else " kept up with no window"))
    if not chosen.no_growth:
        for row in lines_of(ours, "--growth", chosen.pairs):
            rows.append({"name": f"growth/{row['pairs']}", **row})
            if not chosen.json:
                print(f"{row['pairs']:>11} pairs: store p50 {row['store_p50_ns']:.0f} ns, p99.9 {row['store_p999_ns']:.0f} ns, "
                      f"longest {row['store_max_us']:.0f} us, {row['bytes_per_pair']:.1f} bytes per pair")
    if chosen.json:
        json.dump({"benchmarks": rows}, sys.stdout, indent=1)
        print()


if __name__ == "__main__":
    try:
        main()
    except Failure as why:
        sys.exit(f"bench kv-trace: {why}")
