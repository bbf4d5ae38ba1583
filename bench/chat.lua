-- SPDX-License-Identifier: Apache-2.0
-- wrk script: chat requests of ISL words (32 different prefixes) that ask for OSL tokens. With EARLIER=1 the words are
-- those of an earlier message, and the last one is short and different in every request.
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
local words = {"alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india", "juliet", "kilo", "lima"}
local stream = os.getenv("STREAM") or "true"
local tokens = tonumber(os.getenv("OSL") or "64")
local length = tonumber(os.getenv("ISL") or "200")
local earlier = os.getenv("EARLIER") == "1"
local count, id = 0, 0
function setup(thread) thread:set("tid", id); id = id + 1 end
function init(_) math.randomseed(tid * 7919 + 13) end
function request()
  local text = {}
  math.randomseed(math.random(1, 32))
  for _ = 1, length do text[#text + 1] = words[math.random(#words)] end
  count = count + 1
  math.randomseed(tid * 7919 + count)
  local first = '{"role":"user","content":"'
  if earlier then
    first = '{"role":"system","content":"' .. table.concat(text, " ") .. '"},' .. first
    text = {}
  end
  text[#text + 1] = tostring(tid) .. "-" .. tostring(count)
  return wrk.format(nil, nil, nil, '{"model":"qwen3","stream":' .. stream .. ',"max_tokens":' .. tokens ..
    ',"ignore_eos":true,"messages":[' .. first .. table.concat(text, " ") .. '"}]}')
end
