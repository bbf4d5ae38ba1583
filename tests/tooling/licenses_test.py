# SPDX-License-Identifier: Apache-2.0
"""The licence check finds what it is there for."""
import copy
import pathlib
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools" / "x"))

import context  # noqa: E402
import licenses  # noqa: E402


class Licenses(unittest.TestCase):
    def setUp(self):
        self.manifest = copy.deepcopy(context.manifest())

    def test_the_manifest_of_this_tree_is_in_order(self):
        self.assertEqual(licenses.manifest_problems(self.manifest), [])

    def test_a_planted_gpl_dependency_is_refused(self):
        self.manifest["apt"].append({"name": "libplanted-dev", "version": "1", "license": "GPL-3.0"})
        (problem,) = licenses.manifest_problems(self.manifest)
        self.assertIn("libplanted-dev", problem)
        self.assertIn("GPL-3.0", problem)

    def test_a_gpl_tool_that_is_only_run_is_allowed(self):
        self.manifest["apt"].append({"name": "planted-tool", "version": "1", "license": "GPL-3.0", "use": "tool"})
        self.assertEqual(licenses.manifest_problems(self.manifest), [])

    def test_a_planted_banned_entry_is_refused_with_its_reason(self):
        ban = self.manifest["licenses"]["ban"][0]
        self.manifest["apt"].append({"name": ban["name"], "version": "1", "license": "MIT"})
        (problem,) = licenses.manifest_problems(self.manifest)
        self.assertIn(ban["reason"], problem)

    def test_a_dependency_without_a_licence_is_refused(self):
        self.manifest["python"].append({"name": "planted", "version": "1"})
        (problem,) = licenses.manifest_problems(self.manifest)
        self.assertIn("no licence", problem)

    def test_a_package_that_cmake_uses_must_be_listed(self):
        problems = licenses.cmake_problems(self.manifest, {"CMakeLists.txt": "find_package(Planted REQUIRED)\n"})
        self.assertIn("Planted", problems[0])

    def test_a_source_without_an_spdx_line_is_refused(self):
        planted = ROOT / "build" / "planted.cpp"
        planted.parent.mkdir(exist_ok=True)
        planted.write_text("int main() {}\n")
        try:
            self.assertEqual(len(licenses.spdx_problems(["build/planted.cpp"])), 1)
        finally:
            planted.unlink()


if __name__ == "__main__":
    unittest.main()
