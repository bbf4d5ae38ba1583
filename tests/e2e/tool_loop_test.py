# SPDX-License-Identifier: Apache-2.0
"""OpenAI's Python and Node SDKs run a loop of two tools and parse structured output, in the notations of nineteen families.

The replay engine gives the model's part (model_outputs.py); everything else is as in production: each family's own
tokenizer where one is at hand, its tool-call and reasoning parsers, streams read and folded by the SDK's helpers.
"""
import contextlib
import json
import os
import pathlib
import subprocess

import openai
import pydantic
import pytest

import model_outputs as said
from conftest import CACHE, serving

HERE = pathlib.Path(__file__).parent


class Weather(pydantic.BaseModel):
    city: str
    days: int
    note: str


class Options(pydantic.BaseModel):
    to: str
    exact: bool


class Convert(pydantic.BaseModel):
    celsius: list[float]
    options: Options


class Report(pydantic.BaseModel):
    city: str
    degrees: float
    tags: list[str]


TOOLS = [openai.pydantic_function_tool(Weather, name="get_weather", description="The weather of a city"),
         openai.pydantic_function_tool(Convert, name="convert", description="Converts temperatures")]


def named(name):
    return {"type": "function", "function": {"name": name}}


def model_folder(family, folder):
    """The family's tokenizer with a config that names its end tokens."""
    source = CACHE / "tokenizers" / family.tokenizer
    added = {t["content"]: t["id"] for t in json.loads((source / "tokenizer.json").read_text())["added_tokens"]}
    (folder / "config.json").write_text(json.dumps({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "max_position_embeddings": 40960,
        "eos_token_id": [added[end] for end in family.ends]}))
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).symlink_to(source / name)
    return folder


@contextlib.contextmanager
def replaying(family, folder):
    """A service with the family's parsers whose model says what is in model_outputs.py."""
    script = folder / "answers.jsonl"
    script.write_text(family.script())
    arguments = ["--reasoning-parser", family.reasoning_parser] if family.reasoning_parser else []
    with serving(f"out=replay:{script}", model_folder(family, folder), "--model-name", family.name,
                 "--custom-jinja-template", HERE / "conversation.jinja", "--tool-call-parser", family.tool_parser or family.name,
                 *arguments) as server:
        yield server


@pytest.fixture(scope="module", params=said.FAMILIES, ids=lambda family: family.name)
def family(request):
    return request.param


@pytest.fixture(scope="module")
def client(family, tmp_path_factory):
    with replaying(family, tmp_path_factory.mktemp("replay")) as server:
        yield openai.OpenAI(base_url=server.url + "/v1", api_key="unused", max_retries=0, timeout=30)


def call_tool(call):
    if call.function.name == "convert":
        assert call.function.parsed_arguments == Convert(**said.CONVERT)
        assert json.loads(call.function.arguments) == said.CONVERT
        return said.CONVERTED
    expected, result = {"Paris": (said.PARIS, said.PARIS_RESULT),
                        "Zürich": (said.ZURICH, said.ZURICH_RESULT)}[call.function.parsed_arguments.city]
    assert json.loads(call.function.arguments) == expected
    return result


def request_to(family, messages, **options):
    return {"model": family.name, "messages": messages, "extra_body": {"chat_template_kwargs": family.template_args}, **options}


def streamed_turn(client, family, messages):
    """One turn with the streaming helper: the folded message, checked against the events."""
    content, reasoning, arguments = "", "", {}
    with client.chat.completions.stream(**request_to(family, messages, tools=TOOLS)) as stream:
        for event in stream:
            if event.type == "content.delta":
                content += event.delta
            elif event.type == "tool_calls.function.arguments.delta":
                arguments[event.index] = arguments.get(event.index, "") + event.arguments_delta
            elif event.type == "tool_calls.function.arguments.done":
                assert event.arguments == arguments[event.index]
            elif event.type == "chunk":
                for choice in event.chunk.choices:
                    reasoning += getattr(choice.delta, "reasoning_content", None) or ""
        choice = stream.get_final_completion().choices[0]
    assert content == (choice.message.content or "")
    assert [arguments[i] for i in sorted(arguments)] == [c.function.arguments for c in choice.message.tool_calls or []]
    return choice, reasoning


def unary_turn(client, family, messages):
    choice = client.chat.completions.parse(**request_to(family, messages, tools=TOOLS)).choices[0]
    return choice, getattr(choice.message, "reasoning_content", None) or ""


def check_clean(family, text):
    for marker in family.markers:
        assert marker not in (text or ""), f"{marker} in {text!r}"


@pytest.mark.parametrize("turn", [streamed_turn, unary_turn])
def test_two_tools_are_called_in_a_loop(client, family, turn):
    messages, called = [{"role": "user", "content": f"What is the {said.ASK}?"}], []
    for number in range(6):
        choice, reasoning = turn(client, family, messages)
        message = choice.message
        check_clean(family, message.content)
        if number == 0:
            assert (message.content or "").strip() == said.PREFIX
            assert reasoning.strip() == (said.THOUGHT if family.reasoning_parser else "")
        messages.append({"role": "assistant", "content": message.content,
                         "tool_calls": [c.to_dict() for c in message.tool_calls or []]})
        if choice.finish_reason == "stop":
            break
        assert choice.finish_reason == "tool_calls"
        assert len({c.id for c in message.tool_calls}) == len(message.tool_calls)
        called.append([c.function.name for c in message.tool_calls])
        for call in message.tool_calls:
            messages.append({"role": "tool", "tool_call_id": call.id, "content": call_tool(call)})
    assert message.content.lstrip() == said.FINAL and not message.tool_calls
    assert called == ([["get_weather", "get_weather"], ["convert"]] if family.parallel else
                      [["get_weather"], ["get_weather"], ["convert"]])


def ask(client, family, word, **options):
    """The same request streamed and unary, which must agree; the unary choice."""
    request = request_to(family, [{"role": "user", "content": word}], **options)
    choice = client.chat.completions.create(**request).choices[0]
    content, finish, calls, reasoning = "", None, {}, ""
    for chunk in client.chat.completions.create(**request, stream=True):
        for piece in chunk.choices:
            assert finish is None, "something came behind the finish reason"
            content += piece.delta.content or ""
            reasoning += getattr(piece.delta, "reasoning_content", None) or ""
            finish = piece.finish_reason
            for call in piece.delta.tool_calls or []:
                name, arguments = calls.get(call.index, ("", ""))
                calls[call.index] = (name + (call.function.name or ""), arguments + (call.function.arguments or ""))
    check_clean(family, content)
    assert (content, finish) == (choice.message.content or "", choice.finish_reason)
    assert reasoning == (getattr(choice.message, "reasoning_content", None) or "")
    assert list(calls.values()) == [(c.function.name, c.function.arguments) for c in choice.message.tool_calls or []]
    return choice


@pytest.mark.parametrize("options", [{}, {"tools": TOOLS}, {"tools": TOOLS, "tool_choice": "none"}], ids=["bare", "auto", "none"])
def test_plain_talk_is_left_as_it_is(client, family, options):
    choice = ask(client, family, said.TALK, **options)
    assert choice.message.content.lstrip() == said.PROSE
    assert choice.finish_reason == "stop" and not choice.message.tool_calls


@pytest.mark.parametrize("options", [{}, {"tools": TOOLS, "tool_choice": "none"}], ids=["bare", "none"])
def test_calls_nobody_asked_for_are_dropped(client, family, options):
    """As in the reference, no tool parser runs then, so what the model wrote is content."""
    choice = client.chat.completions.create(**request_to(family, [{"role": "user", "content": said.ASK}], **options)).choices[0]
    assert not choice.message.tool_calls and choice.finish_reason == "stop"
    assert choice.message.content.lstrip().startswith(said.PREFIX)


def test_a_call_that_is_cut_off_ends_with_length(client, family):
    choice = ask(client, family, said.CUT, tools=TOOLS)
    assert choice.finish_reason == "length"
    assert (choice.message.content or "").strip() == said.PREFIX


def test_max_tokens_that_cut_a_call_end_with_length(client, family):
    for limit in (1, 12, 40):
        assert ask(client, family, said.ASK, tools=TOOLS, max_tokens=limit).finish_reason == "length"


def test_a_forced_choice_is_read_as_json(client, family):
    choice = ask(client, family, said.FORCED, tools=TOOLS, tool_choice="required")
    assert choice.finish_reason == "tool_calls" and not choice.message.content
    assert [(c.function.name, json.loads(c.function.arguments)) for c in choice.message.tool_calls] == [("get_weather", said.ZURICH)]


def test_a_named_choice_is_read_as_its_arguments(client, family):
    choice = ask(client, family, said.NAMED, tools=TOOLS, tool_choice=named("convert"))
    assert choice.finish_reason in ("stop", "tool_calls") and not choice.message.content
    assert [(c.function.name, json.loads(c.function.arguments)) for c in choice.message.tool_calls] == [("convert", said.CONVERT)]


def test_without_parallel_calls_there_is_one(client, family):
    choice = ask(client, family, said.ASK, tools=TOOLS, parallel_tool_calls=False)
    assert [json.loads(c.function.arguments) for c in choice.message.tool_calls] == [said.PARIS]
    assert choice.finish_reason == "tool_calls"


def test_structured_output_is_parsed(client, family):
    request = request_to(family, [{"role": "user", "content": said.STRUCTURED}], response_format=Report)
    message = client.chat.completions.parse(**request).choices[0].message
    assert message.parsed == Report(**said.REPORT)
    with client.chat.completions.stream(**request) as stream:
        snapshots = [event.parsed for event in stream if event.type == "content.delta" and event.parsed]
        streamed = stream.get_final_completion().choices[0].message
    assert streamed.parsed == message.parsed and streamed.content == message.content
    assert snapshots[-1] == said.REPORT and len(snapshots) > 3


def test_the_node_sdk_does_the_same(client, family):
    facts = {name.lower(): value for name, value in vars(said).items() if name.isupper() and isinstance(value, (str, dict))}
    done = subprocess.run(["node", str(HERE / "tool_loop.mjs")], capture_output=True, text=True, timeout=60, env={
        **os.environ, "BASE_URL": str(client.base_url), "NODE_MODULES": str(CACHE / "node" / "node_modules"),
        "SAID": json.dumps({**facts, "model": family.name, "markers": family.markers, "template_args": family.template_args})})
    assert done.returncode == 0, done.stdout + done.stderr
    assert "all checks passed" in done.stdout
