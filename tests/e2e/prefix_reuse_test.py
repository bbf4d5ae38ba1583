# SPDX-License-Identifier: Apache-2.0
"""A prompt that shares a long prefix with an earlier one is not computed again."""
import http.client
import json
import statistics
import time

BLOCK = 16
TEXT = " ".join(f"Item {i}: the quick brown fox number {i} jumps over the lazy dog." for i in range(24))


def first_token_seconds(server, content):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
    body = json.dumps({"model": "smollm2", "messages": [{"role": "user", "content": content}], "temperature": 0,
                       "max_tokens": 16, "stream": True, "stream_options": {"include_usage": True}})
    started = time.perf_counter()
    connection.request("POST", "/v1/chat/completions", body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    first, text, usage = None, "", None
    for line in answer:
        if line.startswith(b"data: {"):
            chunk = json.loads(line[6:])
            if chunk["choices"] and chunk["choices"][0]["delta"].get("content"):
                first = first or time.perf_counter() - started
                text += chunk["choices"][0]["delta"]["content"]
            usage = chunk.get("usage") or usage
    connection.close()
    return first, text, usage


def test_a_prefix_sent_again_is_reused_and_gives_the_same_answer(smollm2):
    colds, warms = [], []
    for round_number in range(5):
        content = f"Round {round_number}. {TEXT} What is item 3 about?"
        cold, cold_text, cold_usage = first_token_seconds(smollm2, content)
        warm, warm_text, warm_usage = first_token_seconds(smollm2, content)
        assert warm_text == cold_text
        shared = cold_usage["prompt_tokens"]
        assert shared >= 300
        cached = warm_usage["prompt_tokens_details"]["cached_tokens"]
        assert cached >= shared // BLOCK * BLOCK - BLOCK
        colds.append(cold)
        warms.append(warm)
    ratio = statistics.median(warms) / statistics.median(colds)
    print(f"time to first token: cold {statistics.median(colds):.3f} s, warm {statistics.median(warms):.3f} s, ratio {ratio:.2f}")
    assert ratio <= 1 / 3
