# SPDX-License-Identifier: Apache-2.0
"""./x answers plainly: help, wrong use, missing tools, tampered downloads."""
import hashlib
import io
import pathlib
import subprocess
import sys
import tarfile
import tempfile
import unittest
from unittest import mock

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools" / "x"))

import build  # noqa: E402
import ci  # noqa: E402
import context  # noqa: E402
import deps  # noqa: E402
import docs  # noqa: E402
import fuzz  # noqa: E402


def x(*arguments):
    return subprocess.run([str(ROOT / "x"), *arguments], capture_output=True, text=True, timeout=60)


def archive_with(name, content=b"data"):
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as archive:
        info = tarfile.TarInfo(name)
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
    return data.getvalue()


class Command(unittest.TestCase):
    def test_help_names_every_command(self):
        done = x("help")
        self.assertEqual(done.returncode, 0)
        for command in "deps build check run test bench fuzz fmt lint licenses doc ci".split():
            self.assertIn(command, done.stdout)

    def test_an_unknown_command_is_a_usage_error(self):
        done = x("frobnicate")
        self.assertEqual(done.returncode, 2)
        self.assertIn("frobnicate", done.stderr)

    def test_an_unknown_feature_lists_the_known_ones(self):
        with self.assertRaisesRegex(context.Failure, "unknown feature 'warp'.*llama"):
            build.feature_options(["warp"])

    def test_a_feature_can_be_turned_off(self):
        self.assertEqual(build.feature_options(["no-llama"]), ["-DDYNAMO_LLAMA=OFF"])

    def test_a_library_an_engine_and_the_program_name_their_targets(self):
        self.assertEqual(build.targets_of(["llm", "engines/echo", "dynamo-run"]), ["dynamo_llm", "dynamo_engines_echo", "dynamo-run"])
        self.assertEqual(build.targets_of(["llm", "dynamo-run"], "_test"), ["dynamo_llm_test", "dynamo_run_test"])

    def test_a_failed_step_of_ci_keeps_the_last_lines_of_its_children(self):
        def step():
            context.run("seq", "1", "1000")
            context.run("false")
        _, why, lines = ci.run_step(step)
        self.assertIn("failed with status 1: false", why)
        self.assertEqual(lines[-2:], ["1000", "+ false"])
        self.assertLessEqual(len(lines), 60)

    def test_a_quotation_that_differs_from_its_example_is_found(self):
        with tempfile.TemporaryDirectory() as folder:
            page = pathlib.Path(folder) / "page.md"
            page.write_text("```cpp examples/request_life.cpp\nbool freed = false;\n```\n"
                            "```cpp examples/request_life.cpp\nbool freed = true;\n```\n```cpp examples/none.cpp\n```\n")
            with mock.patch.object(docs, "markdown", lambda: [page]), mock.patch.object(docs, "ROOT", pathlib.Path(folder)):
                (pathlib.Path(folder) / "examples").mkdir()
                (pathlib.Path(folder) / "examples" / "request_life.cpp").write_text(
                    (ROOT / "examples" / "request_life.cpp").read_text())
                problems = docs.misquoted_examples()
        self.assertEqual(len(problems), 2, problems)
        self.assertIn("differs", problems[0])
        self.assertIn("does not exist", problems[1])

    def test_comparisons_are_found_by_their_file_names(self):
        self.assertEqual(fuzz.differentials()["jinja-differential"].name, "jinja_differential.py")

    def test_a_missing_tool_names_the_fix(self):
        with self.assertRaisesRegex(context.Failure, "no-such-tool is not installed. Fix: ./x deps"):
            context.run("no-such-tool", quiet=True)


class Downloads(unittest.TestCase):
    def ensure(self, content, sha256=None, **extra):
        with tempfile.TemporaryDirectory() as cache, mock.patch.object(deps, "CACHE", pathlib.Path(cache)):
            def fake_fetch(entry, into):
                path = pathlib.Path(into) / "package.tgz"
                path.write_bytes(content)
                return path
            entry = {"id": "planted", "registry": "npm", "name": "planted", "version": "1", "into": "planted",
                     "sha256": sha256 or hashlib.sha256(content).hexdigest(), "unpack": {"strip": "package/"}, **extra}
            with mock.patch.object(deps, "fetch", fake_fetch):
                deps.ensure_download(entry)
            return sorted(str(p.relative_to(cache)) for p in pathlib.Path(cache).rglob("*") if p.is_file())

    def test_a_download_is_unpacked_below_its_folder(self):
        self.assertEqual(self.ensure(archive_with("package/models/a.json")), ["planted/.complete", "planted/models/a.json"])

    def test_a_wrong_checksum_is_refused(self):
        with self.assertRaisesRegex(context.Failure, "has sha256"):
            self.ensure(archive_with("package/a"), sha256="0" * 64)

    def test_an_archive_member_cannot_leave_its_folder(self):
        with self.assertRaisesRegex(context.Failure, "leaves its folder"):
            self.ensure(archive_with("package/../../evil"))

    def test_a_failed_download_says_what_to_check(self):
        entry = {"id": "planted", "registry": "npm", "name": "planted", "version": "1", "into": "x", "sha256": "0" * 64, "unpack": {}}
        with tempfile.TemporaryDirectory() as cache, mock.patch.object(deps, "CACHE", pathlib.Path(cache)), \
                mock.patch.object(deps, "fetch", side_effect=context.Failure("status 1")):
            with self.assertRaisesRegex(context.Failure, "downloading planted did not work.*\n.*network"):
                deps.ensure_download(entry)

    def test_locked_names_the_package_that_differs(self):
        with mock.patch.object(deps, "installed_apt", return_value={"cmake": "9.9"}):
            with self.assertRaisesRegex(context.Failure, "cmake: manifest 3.25, installed 9.9"):
                deps.check_locked({"apt": [{"name": "cmake", "version": "3.25"}]})


class CMakeMessages(unittest.TestCase):
    def configure(self, *options):
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run(["cmake", "-S", str(ROOT), "-B", folder, "-G", "Ninja", *options],
                                  capture_output=True, text=True, timeout=120)
            return done.returncode, done.stdout + done.stderr

    def test_an_old_gxx_is_refused_with_the_fix(self):
        status, text = self.configure("-DCMAKE_CXX_COMPILER=g++", "-DCMAKE_C_COMPILER=gcc")
        if "Clang" in text or "version 14" in text:
            self.skipTest("the system's g++ is not an old one")
        self.assertNotEqual(status, 0)
        self.assertIn("./x deps", text)
        self.assertIn("miscompiles coroutines", text)


if __name__ == "__main__":
    unittest.main()
