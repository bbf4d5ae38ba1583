// SPDX-License-Identifier: Apache-2.0
// The registry of tool-call parsers: one row per family.
#include <dynamo/parsers/registry.h>

#include <algorithm>
#include <string>

#include "parsers/deepseek_grammar.h"
#include "parsers/families.h"
#include "parsers/gemma4_grammar.h"
#include "parsers/glm_grammar.h"
#include "parsers/inkling_grammar.h"
#include "parsers/kimi_k2_grammar.h"
#include "parsers/kimi_k3_grammar.h"
#include "parsers/minimax_m3_grammar.h"
#include "parsers/pythonic_grammar.h"

namespace dynamo::parsers::detail {
namespace {

ToolFamily json_family(std::string_view name, JsonFamily json) {
  ToolFamily family{.name = name, .aliases = {}, .json = std::move(json)};
  family.end_markers = family.json.closers;
  return family;
}

InvokeFamily dsml(std::string_view open, std::string_view close) {
  return {.block_open = open,
          .block_close = close,
          .invoke_open = "<｜DSML｜invoke name=",
          .invoke_close = "</｜DSML｜invoke>",
          .parameter_open = "<｜DSML｜parameter name=",
          .parameter_close = "</｜DSML｜parameter>",
          .typed_by_schema = false,
          .close_optional = false,
          .special_tokens = true};
}

std::vector<ToolFamily> make_families() {
  std::vector<ToolFamily> rows;
  rows.push_back(json_family(
      "hermes", {.openers = {"<tool_call>"}, .closers = {"</tool_call>"}, .name_only = true}));
  rows.push_back(json_family("qwen25", {.openers = {"<tool_call>"},
                                        .closers = {"</tool_call>"},
                                        .name_only = true,
                                        .repair = false}));
  rows.push_back(
      json_family("nemotron_deci", {.openers = {"<TOOLCALL>"}, .closers = {"</TOOLCALL>"}}));
  rows.push_back(
      json_family("llama3_json", {.openers = {"<|python_tag|>"}, .closers = {}, .repair = false}));
  rows.push_back(json_family(
      "mistral", {.openers = {"[TOOL_CALLS]"}, .closers = {"[/TOOL_CALLS]"}, .repair = false}));
  rows.push_back(json_family(
      "phi4", {.openers = {"functools"}, .closers = {}, .opener_is_word = true, .repair = false}));
  rows.push_back(json_family("jamba", {.openers = {"<tool_calls>"}, .closers = {"</tool_calls>"}}));
  rows.push_back(json_family(
      "default", {.openers = {"<TOOLCALL>", "<|python_tag|>"}, .closers = {"</TOOLCALL>"}}));

  const std::vector<std::string_view> deepseek_ends{"<｜tool▁calls▁end｜>"};
  rows.push_back({.name = "deepseek_v3",
                  .aliases = {},
                  .engine = ToolEngine::deepseek_fenced,
                  .batch = BatchStyle::deepseek,
                  .end_markers = deepseek_ends});
  rows.push_back({.name = "deepseek_v3_1",
                  .aliases = {},
                  .engine = ToolEngine::deepseek_bare,
                  .batch = BatchStyle::deepseek,
                  .end_markers = deepseek_ends});
  rows.push_back({.name = "deepseek_v3_2",
                  .aliases = {},
                  .engine = ToolEngine::invoke,
                  .batch = BatchStyle::dsml,
                  .ids = IdStyle::call_hex,
                  .invoke = dsml("<｜DSML｜function_calls>", "</｜DSML｜function_calls>"),
                  .end_markers = {"</｜DSML｜function_calls>"}});
  rows.push_back({.name = "deepseek_v4",
                  .aliases = {"deepseek-v4", "deepseekv4"},
                  .engine = ToolEngine::invoke,
                  .batch = BatchStyle::dsml,
                  .ids = IdStyle::call_hex,
                  .invoke = dsml("<｜DSML｜tool_calls>", "</｜DSML｜tool_calls>"),
                  .end_markers = {"</｜DSML｜tool_calls>"}});
  rows.push_back({.name = "qwen3_coder",
                  .aliases = {"nemotron_nano"},
                  .engine = ToolEngine::invoke,
                  .batch = BatchStyle::qwen_xml,
                  .invoke = {.block_open = "<tool_call>",
                             .block_close = "</tool_call>",
                             .invoke_open = "<function=",
                             .invoke_close = "</function>",
                             .parameter_open = "<parameter=",
                             .parameter_close = "</parameter>",
                             .close_optional = true},
                  .end_markers = {"</tool_call>"}});
  rows.push_back({.name = "minimax_m2",
                  .aliases = {},
                  .engine = ToolEngine::invoke,
                  .batch = BatchStyle::minimax_xml,
                  .invoke = {.block_open = "<minimax:tool_call>",
                             .block_close = "</minimax:tool_call>",
                             .invoke_open = "<invoke name=",
                             .invoke_close = "</invoke>",
                             .parameter_open = "<parameter name=",
                             .parameter_close = "</parameter>"},
                  .end_markers = {"</minimax:tool_call>"}});
  rows.push_back({.name = "minimax_m3",
                  .aliases = {"minimax-m3", "minimax_m3_nom", "minimax-m3-nom"},
                  .engine = ToolEngine::minimax_m3,
                  .batch = BatchStyle::minimax_m3,
                  .end_markers = {"]<]minimax[>[</tool_call>"},
                  .needs_special_tokens = true});
  rows.push_back({.name = "glm47",
                  .aliases = {},
                  .engine = ToolEngine::glm,
                  .batch = BatchStyle::glm,
                  .ids = IdStyle::uuid,
                  .end_markers = {"</tool_call>"}});
  rows.push_back({.name = "kimi_k2",
                  .aliases = {},
                  .engine = ToolEngine::kimi_k2,
                  .batch = BatchStyle::kimi_k2,
                  .end_markers = {"<|tool_calls_section_end|>", "<|tool_call_section_end|>"},
                  .needs_special_tokens = true});
  rows.push_back({.name = "kimi_k3",
                  .aliases = {"kimi-k3"},
                  .engine = ToolEngine::kimi_k3,
                  .batch = BatchStyle::kimi_k3,
                  .end_markers = {"<|close|>", "<|sep|>", "<|end_of_msg|>"},
                  .needs_special_tokens = true});
  rows.push_back({.name = "gemma4",
                  .aliases = {"gemma-4"},
                  .engine = ToolEngine::gemma4,
                  .batch = BatchStyle::gemma4,
                  .end_markers = {"<tool_call|>"},
                  .needs_special_tokens = true});
  rows.push_back({.name = "inkling",
                  .aliases = {},
                  .engine = ToolEngine::inkling,
                  .batch = BatchStyle::inkling,
                  .end_markers = {"<|end_message|>"},
                  .needs_special_tokens = true});
  rows.push_back({.name = "harmony",
                  .aliases = {},
                  .engine = ToolEngine::harmony,
                  .batch = BatchStyle::harmony,
                  .end_markers = {"<|call|>"},
                  .needs_special_tokens = true});
  rows.push_back({.name = "pythonic",
                  .aliases = {},
                  .engine = ToolEngine::pythonic,
                  .batch = BatchStyle::pythonic,
                  .ids = IdStyle::positional});
  rows.push_back({.name = "muse_glimmer",
                  .aliases = {"muse"},
                  .engine = ToolEngine::muse,
                  .batch = BatchStyle::gemma4,
                  .end_markers = {"<|eom|>", "<|eot|>"},
                  .needs_special_tokens = true});
  return rows;
}

}  // namespace

std::span<const ToolFamily> tool_families() noexcept {
  static const std::vector<ToolFamily> families = make_families();
  return families;
}

const ToolFamily* find_tool_family(std::string_view name) noexcept {
  for (const ToolFamily& family : tool_families()) {
    if (family.name == name || std::ranges::find(family.aliases, name) != family.aliases.end())
      return &family;
  }
  return nullptr;
}

std::unique_ptr<Grammar> make_grammar(const ToolFamily& family, const GrammarContext& context) {
  switch (family.engine) {
    case ToolEngine::json:
      return make_json_grammar(family.json, context);
    case ToolEngine::deepseek_fenced:
    case ToolEngine::deepseek_bare:
      return make_deepseek_grammar(family.engine == ToolEngine::deepseek_fenced, context);
    case ToolEngine::invoke:
      return make_invoke_grammar(family.invoke, context);
    case ToolEngine::glm:
      return make_glm_grammar(context);
    case ToolEngine::kimi_k2:
      return make_kimi_k2_grammar(context);
    case ToolEngine::kimi_k3:
      return make_kimi_k3_grammar(context);
    case ToolEngine::gemma4:
      return make_gemma4_grammar(context);
    case ToolEngine::pythonic:
      return make_pythonic_grammar(context);
    case ToolEngine::minimax_m3:
      return make_minimax_m3_grammar(context);
    case ToolEngine::inkling:
      return make_inkling_grammar(context, false);
    case ToolEngine::harmony:
    case ToolEngine::muse:
      break;
  }
  return nullptr;
}

}  // namespace dynamo::parsers::detail

namespace dynamo::parsers {

std::span<const std::string_view> tool_parser_names() noexcept {
  static const std::vector<std::string_view> names = [] {
    std::vector<std::string_view> all;
    for (const auto& family : detail::tool_families()) {
      all.push_back(family.name);
      all.insert(all.end(), family.aliases.begin(), family.aliases.end());
    }
    std::ranges::sort(all);
    return all;
  }();
  return names;
}

bool is_tool_parser(std::string_view name) noexcept {
  return detail::find_tool_family(name) != nullptr;
}

std::span<const std::string_view> tool_end_markers(std::string_view tool_parser) noexcept {
  const auto* family = detail::find_tool_family(tool_parser);
  if (family == nullptr) return {};
  return family->end_markers;
}

bool wants_argument_objects(std::string_view tool_parser) noexcept {
  return tool_parser == "glm47";
}

bool needs_special_tokens(std::string_view tool_parser,
                          std::string_view reasoning_parser) noexcept {
  const auto* tool = detail::find_tool_family(tool_parser);
  const auto* reasoning = detail::find_reasoning_family(reasoning_parser);
  return (tool != nullptr && tool->needs_special_tokens) ||
         (reasoning != nullptr && reasoning->needs_special_tokens);
}

}  // namespace dynamo::parsers
