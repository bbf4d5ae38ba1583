# SPDX-License-Identifier: Apache-2.0
"""Starts dynamo-run on a free loopback port and ends it again."""
import contextlib
import http.client
import json
import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import time

import pytest

DYNAMO_RUN = os.environ.get("DYNAMO_RUN", "")
CACHE = pathlib.Path(os.environ.get("DYNAMO_CACHE_DIR", os.path.expanduser("~/.cache/dynamo-cpp")))
SMOLLM2 = CACHE / "models" / "smollm2" / "SmolLM2-135M-Instruct.Q4_1.gguf"
ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
QWEN3 = CACHE / "tokenizers" / "qwen3"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    def __init__(self, *arguments, env=None):
        self.port = free_port()
        self.log = tempfile.TemporaryFile(mode="w+")
        self.process = subprocess.Popen(
            [DYNAMO_RUN, "in=http", *map(str, arguments), "--http-host", "127.0.0.1", "--http-port", str(self.port)],
            stdout=self.log, stderr=subprocess.STDOUT, env={**os.environ, "DYN_LOG": "info", **(env or {})})
        deadline = time.monotonic() + 60
        while True:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"dynamo-run did not start (status {self.process.poll()}):\n{self.text()}")
            try:
                if self.get("/live")[0] == 200:
                    break
            except OSError:
                time.sleep(0.02)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def text(self):
        self.log.seek(0)
        return self.log.read()

    def request(self, method, path, body=None, headers=None, timeout=30):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            if isinstance(body, (dict, list)):
                body = json.dumps(body)
                headers = {"Content-Type": "application/json", **(headers or {})}
            connection.request(method, path, body=body, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, dict((k.lower(), v) for k, v in answer.getheaders()), answer.read()
        finally:
            connection.close()

    def get(self, path):
        return self.request("GET", path)

    def post(self, path, body, **kwargs):
        return self.request("POST", path, body, **kwargs)

    def chat(self, **body):
        body = {"model": self.model, "messages": [{"role": "user", "content": "hello there"}], **body}
        status, headers, text = self.post("/v1/chat/completions", body)
        return status, headers, json.loads(text) if not body.get("stream") else text.decode()

    @property
    def model(self):
        return json.loads(self.get("/v1/models")[2])["data"][0]["id"]

    def metric(self, name, **labels):
        """The sum of a metric's series that carry all these labels; 0 when there is none."""
        total = 0.0
        for line in self.get("/metrics")[2].decode().splitlines():
            if line.startswith(name + "{") or line.startswith(name + " "):
                if all(f'{k}="{v}"' in line for k, v in labels.items()):
                    total += float(line.rsplit(" ", 1)[1])
        return total

    def raw(self, data, timeout=10, half_close=False):
        """Sends bytes and returns everything until the server closes or `timeout` passes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=timeout) as s:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                s.sendall(data)
                if half_close:
                    s.shutdown(socket.SHUT_WR)
            received = b""
            with contextlib.suppress(socket.timeout, ConnectionResetError):
                while piece := s.recv(65536):
                    received += piece
            return received

    def stop(self, sig=signal.SIGTERM, timeout=30):
        if self.process.poll() is None:
            self.process.send_signal(sig)
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise


@contextlib.contextmanager
def serving(*arguments, env=None):
    server = Server(*arguments, env=env)
    try:
        yield server
        # Whatever the test did, the process is still there and still answers.
        assert server.process.poll() is None, server.text()
        assert server.get("/live")[0] == 200
    finally:
        server.stop()


def wait_for(condition, seconds=5, what="the condition"):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come true within {seconds} s"
        time.sleep(0.01)


@pytest.fixture(scope="module")
def echo():
    """The echo engine with the Qwen3 tokenizer, all tokens at once."""
    with serving("out=echo", QWEN3, "--model-name", "qwen3", env={"DYN_TOKEN_ECHO_DELAY_MS": "0"}) as server:
        yield server


@pytest.fixture(scope="module")
def slow_echo():
    """The same with 20 ms between tokens."""
    with serving("out=echo", QWEN3, "--model-name", "qwen3", env={"DYN_TOKEN_ECHO_DELAY_MS": "20"}) as server:
        yield server


@pytest.fixture(scope="module")
def smollm2(tmp_path_factory):
    settings = tmp_path_factory.mktemp("engine") / "engine.json"
    settings.write_text(json.dumps({"n_threads": 1, "n_threads_batch": 1, "n_ctx": 4096}))
    with serving("out=llama", SMOLLM2, "--model-name", "smollm2", "--extra-engine-args", settings,
                 "--custom-jinja-template", ROOT / "examples" / "chatml.jinja") as server:
        yield server
