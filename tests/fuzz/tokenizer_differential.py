#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Random texts through our tokenizer and Hugging Face's: ids and decoded texts must be equal.

usage: ./x fuzz tokenizer-differential N [-- --seed S] [--tokenizers DIR] [--only NAME,NAME]

N texts are shared among all tokenizers found in DIR (default: what
./x deps fetched) and the synthetic ones beside the conformance cases. Texts mix prose, code, numbers, white space, random
code points of every plane, combining marks, emoji sequences, and the tokenizer's own special tokens, whole and damaged.
"""
import argparse
import json
import os
import pathlib
import random
import subprocess
import sys

from tokenizers import Tokenizer

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHARED = pathlib.Path(os.environ.get("DYNAMO_SHARED_DIR", ROOT.parent / "shared"))
CACHE = pathlib.Path(os.environ.get("DYNAMO_CACHE_DIR", pathlib.Path.home() / ".cache/dynamo-cpp"))

WORDS = """the of and to in is that for it as was with be by on not he his but at are this have from or had an they which one
you were her all she there would their we him been has when who will more no if out so said what up its about into than
don't I'M they'LL we've IT'S naïve café Zürich Ångström Straße ΣΊΣΥΦΟΣ ΟΔΟΣ İstanbul ﬁnance ﬂoor ½ ¾ Ⅷ ① x² H₂O 12345 3.14159 1,000,000
0x1F00 1e-9 2024-02-29 ١٢٣ ४५६ return def class function const auto namespace std::vector<int> lambda async await self.assertEqual
привет мир Україна здравствуйте 你好世界 日本語テキスト カタカナ ひらがな 한국어 텍스트 العربية نص עברית हिन्दी पाठ ไทยภาษา ภาษาไทย தமிழ் বাংলা ខ្មែរ
👍 👩‍👩‍👧‍👦 🏳️‍🌈 🇩🇪🇫🇷 🤷🏽‍♀️ ❤️ ☃ ℵ ∑ → █ ▁ ▁▁ <0x41> <unk> </s> <s> [MASK] ## 's 't 're 'ſ 'Ll""".split()
SPACES = [" ", " ", " ", " ", "  ", "   ", "\t", "\n", "\n\n", "\r\n", " \n", "\n  ", "\u00a0", "\u3000", "\u2028", "\u200b", "\u200d",
          "\ufeff", "", "", "\x0b", "\x85", "        "]
PUNCTUATION = list("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~") + ["...", "—", "–", "“", "”", "‘", "’", "«", "»", "。", "，", "、", "！", "¿", "€", "§",
                                                              "''", "//", "/*", "*/", "->", "==", "!=", "</", "\\n"]
RANGES = [(0, 0x7F), (0, 0x7F), (0x80, 0x24F), (0x250, 0x36F), (0x370, 0x5FF), (0x600, 0x8FF), (0x900, 0xDFF), (0xE00, 0x10FF),
          (0x1100, 0x11FF), (0x1200, 0x1FFF), (0x2000, 0x2BFF), (0x2C00, 0x2FFF), (0x3000, 0x30FF), (0x3100, 0x33FF), (0x4E00, 0x9FFF),
          (0xA000, 0xABFF), (0xAC00, 0xD7A3), (0xE000, 0xF8FF), (0xF900, 0xFAFF), (0xFB00, 0xFFFF), (0x10000, 0x11FFF), (0x12000, 0x1BFFF),
          (0x1C000, 0x1FBFF), (0x20000, 0x2FFFF), (0x30000, 0x3FFFF), (0xE0000, 0xE0FFF), (0x10FF00, 0x10FFFF)]


def character(rng):
    low, high = rng.choice(RANGES)
    while True:
        c = rng.randint(low, high)
        if not 0xD800 <= c < 0xE000:
            return chr(c)


def damaged(rng, token):
    kind = rng.randrange(6)
    if kind == 0 and token:
        return token[:rng.randrange(len(token))]
    if kind == 1:
        return token.upper()
    if kind == 2:
        return " " + token + " "
    if kind == 3:
        return token + token
    if kind == 4:
        return "a" + token + "b"
    return token


def text(rng, tokens):
    kind = rng.randrange(10)
    parts = []
    if kind < 5:
        for _ in range(rng.randrange(1, 24)):
            roll = rng.random()
            if roll < 0.5:
                parts.append(rng.choice(WORDS))
            elif roll < 0.62:
                parts.append(rng.choice(PUNCTUATION))
            elif roll < 0.70:
                parts.append(str(rng.randrange(10 ** rng.randrange(1, 12))))
            elif roll < 0.78:
                parts.append(rng.choice(WORDS).upper() if rng.random() < 0.5 else rng.choice(WORDS).capitalize())
            elif roll < 0.84:
                parts.append(character(rng) * rng.randrange(1, 5))
            elif roll < 0.92 and tokens:
                parts.append(damaged(rng, rng.choice(tokens)))
            parts.append(rng.choice(SPACES))
    elif kind < 7:
        parts = [character(rng) for _ in range(rng.randrange(1, 40))]
    elif kind == 7:
        alphabet = [character(rng) for _ in range(rng.randrange(1, 5))] + ["a", " ", "'"]
        parts = [rng.choice(alphabet) for _ in range(rng.randrange(1, 60))]
    elif kind == 8:
        parts = ["".join(rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(rng.randrange(1, 14))) + rng.choice(SPACES)
                 for _ in range(rng.randrange(1, 12))]
    else:
        parts = [damaged(rng, rng.choice(tokens or WORDS)) + rng.choice(SPACES) for _ in range(rng.randrange(1, 8))]
    return "".join(parts)


def compare(program, path, count, seed, show):
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    rng = random.Random(f"{seed}/{path.parent.name}/{path.name}")
    tokens = [t.content for t in tokenizer.get_added_tokens_decoder().values()]
    texts = [text(rng, tokens) for _ in range(count)]
    answers = subprocess.run([program, "encode", str(path)], input="".join(json.dumps(t) + "\n" for t in texts), text=True,
                             encoding="utf-8", capture_output=True, check=True).stdout.split("\n")[:-1]
    different = 0
    for sample, line in zip(texts, answers, strict=True):
        got = json.loads(line)
        ids = tokenizer.encode(sample, add_special_tokens=False).ids
        expected = {"ids": ids, "decoded": tokenizer.decode(ids, skip_special_tokens=False), "skipped": tokenizer.decode(ids, skip_special_tokens=True)}
        if got != expected:
            different += 1
            if different <= show:
                print(f"DIFFERENT {path}\n  text     {sample!r}\n  expected {expected}\n  got      {got}")
    return different


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("program", help="build/*/bin/dynamo-conformance")
    arguments.add_argument("--count", type=int, default=20_000)
    arguments.add_argument("--seed", default="1")
    arguments.add_argument("--show", type=int, default=3)
    arguments.add_argument("--tokenizers", type=pathlib.Path, default=CACHE / "tokenizers")
    arguments.add_argument("--only", default="")
    options = arguments.parse_args()
    paths = sorted(options.tokenizers.glob("*/tokenizer.json")) + sorted((SHARED / "conformance/tokenizer/synthetic").glob("*.json"))
    if options.only:
        paths = [p for p in paths if p.parent.name in options.only.split(",") or p.stem in options.only.split(",")]
    if not paths:
        sys.exit(f"no tokenizers in {options.tokenizers}; ./x deps fetches them")
    total = 0
    for path in paths:
        count = max(1, options.count // len(paths))
        different = compare(options.program, path, count, options.seed, options.show)
        total += different
        print(f"{path.parent.name}/{path.stem}: {count} texts, {different} differences", flush=True)
    print(f"{total} differences")
    sys.exit(1 if total else 0)


main()
