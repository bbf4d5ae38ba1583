# SPDX-License-Identifier: Apache-2.0
"""The service around a request: ids, SSE framing, annotations, pages, metrics, keys, TLS."""
import json
import re
import ssl
import subprocess
import urllib.request
import uuid

from conftest import QWEN3, ROOT, serving, wait_for

ASK = {"model": "qwen3", "messages": [{"role": "user", "content": "one two three"}], "max_tokens": 64}


def events(text):
    return [e for e in text.split("\n\n") if e]


def test_echo_gives_the_last_user_message_back(echo):
    _, _, answer = echo.chat(messages=[{"role": "system", "content": "be brief"}, {"role": "user", "content": "first"},
                                       {"role": "assistant", "content": "ok"}, {"role": "user", "content": "héllo wörld 🌍"}])
    assert answer["choices"][0]["message"]["content"] == "héllo wörld 🌍"
    assert answer["choices"][0]["finish_reason"] == "stop"


def test_a_stream_is_framed_as_server_sent_events(echo):
    status, headers, text = echo.chat(stream=True)
    assert status == 200
    assert headers["content-type"].startswith("text/event-stream") and headers["cache-control"] == "no-cache"
    lines = events(text)
    assert all(e.startswith("data: ") for e in lines) and lines[-1] == "data: [DONE]"
    chunks = [json.loads(e[6:]) for e in lines[:-1]]
    assert set(chunks[0]) == {"id", "choices", "created", "model", "object"}  # as recorded from the reference
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    assert "".join(c["choices"][0]["delta"].get("content", "") for c in chunks) == "hello there"


def test_the_request_id_is_a_uuid_and_can_be_given(echo):
    given = str(uuid.uuid4())
    _, headers, body = echo.post("/v1/chat/completions", ASK, headers={"x-dynamo-request-id": given, "x-request-id": "mine"})
    assert json.loads(body)["id"] == f"chatcmpl-{given}"
    assert headers["x-request-id"] == "mine"
    _, _, body = echo.post("/v1/chat/completions", ASK, headers={"x-dynamo-request-id": "not a uuid"})
    uuid.UUID(json.loads(body)["id"].removeprefix("chatcmpl-"))


def test_annotations_come_first_and_only_when_asked(echo):
    body = {**ASK, "stream": True, "nvext": {"annotations": ["request_id", "formatted_prompt", "token_ids"]}}
    text = echo.post("/v1/chat/completions", body)[2].decode()
    names = [e.split("\n")[0] for e in events(text) if e.startswith("event: ")]
    assert names[:1] == ["event: request_id"] and set(names) == {"event: request_id", "event: formatted_prompt", "event: token_ids"}
    assert "event:" not in echo.post("/v1/chat/completions", {**ASK, "stream": True})[2].decode()


def test_stop_strings_never_reach_the_client_in_part(echo):
    for stop in (["two"], ["o t"], ["three"], ["e two th"]):
        text = echo.post("/v1/chat/completions", {**ASK, "stop": stop, "stream": True})[2].decode()
        content = "".join(json.loads(e[6:])["choices"][0]["delta"].get("content", "") for e in events(text) if e.startswith("data: {"))
        assert content == "one two three".split(stop[0])[0]


def test_usage_counts_tokens(echo):
    usage = json.loads(echo.post("/v1/chat/completions", ASK)[2])["usage"]
    assert usage["completion_tokens"] == 3 and usage["total_tokens"] == usage["prompt_tokens"] + 3


def test_tokenize_and_detokenize_agree(echo):
    status, _, body = echo.post("/tokenize", {"model": "qwen3", "prompt": "hello world", "add_special_tokens": False})
    answer = json.loads(body)
    assert status == 200 and answer["count"] == len(answer["tokens"]) == 2
    status, _, body = echo.post("/detokenize", {"model": "qwen3", "tokens": answer["tokens"]})
    assert status == 200 and json.loads(body)["prompt"] == "hello world"


def prompt_of(echo, **options):
    """The text that a chat request becomes, by way of its annotation, and the same by way of /tokenize."""
    body = {"model": "qwen3", "max_tokens": 1, **options}
    text = echo.post("/v1/chat/completions", {**body, "stream": True, "nvext": {"annotations": ["formatted_prompt", "token_ids"]}})[2].decode()
    comments = {e.split("\n")[0]: json.loads(e.split("\n")[1][2:]) for e in events(text) if e.startswith("event: ")}
    tokens = json.loads(echo.post("/tokenize", {k: v for k, v in body.items() if k != "max_tokens"})[2])["tokens"]
    assert json.loads(comments["event: token_ids"]) == tokens
    assert json.loads(echo.post("/detokenize", {"model": "qwen3", "tokens": tokens})[2])["prompt"] == comments["event: formatted_prompt"]
    return comments["event: formatted_prompt"]


def test_the_prompt_ends_as_the_request_says(echo):
    asked = [{"role": "user", "content": "A number?"}]
    begun = [*asked, {"role": "assistant", "content": "It is"}]
    assert prompt_of(echo, messages=asked).endswith("<|im_start|>assistant\n")
    assert prompt_of(echo, messages=asked, add_generation_prompt=False).endswith("A number?<|im_end|>\n")
    assert prompt_of(echo, messages=begun, continue_final_message=True).endswith("It is")
    both = {"model": "qwen3", "messages": begun, "continue_final_message": True, "add_generation_prompt": True}
    status, _, body = echo.post("/v1/chat/completions", both)
    assert status == 400 and json.loads(body)["error"]["param"] == "continue_final_message"


def test_tools_and_template_arguments_reach_the_prompt(echo):
    asked = [{"role": "user", "content": "Rain?"}]
    tools = [{"type": "function", "function": {"name": "get_weather", "description": "", "parameters": {"type": "object", "properties": {}}}}]
    assert "get_weather" in prompt_of(echo, messages=asked, tools=tools)
    assert prompt_of(echo, messages=asked, chat_template_kwargs={"enable_thinking": False}).endswith("<think>\n\n</think>\n\n")


def test_the_pages_answer(echo):
    assert json.loads(echo.get("/health")[2])["status"] == "healthy"
    assert json.loads(echo.get("/live")[2]) == {"status": "live", "message": "Service is live"}
    api = json.loads(echo.get("/openapi.json")[2])
    assert api["openapi"].startswith("3.") and "/v1/chat/completions" in api["paths"]
    listed = json.loads(echo.get("/v1/models")[2])
    assert listed["object"] == "list" and listed["data"][0]["owned_by"] == "nvidia"
    assert listed["data"][0]["context_window"] == 40960
    assert json.loads(echo.get("/v1/models/qwen3")[2])["id"] == "qwen3"
    assert echo.get("/v1/models/nobody")[0] == 404


def test_metrics_count_every_request_once(echo):
    labels = dict(model="qwen3", endpoint="chat_completions", request_type="unary", status="success")
    before = echo.metric("dynamo_frontend_requests_total", **labels)
    for _ in range(3):
        echo.post("/v1/chat/completions", ASK)
    # A request is counted when its connection is done with it, a moment after the client has its answer.
    wait_for(lambda: echo.metric("dynamo_frontend_requests_total", **labels) == before + 3, 2, "counting")
    echo.post("/v1/chat/completions", {**ASK, "model": "nobody"})
    wait_for(lambda: echo.metric("dynamo_frontend_requests_total", model="unknown_model", status="error", error_type="not_found") >= 1)
    wait_for(lambda: echo.metric("dynamo_frontend_inflight_requests", model="qwen3") == 0)
    assert echo.metric("dynamo_frontend_time_to_first_token_seconds_count", model="qwen3") >= 3


def test_keys_are_asked_for_when_there_are_some():
    with serving("out=echo", QWEN3, "--model-name", "qwen3", "--api-key", "sesame") as server:
        status, headers, body = server.post("/v1/chat/completions", ASK)
        assert status == 401 and json.loads(body)["error"]["type"] == "authentication_error"
        assert server.post("/v1/chat/completions", ASK, headers={"Authorization": "Bearer wrong"})[0] == 401
        assert server.post("/v1/chat/completions", ASK, headers={"Authorization": "Bearer sesame"})[0] == 200
        assert "sesame" not in server.text()


def test_tls_serves_with_the_given_certificate(tmp_path):
    cert, key = tmp_path / "c.pem", tmp_path / "k.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days", "2", "-subj",
                    "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
    import conftest

    class TlsServer(conftest.Server):
        def request(self, method, path, body=None, headers=None, timeout=30):
            context = ssl.create_default_context(cafile=str(cert))
            request = urllib.request.Request(f"https://127.0.0.1:{self.port}{path}", method=method,
                                             data=json.dumps(body).encode() if body else None,
                                             headers={"Content-Type": "application/json", **(headers or {})})
            try:
                with urllib.request.urlopen(request, context=context, timeout=timeout) as answer:
                    return answer.status, dict(answer.headers), answer.read()
            except urllib.error.URLError as error:
                raise OSError(str(error))

    server = TlsServer("out=echo", QWEN3, "--model-name", "qwen3", "--tls-cert-path", cert, "--tls-key-path", key,
                       env={"DYN_TOKEN_ECHO_DELAY_MS": "0"})
    try:
        assert server.post("/v1/chat/completions", {**ASK, "stream": True})[2].endswith(b"data: [DONE]\n\n")
    finally:
        server.stop()


def documented_families():
    page = (ROOT / "docs" / "metrics.md").read_text()
    rows = re.findall(r"^\| `(dynamo_\w+)` \| (counter|gauge|histogram) \| ([^|]*) \|", page, re.M)
    return {name: (kind, set(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}


def test_the_metrics_page_and_its_documentation_agree():
    documented = documented_families()
    assert len(documented) > 30
    with serving("out=echo", QWEN3, "--model-name", "qwen3", env={"DYN_TOKEN_ECHO_DELAY_MS": "200"}) as server:
        assert server.post("/v1/chat/completions", ASK)[0] == 200
        server.post("/v1/chat/completions", {**ASK, "model": "nobody"})
        # A client that leaves, so that cancellations have a series.
        body = json.dumps({**ASK, "stream": True}).encode()
        server.raw(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                   b"Content-Length: %d\r\n\r\n%s" % (len(body), body), timeout=0.1)
        wait_for(lambda: server.metric("dynamo_frontend_disconnected_clients") == 1, what="the client's leaving")
        page = server.get("/metrics")[2].decode()
    types = dict(re.findall(r"^# TYPE (\w+) (\w+)$", page, re.M))
    labels = {}
    for name, pairs in re.findall(r"^(\w+)(?:\{([^}]*)\})? ", page, re.M):
        family = name if name in types else re.sub(r"_(bucket|sum|count)$", "", name)
        labels.setdefault(family, set()).update(set(re.findall(r'(\w+)="', pairs)) - {"le"})
    assert set(types) - set(documented) == set(), "exported but not documented"
    # Without an overload and without slow work these have no series to show.
    silent = {"dynamo_frontend_model_rejection_total", "dynamo_runtime_slow_sections_total"}
    assert set(documented) - set(types) - silent == set(), "documented but not exported"
    for name, kind in types.items():
        assert documented[name][0] == kind, name
        assert labels.get(name, documented[name][1]) == documented[name][1], name
