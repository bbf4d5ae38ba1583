# SPDX-License-Identifier: Apache-2.0
"""OpenAI's own Python SDK against a real model."""
import openai
import pytest

QUESTION = [{"role": "user", "content": "What is the capital of France?"}]


@pytest.fixture(scope="module")
def client(smollm2):
    return openai.OpenAI(base_url=smollm2.url + "/v1", api_key="unused", max_retries=0, timeout=60)


def ask(client, **options):
    return client.chat.completions.create(**{"model": "smollm2", "messages": QUESTION, "temperature": 0, "max_tokens": 32,
                                             **options})


def test_a_unary_answer_names_paris(client):
    answer = ask(client)
    assert "Paris" in answer.choices[0].message.content
    assert answer.choices[0].message.role == "assistant"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert answer.object == "chat.completion" and answer.id.startswith("chatcmpl-")


def test_a_streamed_answer_equals_the_unary_one(client):
    pieces = list(ask(client, stream=True))
    text = "".join(c.choices[0].delta.content or "" for c in pieces if c.choices)
    assert text == ask(client).choices[0].message.content
    assert pieces[0].choices[0].delta.role == "assistant"
    assert [c.choices[0].finish_reason for c in pieces if c.choices][-1] == "stop"
    assert all(c.usage is None for c in pieces)


def test_include_usage_adds_exactly_one_last_chunk(client):
    pieces = list(ask(client, stream=True, stream_options={"include_usage": True}))
    with_usage = [c for c in pieces if c.usage]
    assert len(with_usage) == 1 and pieces[-1] is with_usage[0]
    assert pieces[-1].choices == []
    assert pieces[-1].usage.completion_tokens > 0


def test_a_stop_string_ends_the_answer_before_it(client):
    answer = ask(client, stop=["Paris"])
    assert "Paris" not in answer.choices[0].message.content
    assert "capital" in answer.choices[0].message.content
    assert answer.choices[0].finish_reason == "stop"


def test_max_tokens_is_exact(client):
    answer = ask(client, max_tokens=3)
    assert answer.usage.completion_tokens == 3
    assert answer.choices[0].finish_reason == "length"


def test_a_seed_repeats_and_another_seed_does_not(client):
    def story(seed):
        return ask(client, messages=[{"role": "user", "content": "Tell me a story about a fox."}], temperature=1.0,
                   seed=seed, max_tokens=24).choices[0].message.content
    assert story(7) == story(7)
    assert len({story(seed) for seed in (1, 2, 3, 4)}) > 1


def test_completion_logprobs_are_maps(client):
    answer = client.completions.create(model="smollm2", prompt="The capital of France is", max_tokens=3, temperature=0, logprobs=2)
    logprobs = answer.choices[0].logprobs
    assert len(logprobs.tokens) == len(logprobs.top_logprobs) == 3
    for token, logprob, top in zip(logprobs.tokens, logprobs.token_logprobs, logprobs.top_logprobs):
        assert len(top) == 2 and max(top, key=top.get) == token and abs(top[token] - logprob) < 1e-4


def test_logprobs_come_with_alternatives(client):
    answer = ask(client, logprobs=True, top_logprobs=3, max_tokens=4)
    entries = answer.choices[0].logprobs.content
    assert len(entries) == 4
    assert "".join(e.token for e in entries) == answer.choices[0].message.content
    for entry in entries:
        assert entry.logprob <= 0 and len(entry.top_logprobs) == 3
        assert entry.top_logprobs[0].logprob >= entry.top_logprobs[1].logprob
        assert entry.token == entry.top_logprobs[0].token  # greedy
        assert bytes(entry.bytes).decode() == entry.token


def test_n_gives_that_many_choices(client):
    answer = ask(client, n=2, temperature=1.0, seed=3, max_tokens=8)
    assert [c.index for c in answer.choices] == [0, 1]
    assert all(c.message.content for c in answer.choices)
    indexes = {c.choices[0].index for c in ask(client, n=2, temperature=1.0, max_tokens=8, stream=True) if c.choices}
    assert indexes == {0, 1}


def test_logit_bias_forbids_a_token(client, smollm2):
    import json
    first = ask(client, max_tokens=1).choices[0].message.content
    status, _, body = smollm2.post("/tokenize", {"model": "smollm2", "prompt": first, "add_special_tokens": False})
    assert status == 200
    (token,) = json.loads(body)["tokens"]
    assert ask(client, max_tokens=1, logit_bias={str(token): -100}).choices[0].message.content != first


def test_a_json_schema_is_enforced(client):
    import json
    schema = {"type": "object", "properties": {"city": {"type": "string"}, "population": {"type": "integer"}},
              "required": ["city", "population"], "additionalProperties": False}
    answer = ask(client, max_tokens=80, messages=[{"role": "user", "content": "Describe Paris as JSON."}],
                 response_format={"type": "json_schema", "json_schema": {"name": "city", "schema": schema, "strict": True}})
    if answer.choices[0].finish_reason == "stop":
        value = json.loads(answer.choices[0].message.content)
        assert set(value) == {"city", "population"} and isinstance(value["population"], int)
    else:
        assert answer.choices[0].message.content.lstrip().startswith("{")


def test_legacy_completions_echo_the_prompt(client):
    answer = client.completions.create(model="smollm2", prompt="The capital of France is", max_tokens=4, temperature=0, echo=True)
    assert answer.choices[0].text.startswith("The capital of France is")
    assert len(answer.choices[0].text) > len("The capital of France is")
    assert answer.object == "text_completion" and answer.id.startswith("cmpl-")
    pieces = client.completions.create(model="smollm2", prompt="The capital of France is", max_tokens=4, temperature=0, echo=True,
                                       stream=True)
    assert "".join(p.choices[0].text for p in pieces if p.choices) == answer.choices[0].text


def test_batched_prompts_keep_their_order(client):
    prompts = ["One, two,", "The capital of France is"]
    answer = client.completions.create(model="smollm2", prompt=prompts, max_tokens=4, temperature=0)
    assert [c.index for c in answer.choices] == [0, 1]
    alone = [client.completions.create(model="smollm2", prompt=p, max_tokens=4, temperature=0).choices[0].text for p in prompts]
    assert [c.text for c in answer.choices] == alone


def test_models_are_listed(client):
    listed = [m.id for m in client.models.list()]
    assert listed == ["smollm2"]
    assert client.models.retrieve("smollm2").id == "smollm2"


def test_an_unknown_model_is_not_found(client):
    with pytest.raises(openai.NotFoundError) as caught:
        ask(client, model="no-such-model")
    assert caught.value.code == "model_not_found"
    assert caught.value.body["type"] == "invalid_request_error"


def test_a_bad_field_is_named(client):
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, temperature=7)
    assert caught.value.param == "temperature"
    assert "Temperature must be between 0 and 2" in caught.value.message


def test_a_prompt_that_is_too_long_is_refused_before_prefill(client):
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, messages=[{"role": "user", "content": "many words " * 6000}])
    assert caught.value.code == "context_length_exceeded"
    assert "maximum context length" in caught.value.message
