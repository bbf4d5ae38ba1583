// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "parsers/families.h"

namespace dynamo::parsers {

/// A text that was made to cost a parser as much as it can: something that opens what never ends,
/// and a unit repeated up to the wanted size. For tests and benchmarks.
struct HostileText {
  std::string head;
  std::string unit;

  std::string of_size(std::size_t bytes) const {
    std::string text = head;
    text.reserve(bytes + unit.size());
    while (text.size() < bytes) text += unit;
    return text;
  }
  std::string name() const { return (head + "|" + unit).substr(0, 60); }
};

namespace detail {

/// How a family opens a call, the value of an argument, and something in between.
inline std::vector<std::string> hostile_heads(const ToolFamily& family) {
  switch (family.engine) {
    case ToolEngine::json: {
      const std::string open(family.json.openers[0]);
      return {open,
              open + R"({"name": "f", "arguments": {"a": ")",
              open + R"({"name": "f", "arguments": )",
              open + R"({"parameters": {"a": ")",
              open + R"([{"name": "f", "arguments": {}}, )",
              open + R"({"name": "f", "arguments": {}})",
              R"({"id": ")"};
    }
    case ToolEngine::deepseek_fenced:
    case ToolEngine::deepseek_bare: {
      const std::string call = "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>";
      const std::string value = family.engine == ToolEngine::deepseek_fenced
                                    ? "function<｜tool▁sep｜>f\n```json\n{\"a\": \""
                                    : "f<｜tool▁sep｜>{\"a\": \"";
      return {call, call + "f<｜tool▁sep｜>", call + value};
    }
    case ToolEngine::invoke: {
      const InvokeFamily& tags = family.invoke;
      const std::string open = std::string(tags.block_open) + std::string(tags.invoke_open);
      const std::string body = open + (tags.invoke_open.ends_with("name=") ? "\"f\">" : "f>");
      const std::string value =
          body + std::string(tags.parameter_open) +
          (tags.parameter_open.ends_with("name=") ? "\"a\" string=\"true\">" : "a>");
      return {std::string(tags.block_open), open, body, body + std::string(tags.parameter_open),
              value};
    }
    case ToolEngine::glm:
      return {"<tool_call>", "<tool_call>f<arg_key>", "<tool_call>f<arg_key>a</arg_key>",
              "<tool_call>f<arg_key>a</arg_key><arg_value>"};
    case ToolEngine::kimi_k2:
      return {"<|tool_calls_section_begin|>", "<|tool_call_begin|>",
              "<|tool_call_begin|>f:0<|tool_call_argument_begin|>"};
    case ToolEngine::kimi_k3: {
      const std::string call = "<|open|>tools<|sep|><|open|>call tool=\"f\" index=\"1\"<|sep|>";
      return {"<|open|>",
              "<|open|>call ",
              call,
              call + "<|open|>argument key=\"a\" ",
              call + "<|open|>argument key=\"a\" type=\"string\"<|sep|>",
              call + "<|open|>argument key=\"a\" type=\"object\"<|sep|>"};
    }
    case ToolEngine::gemma4:
      return {"<|tool_call>", "<|tool_call>call:f{", "<|tool_call>call:f{a:<|\"|>",
              "call:f{a:<|\"|>"};
    case ToolEngine::pythonic:
      return {"[f(", "[f(a=", "[f(a='", "[f(a='''", "[f(a=[", "[f(a={'b': "};
    case ToolEngine::minimax_m3: {
      const std::string n = "]<]minimax[>[";
      const std::string call = n + "<tool_call>" + n + "<invoke name=\"f\">";
      return {n, n + "<invoke name=", call, call + n + "<a>", call + n + "<a>" + n + "<b>"};
    }
    case ToolEngine::inkling:
      return {"<|message_model|>", "<|content_invoke_tool_json|>",
              R"(<|content_invoke_tool_json|>{"name": "f", "args": {"a": ")"};
    case ToolEngine::harmony:
      return {"<|start|>",
              "<|channel|>analysis<|message|>",
              "<|channel|>commentary<|message|>",
              "<|channel|>commentary<|message|>{",
              "<|channel|>final<|message|>",
              "<|channel|>commentary to=functions.f<|message|>{\"a\": \""};
    case ToolEngine::muse: {
      const std::string call = " to=functions<|message|><atem:invoke name=\"f\">";
      return {" to=self<|message|>", call, call + "<atem:parameter name=\"a\">"};
    }
  }
  return {};
}

}  // namespace detail

/// For one tool parser: each of its openings, into prose, a call, a key or a value, followed by
/// each unit, and each of its markers and their beginnings on their own.
inline std::vector<HostileText> hostile_texts(const detail::ToolFamily& family) {
  constexpr std::size_t kManySpaces = 4000;  // just below the limits of white space
  std::vector<std::string> units{
      " ",     "a",       "a ",      "<",       "{",          "[",        "]",
      "\"",    "\\\"",    "'",       "'''",     ",",          "1",        "&",
      "&amp;", "\n",      "　",      "<|",      "[f(",        "[f(a='",   "call:f{",
      "\t{",   "{\"a\":", "[[1],",   "</th",    "{\"id\":\"", "\"a\":1,", "{\"name\": \"f\"",
      ";",     " ; ",     "<think>", "</think>"};
  std::vector<std::string> heads = detail::hostile_heads(family);
  const auto add_marker = [&](std::string_view marker) {
    units.emplace_back(marker);
    if (marker.size() > 1) units.emplace_back(marker.substr(0, marker.size() - 1));
    units.push_back(std::string(marker) + std::string(kManySpaces, ' '));
  };
  if (const auto grammar = make_grammar(family, {})) {
    for (const detail::Marker& marker : grammar->text_markers()) add_marker(marker.text);
  } else {
    for (const char* marker : {"<|start|>", "<|message|>", "<|channel|>", "<|end|>"}) {
      add_marker(marker);
    }
  }
  for (const std::string& head : heads) units.push_back(head);
  heads.emplace_back();
  std::vector<HostileText> texts;
  for (const std::string& head : heads) {
    for (const std::string& unit : units) texts.push_back({head, unit});
  }
  return texts;
}

}  // namespace dynamo::parsers
