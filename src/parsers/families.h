// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "parsers/emitter.h"
#include "parsers/grammar.h"
#include "parsers/invoke_grammar.h"
#include "parsers/json_grammar.h"
#include "parsers/reasoning_spec.h"

namespace dynamo::parsers::detail {

enum class ToolEngine : std::uint8_t {
  json,
  deepseek_fenced,
  deepseek_bare,
  invoke,
  glm,
  kimi_k2,
  kimi_k3,
  gemma4,
  pythonic,
  minimax_m3,
  inkling,
  harmony,
  muse,
};

/// By which conventions the batch functions fold a family's events; see batch.cpp.
enum class BatchStyle : std::uint8_t {
  json,
  deepseek,
  qwen_xml,
  minimax_xml,
  dsml,
  minimax_m3,
  glm,
  kimi_k2,
  kimi_k3,
  gemma4,
  pythonic,
  inkling,
  harmony,
};

/// Everything about one tool-call parser that is not grammar: a row of the registry.
struct ToolFamily {
  std::string_view name;
  std::vector<std::string_view> aliases;
  ToolEngine engine = ToolEngine::json;
  BatchStyle batch = BatchStyle::json;
  IdStyle ids = IdStyle::call_uuid;
  JsonFamily json{};
  InvokeFamily invoke{};
  std::vector<std::string_view> end_markers{};
  bool needs_special_tokens = false;
};

enum class ReasoningEngine : std::uint8_t { delimited, inkling, gpt_oss, muse };

/// When a request switches a parser's thinking off; see request_policy.cpp.
enum class ThinkingSwitch : std::uint8_t {
  never,
  flag_false,          ///< `thinking` or `enable_thinking` is false
  unless_flag_true,    ///< unless it is true
  flag_false_or_chat,  ///< as flag_false, or thinking_mode is "chat"
  unless_effort,       ///< unless reasoning_effort is given and not "none"
  mode_disabled,       ///< thinking_mode is "disabled"
};

struct ReasoningFamily {
  std::string_view name;
  std::vector<std::string_view> aliases;
  ReasoningEngine engine = ReasoningEngine::delimited;
  ReasoningSpec spec{};
  ThinkingSwitch off = ThinkingSwitch::never;
  bool needs_special_tokens = false;
  /// Openers that a prompt may end with.
  std::vector<std::string_view> prompt_openers{};
  /// With thinking off, a leading opener is still removed.
  bool strips_opener_when_off = false;
};

/// Null when unknown. Exact.
const ToolFamily* find_tool_family(std::string_view name) noexcept;
/// Null when unknown. Any case.
const ReasoningFamily* find_reasoning_family(std::string_view name) noexcept;
/// As find, with the reference's fallback to "basic" (one warning per process).
const ReasoningFamily& reasoning_family_or_basic(std::string_view name);

/// The tool parser of a syntax that is thoughts and calls in one; empty for all others.
std::string_view own_tool_parser(ReasoningEngine engine) noexcept;

std::span<const ToolFamily> tool_families() noexcept;
std::span<const ReasoningFamily> reasoning_families() noexcept;

/// Null for harmony and muse, which are parsers of their own.
std::unique_ptr<Grammar> make_grammar(const ToolFamily& family, const GrammarContext& context);

}  // namespace dynamo::parsers::detail
