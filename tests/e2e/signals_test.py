# SPDX-License-Identifier: Apache-2.0
"""SIGTERM lets running streams finish, a second one ends at once, a busy port is a clear error."""
import json
import signal
import socket
import subprocess
import threading
import time

from conftest import DYNAMO_RUN, QWEN3, Server

CONTENT = " ".join(f"word{i}" for i in range(40))


def start(delay_ms=20):
    return Server("out=echo", QWEN3, "--model-name", "qwen3", env={"DYN_TOKEN_ECHO_DELAY_MS": str(delay_ms)})


def stream(server, out):
    out.append(server.chat(stream=True, messages=[{"role": "user", "content": CONTENT}])[2])


def test_a_first_signal_lets_a_stream_finish_and_refuses_new_requests():
    server = start()
    out = []
    thread = threading.Thread(target=stream, args=(server, out))
    thread.start()
    time.sleep(0.5)
    server.process.send_signal(signal.SIGTERM)
    time.sleep(0.2)
    try:
        status, headers, _ = server.post("/v1/chat/completions", {"model": "qwen3", "messages": [{"role": "user", "content": "x"}]})
        assert status == 503 and int(headers["retry-after"]) >= 1
        assert server.get("/health")[0] == 503
    except ConnectionRefusedError:
        pass  # the listener may be closed already
    thread.join(20)
    assert out and out[0].endswith("data: [DONE]\n\n")
    text = "".join(json.loads(e[6:])["choices"][0]["delta"].get("content", "") for e in out[0].split("\n\n") if e.startswith("data: {"))
    assert text == CONTENT
    assert server.process.wait(10) == 0


def test_a_second_signal_ends_at_once():
    server = start(delay_ms=1000)
    thread = threading.Thread(target=lambda: stream_quietly(server), daemon=True)
    thread.start()
    time.sleep(0.5)
    server.process.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    assert server.process.poll() is None
    started = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(5) in (143, -signal.SIGTERM)
    assert time.monotonic() - started < 1


def stream_quietly(server):
    try:
        stream(server, [])
    except Exception:
        pass


def test_an_idle_server_ends_quickly_on_either_signal():
    for sig in (signal.SIGTERM, signal.SIGINT):
        server = start()
        started = time.monotonic()
        assert server.stop(sig) == 0
        assert time.monotonic() - started < 2


def test_a_busy_port_is_a_clear_error_at_start():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        port = s.getsockname()[1]
        done = subprocess.run([DYNAMO_RUN, "in=http", "out=echo", str(QWEN3), "--http-host", "127.0.0.1", "--http-port", str(port)],
                              capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    assert str(port) in done.stderr and "--http-port" in done.stderr and "in use" in done.stderr


def test_an_idle_server_uses_no_cpu():
    server = start()
    try:
        server.chat()
        time.sleep(1)
        ticks = cpu_ticks(server)
        time.sleep(5)
        assert cpu_ticks(server) - ticks <= 2
    finally:
        server.stop()


def cpu_ticks(server):
    with open(f"/proc/{server.process.pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])
