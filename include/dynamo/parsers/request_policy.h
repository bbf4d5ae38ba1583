// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>
#include <dynamo/base/json.h>
#include <dynamo/parsers/output_parser.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace dynamo::parsers {

/// Which structural tags are sent to engines.
enum class StructuralTagScope : std::uint8_t {
  off,
  automatic,  ///< with choice auto only if a tool is strict or parallel calls are off
  always,
};

/// Facts of one request that decide which parsers run.
struct OutputRequest {
  std::string_view tool_parser;       ///< of the model; may be empty
  std::string_view reasoning_parser;  ///< of the model; may be empty
  std::span<const ToolDefinition> tools;
  ToolChoice tool_choice = ToolChoice::automatic;
  std::string_view named_tool;
  bool parallel_tool_calls = true;
  /// `chat_template_args` after `normalize_thinking_arguments`; null when the client sent none.
  const Json* template_args = nullptr;
  std::string_view reasoning_effort;  ///< empty when not given
  bool has_response_format = false;   ///< json_object or json_schema
  bool has_guided = false;            ///< an explicit guided_* field
  bool structural_tag_active = false;
  std::string_view rendered_prompt;  ///< decides whether the thought is already open
};

/// What the response stage has to do for one request.
struct OutputPlan {
  /// Options for OutputParser::create, one parser per choice; `tools` still points to the
  /// request's.
  ParserOptions options;
  /// Neither calls nor reasoning: text passes through and no parser is needed.
  bool passthrough = false;
  /// Calls must not reach the client (no tools, or choice none), whatever the parser finds; a
  /// finish reason `tool_calls` becomes `stop`.
  bool drop_calls = false;
};

/// Spec 10.1, 10.2, 10.4, 10.5. Where thoughts and calls are messages of one syntax (gpt_oss,
/// inkling, muse), the calls' parser runs with the thoughts' even if the model names none, so that
/// no markup is shown; the calls reach the client only if the request has tools. Errors:
/// Errc::invalid_argument as OutputParser::create; a forced choice without tools, or naming none of
/// them; a named choice of kimi_k3 without its parser.
Result<OutputPlan> plan_output(const OutputRequest& request);

/// Whether the request switches thinking off for this reasoning parser (spec 10.2).
bool reasoning_disabled(std::string_view reasoning_parser, const Json* template_args,
                        std::string_view reasoning_effort) noexcept;

/// Brings `thinking`, `enable_thinking` and `thinking_mode` of the template arguments into one
/// form (spec 10.3): the first that is given decides; `enabled`/`disabled`, boolean spellings and
/// numbers become booleans, other words stay. `constrained` says that the output is guided, which
/// turns MiniMax M3's thinking off unless the client asked for it.
void normalize_thinking_arguments(std::string_view reasoning_parser, bool constrained,
                                  Json& template_args);

/// Whether the rendered prompt ends with the opener of this parser's thought.
bool prompt_opens_reasoning(std::string_view reasoning_parser,
                            std::string_view rendered_prompt) noexcept;

/// The JSON schema that the engine has to follow for a forced choice (spec 7): the tool's
/// parameters when named, an array of {name, parameters} when required. None for auto and none.
/// Errors: Errc::invalid_argument for missing or unknown tools and for `$defs` that contradict.
Result<std::optional<Json>> forced_choice_schema(std::span<const ToolDefinition> tools,
                                                 ToolChoice choice, std::string_view named_tool);

/// The finish reason to show (spec 6.7): `stop` becomes `tool_calls` after a call.
std::string_view repaired_finish_reason(std::string_view finish_reason, bool emitted_calls,
                                        bool drop_calls) noexcept;

}  // namespace dynamo::parsers
