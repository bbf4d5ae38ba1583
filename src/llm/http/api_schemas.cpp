// SPDX-License-Identifier: Apache-2.0
#include "llm/http/api_schemas.h"

namespace dynamo::llm::http {

const std::string_view kApiSchemas = R"json({
"Error":{"type":"object","required":["error","message","type","code"],"properties":{
 "error":{"type":"object","properties":{"message":{"type":"string"},"type":{"type":"string"},
  "param":{"type":["string","null"]},"code":{"type":["string","null"]}}},
 "message":{"type":"string"},"type":{"type":"string"},"code":{"type":"integer"},"details":{},
 "request_id":{"type":"string"}}},
"BusyThreshold":{"type":"object","required":["model"],"properties":{
 "model":{"type":"string"},
 "active_decode_blocks_threshold":{"type":["number","null"],"minimum":0,"maximum":1},
 "active_prefill_tokens_threshold":{"type":["integer","null"],"minimum":0},
 "active_prefill_tokens_threshold_frac":{"type":["number","null"],"minimum":0}}},
"GenerationOptions":{"type":"object","required":["model"],"properties":{
 "model":{"type":"string","minLength":1},
 "stream":{"type":"boolean","default":false},
 "stream_options":{"type":"object","required":["include_usage"],"properties":{
  "include_usage":{"type":"boolean"},"continuous_usage_stats":{"type":"boolean","default":false}}},
 "max_tokens":{"type":"integer","minimum":1,"maximum":1048576},
 "min_tokens":{"type":"integer","minimum":0},
 "n":{"type":"integer","minimum":1,"maximum":128},
 "temperature":{"type":"number","minimum":0,"maximum":2},
 "top_p":{"type":"number","exclusiveMinimum":0,"maximum":1},
 "top_k":{"type":"integer","minimum":-1},
 "min_p":{"type":"number","minimum":0,"maximum":1},
 "frequency_penalty":{"type":"number","minimum":-2,"maximum":2},
 "presence_penalty":{"type":"number","minimum":-2,"maximum":2},
 "repetition_penalty":{"type":"number","exclusiveMinimum":0,"maximum":2},
 "seed":{"type":"integer"},
 "stop":{"oneOf":[{"type":"string"},{"type":"array","maxItems":32,"items":{"type":"string","minLength":1}},
  {"type":"array","items":{"type":"integer","minimum":0}}]},
 "stop_token_ids":{"type":"array","items":{"type":"integer","minimum":0}},
 "ignore_eos":{"type":"boolean"},
 "include_stop_str_in_output":{"type":"boolean"},
 "skip_special_tokens":{"type":"boolean"},
 "logit_bias":{"type":"object","additionalProperties":{"type":"number","minimum":-100,"maximum":100}},
 "guided_json":{},"guided_regex":{"type":"string"},"guided_grammar":{"type":"string"},
 "guided_choice":{"type":"array","items":{"type":"string"}},
 "user":{"type":"string"},"metadata":{},"nvext":{"type":"object"}}},
"ChatCompletionRequest":{"allOf":[{"$ref":"#/components/schemas/GenerationOptions"},
 {"type":"object","required":["messages"],"properties":{
  "messages":{"type":"array","minItems":1,"items":{"type":"object","required":["role"],"properties":{
   "role":{"enum":["developer","system","user","assistant","tool","function"]},
   "content":{"oneOf":[{"type":"string"},{"type":"array","items":{"type":"object"}},{"type":"null"}]},
   "name":{"type":"string"},"reasoning_content":{"type":"string"},
   "tool_calls":{"type":"array","items":{"type":"object"}},"tool_call_id":{"type":"string"}}}},
  "max_completion_tokens":{"type":"integer","minimum":1,"maximum":1048576},
  "logprobs":{"type":"boolean"},
  "top_logprobs":{"type":"integer","minimum":0,"maximum":20},
  "response_format":{"type":"object","required":["type"],"properties":{
   "type":{"enum":["text","json_object","json_schema"]},"json_schema":{"type":"object"}}},
  "tools":{"type":"array","maxItems":1536,"items":{"type":"object"}},
  "tool_choice":{"oneOf":[{"enum":["none","auto","required"]},{"type":"object"}]},
  "parallel_tool_calls":{"type":"boolean"},
  "reasoning_effort":{"enum":["none","minimal","low","medium","high","xhigh","max"]},
  "add_generation_prompt":{"type":"boolean","default":true},
  "continue_final_message":{"type":"boolean","default":false},
  "chat_template_args":{"type":"object"}}}]},
"CompletionRequest":{"allOf":[{"$ref":"#/components/schemas/GenerationOptions"},
 {"type":"object","required":["prompt"],"properties":{
  "prompt":{"oneOf":[{"type":"string","minLength":1},{"type":"array","items":{"type":"string"}},
   {"type":"array","items":{"type":"integer","minimum":0}},
   {"type":"array","items":{"type":"array","items":{"type":"integer","minimum":0}}}]},
  "logprobs":{"type":"integer","minimum":0,"maximum":5},
  "echo":{"type":"boolean"},"best_of":{"type":"integer","minimum":0,"maximum":20},
  "suffix":{"type":"string","maxLength":10000}}}]},
"TokenizeRequest":{"type":"object","properties":{
 "model":{"type":"string"},"prompt":{"type":"string"},"messages":{"type":"array","items":{"type":"object"}},
 "add_special_tokens":{"type":"boolean","default":true},
 "add_generation_prompt":{"type":"boolean","default":true},
 "continue_final_message":{"type":"boolean","default":false},
 "return_token_strs":{"type":"boolean","default":false},
 "tools":{"type":"array","items":{"type":"object"}},"chat_template_kwargs":{"type":"object"}}},
"DetokenizeRequest":{"type":"object","required":["tokens"],"properties":{
 "model":{"type":"string"},"tokens":{"type":"array","items":{"type":"integer","minimum":0}}}}
})json";

const std::string_view kDocsPage = R"html(<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Dynamo API</title>
<style>
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;color:#222}
code,pre{font-family:ui-monospace,monospace}
section{border-top:1px solid #ddd;padding:.6rem 0}
.method{display:inline-block;min-width:3.5rem;font-weight:600;color:#060}
pre{background:#f6f6f6;padding:.8rem;overflow:auto;font-size:13px}
</style></head><body>
<h1>Dynamo API</h1>
<p>The machine-readable form is <a href="/openapi.json">/openapi.json</a>.</p>
<div id="routes">Loading &hellip;</div>
<script>
fetch('/openapi.json').then(r => r.json()).then(api => {
  const root = document.getElementById('routes');
  root.textContent = '';
  const add = (parent, tag, text, cls) => {
    const e = document.createElement(tag);
    if (text) e.textContent = text;
    if (cls) e.className = cls;
    parent.appendChild(e);
    return e;
  };
  for (const [path, methods] of Object.entries(api.paths)) for (const [method, op] of Object.entries(methods)) {
    const s = add(root, 'section');
    add(s, 'span', method.toUpperCase(), 'method');
    add(s, 'code', path);
    add(s, 'div', op.summary);
    const ref = op.requestBody && op.requestBody.content['application/json'].schema.$ref;
    if (ref) {
      const d = add(s, 'details');
      add(d, 'summary', 'Request body');
      add(d, 'pre', JSON.stringify(api.components.schemas[ref.split('/').pop()], null, 1));
    }
  }
}).catch(e => { document.getElementById('routes').textContent = 'Could not load /openapi.json: ' + e; });
</script></body></html>
)html";

}  // namespace dynamo::llm::http
