# SPDX-License-Identifier: Apache-2.0
"""OpenAI's Node SDK against a real model; the checks are in openai_node.mjs."""
import os
import pathlib
import subprocess

from conftest import CACHE

HERE = pathlib.Path(__file__).parent


def test_the_node_sdk_talks_to_the_model(smollm2):
    done = subprocess.run(["node", str(HERE / "openai_node.mjs")], capture_output=True, text=True, timeout=200,
                          env={**os.environ, "BASE_URL": smollm2.url + "/v1", "NODE_MODULES": str(CACHE / "node" / "node_modules")})
    assert done.returncode == 0, done.stdout + done.stderr
    assert "all checks passed" in done.stdout
