# SPDX-License-Identifier: Apache-2.0
"""./x run: builds dynamo-run and serves the small model, or passes the user's own arguments through."""
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request

import build
from context import CACHE, ROOT, environment, say

HOST, PORT = "127.0.0.1", 8000
MODEL_FILE = CACHE / "models" / "smollm2" / "SmolLM2-135M-Instruct.Q4_1.gguf"
MODEL_NAME = "smollm2"

HINT = """
{model} answers on http://{host}:{port}

  curl http://{host}:{port}/v1/chat/completions -H 'Content-Type: application/json' \\
    -d '{{"model":"{model}","messages":[{{"role":"user","content":"What is the capital of France?"}}]}}'

  from openai import OpenAI
  client = OpenAI(base_url="http://{host}:{port}/v1", api_key="unused")
  print(client.chat.completions.create(model="{model}",
        messages=[{{"role": "user", "content": "What is the capital of France?"}}]).choices[0].message.content)

  metrics: http://{host}:{port}/metrics     health: http://{host}:{port}/health     Ctrl-C ends it
"""


def wait_until_live(process):
    while process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://{HOST}:{PORT}/live", timeout=1) as answer:
                if answer.status == 200:
                    return True
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    return False


def run(arguments, preset="release", features=(), locked=False):
    preset = "release" if preset == "dev" else preset
    build.build(preset, targets=["dynamo-run"], features=features, locked=locked)
    binary = str(build.folder(preset) / "bin" / "dynamo-run")
    if arguments:
        os.execve(binary, [binary, *arguments], environment())
    command = [binary, "in=http", "out=llama", str(MODEL_FILE), "--model-name", MODEL_NAME,
               # The model's own template adds a line about itself that this 4-bit version answers in French; and without
               # a temperature of its own it rambles at OpenAI's default of 1: its authors recommend 0.2.
               "--custom-jinja-template", str(ROOT / "examples" / "chatml.jinja"),
               "--request-template", str(ROOT / "examples" / "smollm2_request.json"),
               "--http-host", HOST, "--http-port", str(PORT)]
    say("+ " + " ".join(command))
    process = subprocess.Popen(command, env=environment())
    # Ctrl-C reaches the server through the terminal; this process only waits for it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    if wait_until_live(process):
        print(HINT.format(model=MODEL_NAME, host=HOST, port=PORT), flush=True)
    status = process.wait()
    return status if status >= 0 else 128 - status
