# SPDX-License-Identifier: Apache-2.0
"""Configuring says how to use the CUDA toolkit that it finds, and nothing when there is none."""
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def configure(path, *options):
    """What configuring says with only these folders in PATH."""
    environment = {**os.environ, "PATH": path}
    environment.pop("CUDA_PATH", None)
    done = subprocess.run([shutil.which("cmake"), *options, "-P", str(ROOT / "cmake" / "DynamoAccelerators.cmake")],
                          capture_output=True, text=True, timeout=30, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


class Accelerators(unittest.TestCase):
    def test_a_toolkit_in_the_path_gives_a_hint(self):
        with tempfile.TemporaryDirectory() as folder:
            nvcc = pathlib.Path(folder) / "nvcc"
            nvcc.write_text("#!/bin/sh\n")
            nvcc.chmod(0o755)
            said = configure(folder)
            self.assertIn(str(nvcc), said)
            self.assertIn("./x build --features cuda", said)
            self.assertEqual(configure(folder, "-DDYNAMO_CUDA=ON"), "")

    @unittest.skipIf(shutil.which("nvcc", path="/usr/local/cuda/bin"), "this machine has a CUDA toolkit")
    def test_without_a_toolkit_there_is_no_hint(self):
        with tempfile.TemporaryDirectory() as folder:
            self.assertEqual(configure(folder), "")
