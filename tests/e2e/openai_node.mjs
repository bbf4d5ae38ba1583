// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { createRequire } from "node:module";

const require = createRequire(process.env.NODE_MODULES + "/");
const { OpenAI } = require("openai");
const client = new OpenAI({ baseURL: process.env.BASE_URL, apiKey: "unused", maxRetries: 0, timeout: 60000 });
const messages = [{ role: "user", content: "What is the capital of France?" }];
const options = { model: "smollm2", messages, temperature: 0, max_tokens: 32 };

const unary = await client.chat.completions.create(options);
assert.match(unary.choices[0].message.content, /Paris/);
assert.equal(unary.choices[0].finish_reason, "stop");

let text = "";
let usage = null;
for await (const chunk of await client.chat.completions.create({ ...options, stream: true, stream_options: { include_usage: true } })) {
  text += chunk.choices[0]?.delta?.content ?? "";
  usage = chunk.usage ?? usage;
}
assert.equal(text, unary.choices[0].message.content);
assert.equal(usage.completion_tokens, unary.usage.completion_tokens);

// The streaming helper accumulates and checks the chunks itself.
const helper = client.beta.chat.completions.stream(options);
assert.equal(await helper.finalContent(), text);

const stopped = await client.chat.completions.create({ ...options, stop: ["Paris"] });
assert.doesNotMatch(stopped.choices[0].message.content, /Paris/);

const short = await client.chat.completions.create({ ...options, max_tokens: 2 });
assert.equal(short.usage.completion_tokens, 2);
assert.equal(short.choices[0].finish_reason, "length");

const seeded = { ...options, temperature: 1, seed: 11, max_tokens: 12 };
const [a, b] = [await client.chat.completions.create(seeded), await client.chat.completions.create(seeded)];
assert.equal(a.choices[0].message.content, b.choices[0].message.content);

const probed = await client.chat.completions.create({ ...options, logprobs: true, top_logprobs: 2, max_tokens: 3 });
assert.equal(probed.choices[0].logprobs.content.length, 3);
assert.equal(probed.choices[0].logprobs.content[0].top_logprobs.length, 2);

const two = await client.chat.completions.create({ ...options, n: 2, temperature: 1, max_tokens: 4 });
assert.deepEqual(two.choices.map((c) => c.index), [0, 1]);

const legacy = await client.completions.create({ model: "smollm2", prompt: "The capital of France is", max_tokens: 3, echo: true });
assert.ok(legacy.choices[0].text.startsWith("The capital of France is"));

assert.deepEqual((await client.models.list()).data.map((m) => m.id), ["smollm2"]);
await assert.rejects(client.chat.completions.create({ ...options, model: "nope" }), OpenAI.NotFoundError);
await assert.rejects(client.chat.completions.create({ ...options, temperature: 9 }), (error) => {
  assert.ok(error instanceof OpenAI.BadRequestError);
  assert.equal(error.param, "temperature");
  return true;
});
await assert.rejects(
  client.chat.completions.create({ ...options, messages: [{ role: "user", content: "many words ".repeat(6000) }] }),
  (error) => error instanceof OpenAI.BadRequestError && error.code === "context_length_exceeded",
);

// A client that breaks off: the next request is served as if nothing had been.
const broken = await client.chat.completions.create({ ...options, stream: true, max_tokens: 200 });
for await (const _ of broken) break;
assert.match((await client.chat.completions.create(options)).choices[0].message.content, /Paris/);
console.log("all checks passed");
