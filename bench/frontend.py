# SPDX-License-Identifier: Apache-2.0
"""./x bench frontend [--seconds N] [--quick]: the whole frontend in front of the echo engine.

CPU per request (streamed, unary; the sturdy figure), latency of a 32-token stream on a keep-alive connection, paced
streaming beside a bare epoll relay in the same run, memory after 100,000 requests, and start to first answer. The load
generator (wrk) shares the machine's cores, so compare CPU per request before requests per second.
"""
import argparse
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import statistics
import subprocess
import sys
import time

import build
from context import CACHE, Failure

HERE = pathlib.Path(__file__).parent
QWEN3 = CACHE / "tokenizers" / "qwen3"
TICK_MS = 1000 / os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def cpu_ms(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) * TICK_MS


def rss_mb(pid):
    return next(int(l.split()[1]) for l in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines() if l.startswith("VmRSS")) / 1024


def chat_body(words=4, tokens=32, stream=True):
    return json.dumps({"model": "qwen3", "stream": stream, "max_tokens": tokens, "ignore_eos": True,
                       "messages": [{"role": "user", "content": " ".join(["alpha bravo charlie delta"] * max(1, words // 4))}]})


class Frontend:
    def __init__(self, delay_ms, **variables):
        self.port = free_port()
        started = time.perf_counter()
        self.process = subprocess.Popen(
            [str(build.folder("release") / "bin" / "dynamo-run"), "in=http", "out=echo", str(QWEN3), "--model-name", "qwen3",
             "--http-host", "127.0.0.1", "--http-port", str(self.port)],
            env={**os.environ, "DYN_LOG": "warn", "DYN_TOKEN_ECHO_DELAY_MS": str(delay_ms), **variables})
        while True:
            try:
                self.ask(chat_body(4, 4, stream=False))
                break
            except OSError:
                if self.process.poll() is not None:
                    raise Failure("dynamo-run did not start")
                time.sleep(0.002)
        self.start_seconds = time.perf_counter() - started

    def ask(self, body):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("POST", "/v1/chat/completions", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read()
            if answer.status != 200:
                raise Failure(f"status {answer.status}: {text[:200]}")
            return text
        finally:
            connection.close()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)


def wrk(port, seconds, connections, stream, tokens=64, words=200, earlier=False):
    done = subprocess.run(["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", str(HERE / "chat.lua"),
                           f"http://127.0.0.1:{port}/v1/chat/completions"], capture_output=True, text=True,
                          env={**os.environ, "STREAM": "true" if stream else "false", "OSL": str(tokens), "ISL": str(words),
                               "EARLIER": "1" if earlier else "0"})
    text = done.stdout
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    if done.returncode or bad:
        raise Failure(f"wrk: {text}{done.stderr}")
    return {"requests": int(re.search(r"(\d+) requests in", text).group(1)),
            "requests_per_second": float(re.search(r"Requests/sec:\s+([\d.]+)", text).group(1)),
            "p50": re.search(r"50%\s+(\S+)", text).group(1), "p99": re.search(r"99%\s+(\S+)", text).group(1)}


def saturated(seconds):
    out = {}
    server = Frontend(0)
    out["start_to_first_answer_s"] = round(server.start_seconds, 3)
    try:
        pid = server.process.pid
        for name, stream in (("streamed", True), ("unary", False)):
            wrk(server.port, 2, 16, stream)
            before = cpu_ms(pid)
            result = wrk(server.port, seconds, 64, stream)
            result["cpu_ms_per_request"] = round((cpu_ms(pid) - before) / result["requests"], 4)
            result["rss_mb"] = round(rss_mb(pid), 1)
            out[name] = result
        out["stream_32_tokens_p50_ms"] = keep_alive_stream_p50(server.port)
    finally:
        server.stop()
    return out


def long_prompts(seconds, words):
    """CPU per unary request with that many words: all in the last message, which is new in every request, or in an
    earlier one, where a cache of prefixes can know them."""
    out = {"words": words}
    for cache in ("0", "1"):
        server = Frontend(0, DYN_TOKENIZER_CACHE=cache)
        try:
            for where, earlier in (("last_message", False), ("earlier_message", True)):
                wrk(server.port, 1, 16, False, 8, words, earlier)
                before = cpu_ms(server.process.pid)
                result = wrk(server.port, seconds, 16, False, 8, words, earlier)
                out[f"{where}_cache_{'on' if cache == '1' else 'off'}_cpu_ms"] = round(
                    (cpu_ms(server.process.pid) - before) / result["requests"], 4)
        finally:
            server.stop()
    return out


def keep_alive_stream_p50(port, rounds=200):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.connect()
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        connection.request("POST", "/v1/chat/completions", chat_body(40, 32), {"Content-Type": "application/json"})
        connection.getresponse().read()
        times.append((time.perf_counter() - started) * 1000)
    connection.close()
    return round(statistics.median(times), 3)


def memory(requests):
    """RSS when idle after a warm-up, and again 30 s after that many requests."""
    server = Frontend(0)
    try:
        pid = server.process.pid
        wrk(server.port, 2, 64, True)
        time.sleep(30)
        before, sent, peak = rss_mb(pid), 0, 0
        while sent < requests:
            sent += wrk(server.port, 5, 64, sent % 2 == 0)["requests"]
            peak = max(peak, rss_mb(pid))
        time.sleep(30)
        after = rss_mb(pid)
        return {"requests": sent, "rss_mb_idle_before": round(before, 1), "rss_mb_under_load": round(peak, 1),
                "rss_mb_idle_after": round(after, 1), "growth_percent": round((after / before - 1) * 100, 1)}
    finally:
        server.stop()


def paced(seconds):
    """One token every 8 ms on 64 connections: one receive and one send per token and stream."""
    out = {}
    port = free_port()
    relay = subprocess.Popen([str(build.folder("release") / "bin" / "bare_relay"), str(port), "8", "64"], stdout=subprocess.PIPE, text=True)
    time.sleep(0.3)
    wrk(port, seconds, 64, True)
    relay.send_signal(signal.SIGTERM)
    floor = json.loads(relay.communicate(timeout=10)[0])
    out["bare_relay_cpu_ms_per_request"] = round(floor["cpu_ms"] / floor["requests"], 3)
    server = Frontend(8)
    try:
        for name, stream in (("streamed", True), ("unary", False)):
            before = cpu_ms(server.process.pid)
            result = wrk(server.port, seconds, 64, stream)
            out[f"{name}_cpu_ms_per_request"] = round((cpu_ms(server.process.pid) - before) / result["requests"], 3)
    finally:
        server.stop()
    out["streamed_over_relay"] = round(out["streamed_cpu_ms_per_request"] / out["bare_relay_cpu_ms_per_request"], 2)
    return out


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seconds", type=int, default=12)
    options.add_argument("--quick", action="store_true", help="without the memory run")
    options.add_argument("--long-prompts", type=int, metavar="WORDS", help="only prompts of that many words, prefix cache off and on")
    options.add_argument("--json", action="store_true")
    args = options.parse_args()
    build.build("release", targets=["dynamo-run", "bare_relay"], with_deps=False)
    if args.long_prompts:
        results = {"long_prompts": long_prompts(args.seconds, args.long_prompts)}
    else:
        results = {"saturated": saturated(args.seconds), "paced": paced(args.seconds)}
    if not args.quick and not args.long_prompts:
        results["memory"] = memory(100_000)
    print(json.dumps(results, indent=None if args.json else 2))


if __name__ == "__main__":
    try:
        main()
    except Failure as why:
        sys.exit(f"bench frontend: {why}")
