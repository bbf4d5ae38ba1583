# SPDX-License-Identifier: Apache-2.0
"""Every variable of the catalogue is read by the code, or belongs to what is not built yet and says so here."""
import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
CATALOGUE = ROOT / "include" / "dynamo" / "config" / "variables.inc"

# Taken and ignored, as their lines in the catalogue say.
FOR_COMPATIBILITY = {"DYN_TOKENIZER", "DYN_TOKENIZER_FALLBACK"}
# The part that will read them, by variable. An entry goes when its part arrives: one that is read already fails the test.
OF_LATER_PARTS = {}


def catalogue():
    lines = re.findall(r'^DYN_[A-Z]+\((\w+), "(DYN_\w+)", (.*)\)$', CATALOGUE.read_text(), re.M)
    assert len(lines) > 40
    return {name: (identifier, rest) for identifier, name, rest in lines}


def sources():
    text = []
    for folder in ("src", "apps", "bindings"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in (".cpp", ".h") and not path.stem.endswith(("_test", "_bench")):
                text.append(path.read_text())
    return "\n".join(text)


def is_read(name, identifier, code):
    return re.search(rf"\bvar::{identifier}\b", code) or f'"{name}"' in code


class Catalogue(unittest.TestCase):
    def test_every_variable_is_read(self):
        code = sources()
        for name, (identifier, rest) in catalogue().items():
            if name in FOR_COMPATIBILITY:
                self.assertIn("accepted for compatibility", rest, f"{name}: the catalogue has to say that it does nothing")
            elif name in OF_LATER_PARTS:
                self.assertFalse(is_read(name, identifier, code), f"{name} is read now: take it out of OF_LATER_PARTS")
            else:
                self.assertTrue(is_read(name, identifier, code), f"{name} (var::{identifier}) is read by nobody")

    def test_nothing_reads_a_variable_that_the_catalogue_does_not_know(self):
        read = set(re.findall(r'getenv\("(DYN_\w+)"', sources()))
        self.assertEqual(read - set(catalogue()), set())
