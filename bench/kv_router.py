# SPDX-License-Identifier: Apache-2.0
"""./x bench kv-router [--no-anchor] [--no-sweeps] [--filter REGEX]: the prefix index, beside the reference's crate.

The workload of the reference's radix_tree_microbench (see src/kv_router/prefix_index_bench.cpp), then the same sequences through
the published crate `dynamo-kv-router` (bench/anchors/kv_router, built with cargo; skipped, and said so, where cargo is absent),
then sweeps over depth, match length and width as SVG files in build/bench. `--json` prints Google Benchmark JSON.
"""
import argparse
import contextlib
import json
import subprocess
import sys

import anchors
import build
from context import Failure, ROOT, environment

PLOTS = ROOT / "build" / "bench"
SIZES = (10_000, 1_000_000)
SWEEPS = {"depth": "blocks of the sequence (stored, removed and asked for)",
          "match_length": "leading blocks that match, of a query of 8000", "width": "prefix groups, sequences of 8000 blocks"}


def note(text):
    print(text, file=sys.stderr, flush=True)


def build_ours():
    with contextlib.redirect_stdout(sys.stderr):
        subprocess.run(["cmake", "--build", build.folder("release"), "--target", "dynamo_kv_router_bench"], check=True,
                       env=environment(), stdout=sys.stderr)
    return build.folder("release") / "bin" / "dynamo_kv_router_bench"


def run_ours(binary, pattern):
    done = subprocess.run([binary, "--benchmark_format=json", f"--benchmark_filter={pattern}"], stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise Failure(f"{binary} ended with {done.returncode}")
    return json.loads(done.stdout or "{}")


def run_anchor(binary):
    rows = []
    for size in SIZES:
        done = subprocess.run([binary, "micro", str(size)], stdout=subprocess.PIPE, text=True, check=True)
        rows += [json.loads(line) for line in done.stdout.splitlines()]
    return rows


def as_benchmark(row):
    """A line of the anchor program in the form of Google Benchmark."""
    ns = row.get("p50_ns", row.get("mean_ns"))
    return {"name": row["name"], "run_name": row["name"], "run_type": "iteration", "repetitions": 1, "threads": 1,
            "iterations": 8192, "real_time": ns, "cpu_time": ns, "time_unit": "ns", **{k: v for k, v in row.items() if k != "name"}}


def short(name):
    """churn/store_1m/iterations:16384/manual_time -> store_1m"""
    parts = name.split("/")
    return parts[1] if len(parts) > 1 else parts[0]


def table(ours, anchor):
    reference = {row["name"].removeprefix("anchor/RadixTree/").removeprefix("anchor/all/"): row for row in anchor}
    print(f"{'operation':<28}{'p50 ns':>9}{'p99 ns':>9}{'reference':>11}{'ratio':>8}   (reference: RadixTree of dynamo-kv-router 1.5.1)")
    for row in ours:
        if row["name"].startswith("sweep"):
            continue
        name = short(row["name"])
        if "bytes_per_pair" in row:
            print(f"{'memory_' + name:<28}{row['bytes_per_pair']:>9.1f} bytes per pair, {row['bytes_per_pair_after_churn']:.1f} after half was replaced")
            continue
        p50 = row.get("p50_ns", row["real_time"])
        theirs = reference.get(name) or (reference.get("hash_512_tokens_1m") if name.startswith("hash") else None)
        line = f"{name:<28}{p50:>9.0f}{row.get('p99_ns', 0):>9.0f}"
        if theirs:
            line += f"{theirs['p50_ns']:>11.0f}{p50 / max(theirs['p50_ns'], 1):>8.2f}"
        print(line)
    for row in anchor:
        if "RadixTree/" not in row["name"] or "Compressed" in row["name"]:
            print(f"{row['name']:<56}{row.get('p50_ns', row.get('mean_ns')):>9.0f}  {'median' if 'p50_ns' in row else 'mean'}")


def svg(title, label, lines):
    """A chart with logarithmic axes: {name: [(x, ns)]}."""
    import math
    width, height, left, top = 640, 400, 70, 40
    points = [p for line in lines.values() for p in line]
    low_x, high_x = (f(math.log10(x) for x, _ in points) for f in (min, max))
    low_y, high_y = math.floor(math.log10(min(y for _, y in points))), math.ceil(math.log10(max(y for _, y in points)))

    def at(x, y):
        return (left + (math.log10(x) - low_x) / max(high_x - low_x, 1e-9) * (width - left - 20),
                top + (high_y - math.log10(y)) / max(high_y - low_y, 1e-9) * (height - top - 50))
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">',
           f'<rect width="{width}" height="{height}" fill="white"/><text x="{left}" y="20" font-size="14">{title}</text>',
           f'<text x="{width / 2}" y="{height - 10}" text-anchor="middle">{label}</text>']
    for power in range(low_y, high_y + 1):
        y = at(10 ** low_x, 10 ** power)[1]
        out.append(f'<path d="M{left} {y:.1f}H{width - 20}" stroke="#ddd"/><text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">'
                   + (f"{10 ** power} ns" if power < 3 else f"{10 ** (power - 3)} us" if power < 6 else f"{10 ** (power - 6)} ms") + "</text>")
    for x in sorted({x for x, _ in points}):
        if math.log10(x) == int(math.log10(x)) or x == max(x for x, _ in points):
            out.append(f'<text x="{at(x, 10 ** low_y)[0]:.1f}" y="{height - 32}" text-anchor="middle">{x}</text>')
    for colour, (name, line) in zip(("#06c", "#c30", "#090"), lines.items()):
        path = " ".join(f"{'M' if i == 0 else 'L'}{at(*p)[0]:.1f} {at(*p)[1]:.1f}" for i, p in enumerate(sorted(line)))
        end = at(*max(line))
        out.append(f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
                   f'<text x="{end[0] - 4:.1f}" y="{end[1] - 6:.1f}" text-anchor="end" fill="{colour}">{name}</text>')
    return "\n".join([*out, "</svg>\n"])


def plot(rows):
    PLOTS.mkdir(parents=True, exist_ok=True)
    for sweep, label in SWEEPS.items():
        lines = {}
        for row in rows:
            parts = row["name"].split("/")  # sweep/depth_find/32/…
            if parts[0] == "sweep" and parts[1].startswith(sweep + "_"):
                lines.setdefault(parts[1].removeprefix(sweep + "_"), []).append((int(parts[2]), max(row["p50_ns"], 1)))
        if lines:
            path = PLOTS / f"kv_index_{sweep}.svg"
            path.write_text(svg(f"Prefix index: {sweep.replace('_', ' ')} sweep, medians", label, lines))
            note(f"bench: {path.relative_to(ROOT)}")


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--json", action="store_true")
    options.add_argument("--no-anchor", action="store_true")
    options.add_argument("--no-sweeps", action="store_true")
    options.add_argument("--filter", default="", help="only our benchmarks whose name matches")
    chosen = options.parse_args()
    ours_binary = build_ours()
    anchor_binary = None if chosen.no_anchor else anchors.program("kv_router")
    result = run_ours(ours_binary, chosen.filter or ("-sweep" if chosen.no_sweeps else "."))
    ours = result.get("benchmarks", [])
    anchor = run_anchor(anchor_binary) if anchor_binary else []
    plot(ours)
    if chosen.json:
        result["benchmarks"] = ours + [as_benchmark(row) for row in anchor]
        json.dump(result, sys.stdout, indent=1)
        print()
    else:
        table(ours, anchor)


if __name__ == "__main__":
    try:
        main()
    except Failure as why:
        sys.exit(f"bench kv-router: {why}")
