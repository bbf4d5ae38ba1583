# SPDX-License-Identifier: Apache-2.0
"""Bad input gets its 4xx, names the field in message and param, and the process serves on."""
import json
import socket
import time

import pytest

OK = {"model": "qwen3", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 2}


def without(*keys):
    return {k: v for k, v in OK.items() if k not in keys}


def problem(answer):
    """Checks the envelope (OpenAI's nested object and the reference's flat keys) and returns it."""
    status, headers, body = answer
    value = json.loads(body)
    assert headers["content-type"].startswith("application/json")
    assert set(value["error"]) >= {"message", "type", "param", "code"}
    assert value["message"] == value["error"]["message"] and value["code"] == status
    assert isinstance(value["type"], str)
    expected = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
    assert value["error"]["type"] == expected.get(status, "server_error" if status >= 500 else "invalid_request_error")
    return value["error"]


FIELDS = [  # what is sent, status, param, a word of the message
    ({**OK, "temperature": 3}, 400, "temperature", "between 0 and 2"),
    ({**OK, "temperature": -1}, 400, "temperature", "between 0 and 2"),
    ({**OK, "temperature": "hot"}, 400, "temperature", "temperature"),
    ({**OK, "temperature": 1e400}, 400, None, ""),
    ({**OK, "top_p": 0}, 400, "top_p", "Top_p"),
    ({**OK, "top_p": 1.5}, 400, "top_p", "Top_p"),
    ({**OK, "top_k": -2}, 400, "top_k", "Top_k"),
    ({**OK, "min_p": 2}, 400, "min_p", "Min_p"),
    ({**OK, "n": 0}, 400, "n", "between 1 and 128"),
    ({**OK, "n": 129, "temperature": 1}, 400, "n", "n"),
    ({**OK, "n": -1}, 400, "n", "n"),
    ({**OK, "n": 1.5}, 400, "n", "n"),
    ({**OK, "max_tokens": 0}, 400, "max_tokens", "greater than 0"),
    ({**OK, "max_tokens": -5}, 400, "max_tokens", "max_tokens"),
    ({**OK, "max_tokens": 2**70}, 400, "max_tokens", "max_tokens"),
    ({**OK, "max_tokens": "ten"}, 400, "max_tokens", "max_tokens"),
    ({**OK, "presence_penalty": -3}, 400, "presence_penalty", "between -2 and 2"),
    ({**OK, "frequency_penalty": 3}, 400, "frequency_penalty", "between -2 and 2"),
    ({**OK, "repetition_penalty": 0}, 400, "repetition_penalty", "epetition"),
    ({**OK, "logit_bias": {"5": 101}}, 400, "logit_bias.5", "100"),
    ({**OK, "logit_bias": {"x": 1}}, 400, "logit_bias.x", "token ids"),
    ({**OK, "logit_bias": [1]}, 400, "logit_bias", "logit_bias"),
    ({**OK, "logprobs": True, "top_logprobs": 21}, 400, "top_logprobs", "between 0 and 20"),
    ({**OK, "stop": ["x"] * 33}, 400, "stop", "32"),
    ({**OK, "stop": [""]}, 400, "stop", "empty"),
    ({**OK, "stop": 5}, 400, "stop", "stop"),
    ({**OK, "stream": "yes"}, 400, "stream", "stream"),
    ({**OK, "stream_options": {"include_usage": True}}, 400, "stream_options", "stream"),
    ({**OK, "stream": True, "stream_options": {}}, 400, "stream_options.include_usage", "include_usage"),
    ({**OK, "user": " "}, 400, "user", "User"),
    ({**OK, "frobnicate": 1}, 400, "frobnicate", "frobnicate"),
    ({**OK, "nvext": {"zzz": 1}}, 400, "nvext.zzz", "zzz"),
    ({**OK, "response_format": {"type": "poem"}}, 400, "response_format.type", "poem"),
    ({**OK, "tool_choice": "required"}, 400, "tool_choice", "tool"),
    ({**OK, "tools": [{"type": "function", "function": {"name": "bad name!"}}]}, 400, "tools[0].function.name", "name"),
    ({**OK, "guided_json": {}, "guided_regex": "a"}, 400, None, "guided"),
    ({**OK, "messages": []}, 400, "messages", "messages"),
    ({**OK, "messages": "hi"}, 400, "messages", "messages"),
    ({**OK, "messages": [{"role": "alien", "content": "x"}]}, 400, "messages[0].role", "alien"),
    ({**OK, "messages": [{"content": "x"}]}, 400, "messages[0].role", "role"),
    ({**OK, "messages": [{"role": "user", "content": 5}]}, 400, "messages[0].content", "content"),
    ({**OK, "messages": [{"role": "user", "content": [{"type": "nothing"}]}]}, 400, "messages[0].content[0].type", "nothing"),
    ({**OK, "messages": [5]}, 400, "messages[0]", "messages[0]"),
    ({**OK, "chat_template_args": {"chat_template": "x"}}, 400, "chat_template_args.chat_template", "chat_template"),
    (without("messages"), 400, "messages", "messages"),
    (without("model"), 400, "model", "model"),
    ({**OK, "model": 5}, 400, "model", "model"),
    ({**OK, "model": ""}, 400, "model", "Model"),
    ({**OK, "model": "nobody"}, 404, "model", "not found"),
    ({**OK, "functions": []}, 501, "functions", "tools"),
    ([], 400, None, ""),
    ("text", 400, None, ""),
    (None, 400, None, ""),
]


@pytest.mark.parametrize("body,status,param,word", FIELDS, ids=lambda v: json.dumps(v)[:48] if isinstance(v, (dict, list)) else str(v)[:24])
def test_a_bad_field_is_named(echo, body, status, param, word):
    answer = echo.post("/v1/chat/completions", json.dumps(body), headers={"Content-Type": "application/json"})
    assert answer[0] == status, answer[2]
    error = problem(answer)
    if param is not None:
        assert error["param"] == param
    assert word in error["message"]


COMPLETIONS = [
    ({"model": "qwen3"}, "prompt"),
    ({"model": "qwen3", "prompt": ""}, "prompt"),
    ({"model": "qwen3", "prompt": []}, "prompt"),
    ({"model": "qwen3", "prompt": 5}, "prompt"),
    ({"model": "qwen3", "prompt": [1, -1]}, "prompt[1]"),
    ({"model": "qwen3", "prompt": [4000000000]}, "prompt[0]"),
    ({"model": "qwen3", "prompt": "x", "logprobs": 6}, "logprobs"),
    ({"model": "qwen3", "prompt": "x", "best_of": 21}, "best_of"),
    ({"model": "qwen3", "prompt": "x", "echo": "yes"}, "echo"),
    ({"model": "qwen3", "prompt": ["x"] * 129, "max_tokens": 1}, "prompt"),
]


@pytest.mark.parametrize("body,param", COMPLETIONS, ids=lambda v: json.dumps(v)[:48])
def test_a_bad_completion_field_is_named(echo, body, param):
    answer = echo.post("/v1/completions", body)
    assert answer[0] == 400, answer[2]
    assert problem(answer)["param"] == param


MALFORMED = [b"", b"{", b'{"model":', b'{"model":"qwen3","messages":[', b"nonsense", b"{'a':1}", b'{"a":1}}', b"\x00\x01", b'{"a":01}',
             b'{"a":NaN}', b'{"a":"\\ud800"}', b"[" * 100000, b'{"a":' * 100000, b'{"model":"qwen3","messages":[{"role":"user","content":"\xff\xfe']


@pytest.mark.parametrize("text", MALFORMED, ids=lambda t: repr(t[:24]))
def test_malformed_json_says_where(echo, text):
    answer = echo.post("/v1/chat/completions", text, headers={"Content-Type": "application/json"})
    assert answer[0] == 400
    assert "JSON" in problem(answer)["message"]


def test_every_truncation_of_a_request_is_refused(echo):
    text = json.dumps({**OK, "stop": ["a\u00e9\n"], "logit_bias": {"1": -1.5e1}})
    for length in range(len(text)):
        answer = echo.post("/v1/chat/completions", text[:length], headers={"Content-Type": "application/json"})
        assert answer[0] == 400, text[:length]


def test_invalid_utf8_inside_a_string_is_repaired_as_in_the_reference(echo):
    body = json.dumps(OK).encode().replace(b'"hi"', b'"h\xffi"')
    status, _, answer = echo.post("/v1/chat/completions", body, headers={"Content-Type": "application/json"})
    assert status == 200, answer


def test_a_wrong_content_type_is_415(echo):
    answer = echo.post("/v1/chat/completions", json.dumps(OK), headers={"Content-Type": "text/plain"})
    assert answer[0] == 415
    problem(answer)


def test_unknown_routes_and_methods_get_the_same_envelope(echo):
    assert "GET /nowhere" in problem(echo.get("/nowhere"))["message"]
    answer = echo.get("/v1/chat/completions")
    assert answer[0] == 405 and answer[1]["allow"] == "POST"
    problem(answer)


def test_a_huge_body_is_refused_without_being_read(echo):
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 104857600\r\n\r\n"
    before = rss_mb(echo)
    with socket.create_connection(("127.0.0.1", echo.port), timeout=20) as s:
        s.sendall(head)
        try:
            for _ in range(100):
                s.sendall(b" " * (1 << 20))
        except (BrokenPipeError, ConnectionResetError):
            pass
        try:
            answer = s.recv(65536)
        except ConnectionResetError:
            answer = b""
    assert answer == b"" or answer.startswith(b"HTTP/1.1 413")
    answer = echo.raw(head)
    assert answer.startswith(b"HTTP/1.1 413") and b"limit" in answer
    assert rss_mb(echo) - before < 60


def rss_mb(server):
    with open(f"/proc/{server.process.pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) / 1024


HEADS = [  # raw bytes, the statuses that are right
    (b"GET / HTTP/1.1\r\n\r\n", (400, 404)),
    (b"NONSENSE\r\n\r\n", (400,)),
    (b"GET /live HTTP/9.9\r\nHost: x\r\n\r\n", (400, 505)),
    (b"GET /live HTTP/1.1\r\nHost x\r\n\r\n", (400,)),
    (b"GET /live HTTP/1.1\r\nHost: x\r\nBad\x00Name: 1\r\n\r\n", (400,)),
    (b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", (400, 414, 431)),
    (b"GET /live HTTP/1.1\r\nHost: x\r\n" + b"X-Flood: " + b"y" * 200000 + b"\r\n\r\n", (431,)),
    (b"GET /live HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X-%d: y\r\n" % i for i in range(5000)) + b"\r\n", (431,)),
    (b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: -1\r\n\r\n", (400,)),
    (b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99999999999999999999\r\n\r\n", (400, 413)),
    (b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", (400,)),
    (b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n"
     b"Content-Length: 5\r\n\r\n0\r\n\r\n", (400,)),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 64, (400,)),  # a TLS client on the plain port
]


@pytest.mark.parametrize("data,statuses", HEADS, ids=lambda v: repr(v[:32]) if isinstance(v, bytes) else "")
def test_a_broken_head_is_refused(echo, data, statuses):
    answer = echo.raw(data, timeout=5)
    assert answer.startswith(b"HTTP/1.1 "), answer[:200]
    assert int(answer.split()[1]) in statuses, answer[:200]


def test_a_slow_head_does_not_hold_others_up_and_ends(echo):
    crawlers = [socket.create_connection(("127.0.0.1", echo.port)) for _ in range(50)]
    try:
        for s in crawlers:
            s.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n")
        started = time.monotonic()
        assert echo.post("/v1/chat/completions", OK)[0] == 200
        assert time.monotonic() - started < 2
        # Each byte comes in time, the head as a whole does not.
        s = crawlers[0]
        s.settimeout(0.5)
        deadline = time.monotonic() + 60
        closed = False
        while time.monotonic() < deadline and not closed:
            try:
                s.sendall(b"X")
                closed = s.recv(4096) != b"" or True
            except socket.timeout:
                pass
            except OSError:
                closed = True
        assert closed, "a slow-loris client was never cut off"
    finally:
        for s in crawlers:
            s.close()


def test_pipelined_requests_are_answered_in_order(echo):
    one = b"GET /live HTTP/1.1\r\nHost: x\r\n\r\n"
    last = b"GET /live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    assert echo.raw(one * 20 + last).count(b"HTTP/1.1 200") == 21
