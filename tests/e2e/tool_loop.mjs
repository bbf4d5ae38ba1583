// SPDX-License-Identifier: Apache-2.0
// Called by tool_loop_test.py: the helpers of OpenAI's Node SDK against one family's script.
import assert from "node:assert/strict";
import { createRequire } from "node:module";

const require = createRequire(process.env.NODE_MODULES + "/");
const { OpenAI } = require("openai");
const { makeParseableResponseFormat } = require("openai/lib/parser");
const said = JSON.parse(process.env.SAID);
const client = new OpenAI({ baseURL: process.env.BASE_URL, apiKey: "unused", maxRetries: 0, timeout: 30000 });
const request = (content, options = {}) => ({
  model: said.model, messages: [{ role: "user", content }], chat_template_kwargs: said.template_args, ...options,
});

const called = [];
const results = { Paris: said.paris_result, "Zürich": said.zurich_result };
const expected = { Paris: said.paris, "Zürich": said.zurich };
const string = { type: "string" };
const tool = (name, properties, run) => ({
  type: "function",
  function: { name, description: name, parse: JSON.parse, function: run, parameters: { type: "object", properties } },
});
const tools = [
  tool("get_weather", { city: string, days: { type: "integer" }, note: string }, (given) => {
    called.push("get_weather");
    assert.deepEqual(given, expected[given.city]);
    return results[given.city];
  }),
  tool("convert", { celsius: { type: "array", items: { type: "number" } }, options: { type: "object", properties: { to: string, exact: { type: "boolean" } } } }, (given) => {
    called.push("convert");
    assert.deepEqual(given, said.convert);
    return said.converted;
  }),
];

// The streaming helper runs the whole loop: it folds deltas, calls the functions and asks again.
const runner = client.beta.chat.completions.runTools({ ...request(said.ask, { tools }), stream: true });
let streamed = "";
runner.on("content", (delta) => (streamed += delta));
assert.equal((await runner.finalContent()).trimStart(), said.final);
assert.deepEqual(called, ["get_weather", "get_weather", "convert"]);
for (const marker of said.markers) assert.ok(!streamed.includes(marker), `${marker} in ${streamed}`);
assert.equal((await runner.finalChatCompletion()).choices[0].finish_reason, "stop");

const plain = client.beta.chat.completions.stream(request(said.talk, { tools: tools.map(({ type, function: f }) => ({
  type, function: { name: f.name, parameters: f.parameters } })) }));
assert.equal((await plain.finalContent()).trimStart(), said.prose);

const response_format = makeParseableResponseFormat({ type: "json_schema", json_schema: { name: "report", schema: {
  type: "object", properties: { city: string, degrees: { type: "number" }, tags: { type: "array", items: string } } } } }, JSON.parse);
const parsed = await client.beta.chat.completions.parse(request(said.structured, { response_format }));
assert.deepEqual(parsed.choices[0].message.parsed, said.report);
const parsing = client.beta.chat.completions.stream(request(said.structured, { response_format }));
assert.deepEqual((await parsing.finalChatCompletion()).choices[0].message.parsed, said.report);
console.log("all checks passed");
