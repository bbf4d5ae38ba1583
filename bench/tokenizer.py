# SPDX-License-Identifier: Apache-2.0
"""./x bench tokenizer: our tokenizer, Hugging Face tokenizers and fastokens on the same texts in one run, one thread each.

Texts are cut into pieces of 4096 characters; "cold" is the first pass of a tokenizer that has just been loaded, "warm" a
later pass over the same pieces. Times are CPU time. The ids of all three are compared; a difference is a failure. Texts:
the docstrings of Python's own library and of the packages beside it ("english"), its sources ("code"), and random words.
"""
import argparse
import array
import ast
import json
import os
import pathlib
import random
import subprocess
import sys
import sysconfig
import tempfile
import time

os.environ.update(RAYON_NUM_THREADS="1", TOKENIZERS_PARALLELISM="false")

import build
from context import CACHE, Failure

PIECE = 4096


def python_sources():
    for root in ("stdlib", "purelib"):
        for path in sorted(pathlib.Path(sysconfig.get_paths()[root]).rglob("*.py")):
            if "test" in path.parts or (root == "stdlib" and "site-packages" in path.parts):
                continue
            try:
                yield path.read_text("utf-8")
            except (OSError, UnicodeDecodeError):
                continue


def docstrings(source):
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            text = ast.get_docstring(node)
            if text:
                yield text


def corpora():
    sources = list(python_sources())
    docs = dict.fromkeys(text for source in sources for text in docstrings(source))  # each once
    rng = random.Random(1)
    words = ("".join(rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(rng.randint(3, 12))) for _ in range(300_000))
    return {"english": "\n\n".join(docs), "code": "\n".join(sources)[:8_000_000], "words": " ".join(words)}


def pieces_of(text):
    return [text[i:i + PIECE] for i in range(0, len(text), PIECE)]


def cpu(call):
    start = time.process_time()
    result = call()
    return time.process_time() - start, result


def measure_python(load, path, texts, passes):
    """Rows of one Python package: {"load_ms", text: {"cold", "warm", "ids"}}."""
    seconds, _ = min((cpu(lambda: load(path)) for _ in range(3)), key=lambda timed: timed[0])
    rows = {"load_ms": seconds * 1e3}
    for name, pieces in texts.items():
        tokenizer = load(path)
        size = sum(len(piece.encode()) for piece in pieces)

        def one_pass():
            for piece in pieces:
                tokenizer.encode(piece, add_special_tokens=False).ids
        cold, *warm = (cpu(one_pass)[0] for _ in range(passes))
        ids = array.array("I")
        for piece in pieces:
            ids.extend(tokenizer.encode(piece, add_special_tokens=False).ids)
        rows[name] = {"cold": size / cold / 1e6, "warm": size / min(warm) / 1e6, "ids": ids}
    return rows


def measure_ours(binary, path, texts, folder):
    command = [binary, path, "--ids", folder]
    for name, pieces in texts.items():
        file = folder / f"{name}.txt"
        file.write_text("".join(pieces), encoding="utf-8")
        command.append(f"{name}={file}")
    rows = {}
    for line in subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines():
        row = json.loads(line)
        name = row.pop("text", None)
        rows.setdefault(name, {}).update(row) if name else rows.update(row)
    for name in texts:
        rows[name]["ids"] = array.array("I", (folder / f"{name}.ids").read_bytes())
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--tokenizers", default="qwen3,gemma2", help="folders of fetched tokenizers (default: %(default)s)")
    parser.add_argument("--hf-bytes", type=int, default=1_000_000, help="characters of each text that Hugging Face's gets")
    args = parser.parse_args()
    import fastokens
    import tokenizers
    build.build("release", targets=["tokenizer_speed"], with_deps=False)
    binary = pathlib.Path(os.environ["DYNAMO_BIN_DIR"]) / "tokenizer_speed"
    texts = {name: pieces_of(text) for name, text in corpora().items()}
    short = {name: pieces[:max(1, args.hf_bytes // PIECE)] for name, pieces in texts.items()}

    report, differing = [], 0
    for model in args.tokenizers.split(","):
        path = str(CACHE / "tokenizers" / model / "tokenizer.json")
        with tempfile.TemporaryDirectory() as folder:
            ours = measure_ours(binary, path, texts, pathlib.Path(folder))
        fast = measure_python(fastokens.Tokenizer.from_file, path, texts, 3)
        hf = measure_python(tokenizers.Tokenizer.from_file, path, short, 2)
        report.append({"tokenizer": model, "what": "load, ms", "ours": ours["load_ms"], "fastokens": fast["load_ms"], "hf": hf["load_ms"]})
        for name, pieces in texts.items():
            # Hugging Face's ids are the truth; the texts behind those it was given are compared with fastokens.
            expected = hf[name]["ids"]
            equal = ours[name]["ids"][:len(expected)] == expected
            same_as_fast = ours[name]["ids"] == fast[name]["ids"]
            differing += not equal
            for what in ("cold", "warm"):
                report.append({"tokenizer": model, "what": f"{name} {what}, MB/s", "ours": ours[name][f"{what}_mb_s"],
                               "fastokens": fast[name][what], "hf": hf[name][what], "ids_equal_hf": equal,
                               "ids_equal_fastokens": same_as_fast, "bytes": sum(len(p.encode()) for p in pieces)})
            report.append({"tokenizer": model, "what": f"{name} decode, ns/token", "ours": 1e3 / ours[name]["decode_mtok_s"]})
            report.append({"tokenizer": model, "what": f"{name} stream, ns/token", "ours": ours[name]["stream_ns_per_token"]})
    if args.json:
        print(json.dumps(report, indent=1))
    else:
        print(f"{'':12}{'':26}{'ours':>9}{'fastokens':>11}{'HF':>9}   ids")
        for row in report:
            others = "".join(f"{row[key]:{width}.1f}" if key in row else " " * width for key, width in (("fastokens", 11), ("hf", 9)))
            ids = "" if "bytes" not in row else (f"equal to HF's" if row["ids_equal_hf"] else "DIFFER FROM HF'S") + (
                "" if row["ids_equal_fastokens"] else ", fastokens' differ")
            print(f"{row['tokenizer']:12}{row['what']:26}{row['ours']:9.1f}{others}   {ids}")
    return 1 if differing else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failure as why:
        sys.exit(f"bench tokenizer: {why}")
