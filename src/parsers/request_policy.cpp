// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/log.h>
#include <dynamo/parsers/registry.h>
#include <dynamo/parsers/request_policy.h>

#include <algorithm>
#include <atomic>
#include <utility>

#include "parsers/families.h"
#include "parsers/json_text.h"
#include "parsers/whitespace.h"

namespace dynamo::parsers {
namespace {

using detail::ReasoningFamily;
using detail::ThinkingSwitch;

constexpr std::string_view kThinkingKeys[] = {"thinking", "enable_thinking", "thinking_mode"};

/// The first boolean of `thinking` and `enable_thinking`.
std::optional<bool> thinking_flag(const Json* arguments) noexcept {
  if (arguments == nullptr) return std::nullopt;
  for (const std::string_view key : {"thinking", "enable_thinking"}) {
    const Json* value = arguments->find(key);
    if (value != nullptr && value->if_bool() != nullptr) return *value->if_bool();
  }
  return std::nullopt;
}

bool thinking_mode_is(const Json* arguments, std::string_view word) noexcept {
  const Json* value = arguments != nullptr ? arguments->find("thinking_mode") : nullptr;
  return value != nullptr && value->if_string() != nullptr && *value->if_string() == word;
}

/// What a client may write for on and off; none for other words.
std::optional<bool> switch_of(const Json& value) noexcept {
  if (value.if_bool() != nullptr) return *value.if_bool();
  if (const auto number = value.as_double()) return *number != 0;
  const std::string* text = value.if_string();
  if (text == nullptr) return std::nullopt;
  for (const std::string_view word : {"enabled", "true", "yes", "on", "1"}) {
    if (detail::equals_ignoring_case(*text, word)) return true;
  }
  for (const std::string_view word : {"disabled", "false", "no", "off", "0"}) {
    if (detail::equals_ignoring_case(*text, word)) return false;
  }
  return std::nullopt;
}

const ToolDefinition* find_tool(std::span<const ToolDefinition> tools,
                                std::string_view name) noexcept {
  const auto found = std::ranges::find(tools, name, &ToolDefinition::name);
  return found != tools.end() ? &*found : nullptr;
}

bool is_forced(ToolChoice choice) noexcept {
  return choice == ToolChoice::required || choice == ToolChoice::named;
}

Result<void> check_choice(std::span<const ToolDefinition> tools, ToolChoice choice,
                          std::string_view named) {
  if (!is_forced(choice)) return {};
  if (tools.empty())
    return fail(Errc::invalid_argument, "tool_choice forces a call, but the request has no tools");
  if (choice == ToolChoice::named && find_tool(tools, named) == nullptr) {
    return fail(Errc::invalid_argument,
                "tool_choice names '" + std::string(named) + "', which is not among the tools");
  }
  return {};
}

Json parameters_of(const ToolDefinition& tool) {
  if (tool.parameters != nullptr && tool.parameters->is_object()) return *tool.parameters;
  return Json::object({{"type", "object"}, {"properties", Json::object()}});
}

}  // namespace

bool reasoning_disabled(std::string_view reasoning_parser, const Json* template_args,
                        std::string_view reasoning_effort) noexcept {
  const ReasoningFamily* family = detail::find_reasoning_family(reasoning_parser);
  if (family == nullptr) return false;
  const auto flag = thinking_flag(template_args);
  switch (family->off) {
    case ThinkingSwitch::never:
      return false;
    case ThinkingSwitch::flag_false:
      return flag == false;
    case ThinkingSwitch::unless_flag_true:
      return flag != true;
    case ThinkingSwitch::flag_false_or_chat:
      return flag == false || (!flag && thinking_mode_is(template_args, "chat"));
    case ThinkingSwitch::unless_effort:
      return reasoning_effort.empty() || reasoning_effort == "none";
    case ThinkingSwitch::mode_disabled:
      return thinking_mode_is(template_args, "disabled") || flag == false;
  }
  return false;
}

void normalize_thinking_arguments(std::string_view reasoning_parser, bool constrained,
                                  Json& template_args) {
  if (template_args.is_null()) template_args = Json::object();
  JsonObject* members = template_args.if_object();
  if (members == nullptr) return;
  const ReasoningFamily* family = detail::find_reasoning_family(reasoning_parser);
  const bool m3 = family != nullptr && family->name == "minimax_m3";
  const bool kimi = family != nullptr && (family->name == "kimi_k25" || family->name == "kimi_k3");
  bool given = false;
  std::optional<bool> on;
  for (const std::string_view key : kThinkingKeys) {
    const Json* value = members->find(key);
    if (value == nullptr || value->is_null()) continue;
    given = true;
    on = switch_of(*value);
    break;
  }
  if (!given && m3 && constrained) on = false;
  if (!given && kimi) on = true;
  if (!on) return;
  // One meaning, in every spelling that templates ask for.
  template_args["thinking"] = Json(*on);
  template_args["enable_thinking"] = Json(*on);
  const Json* mode = template_args.find("thinking_mode");
  if (m3 || (mode != nullptr && switch_of(*mode)))
    template_args["thinking_mode"] = Json(*on ? "enabled" : "disabled");
}

bool prompt_opens_reasoning(std::string_view reasoning_parser,
                            std::string_view rendered_prompt) noexcept {
  const ReasoningFamily* family = detail::find_reasoning_family(reasoning_parser);
  if (family == nullptr) return false;
  const std::string_view prompt = detail::trim_right(rendered_prompt);
  return std::ranges::any_of(family->prompt_openers, [&](std::string_view opener) {
    return prompt.ends_with(detail::trim_right(opener));
  });
}

Result<std::optional<Json>> forced_choice_schema(std::span<const ToolDefinition> tools,
                                                 ToolChoice choice, std::string_view named_tool) {
  if (!is_forced(choice)) return std::nullopt;
  DYN_CHECK(check_choice(tools, choice, named_tool));
  if (choice == ToolChoice::named) return parameters_of(*find_tool(tools, named_tool));
  Json options = Json::array();
  Json definitions = Json::object();
  for (const ToolDefinition& tool : tools) {
    Json parameters = parameters_of(tool);
    if (const Json* own = parameters.find("$defs")) {
      const JsonObject* members = own->if_object();
      if (members == nullptr)
        return fail(Errc::invalid_argument, "$defs of tool '" + tool.name + "' is not an object");
      for (const auto& member : *members) {
        const Json* known = definitions.find(member.key);
        if (known != nullptr && !(*known == member.value)) {
          return fail(Errc::invalid_argument,
                      "tools define '" + member.key + "' in $defs in different ways");
        }
        definitions[member.key] = member.value;
      }
      parameters.if_object()->erase("$defs");
    }
    options.push_back(Json::object(
        {{"properties",
          Json::object({{"name", Json::object({{"type", "string"},
                                               {"enum", Json(Json::Array{Json(tool.name)})}})},
                        {"parameters", std::move(parameters)}})},
         {"required", Json(Json::Array{Json("name"), Json("parameters")})}}));
  }
  Json schema =
      Json::object({{"type", "array"},
                    {"minItems", Json(1)},
                    {"items", Json::object({{"type", "object"}, {"anyOf", std::move(options)}})}});
  if (!definitions.if_object()->empty()) schema["$defs"] = std::move(definitions);
  return schema;
}

Result<OutputPlan> plan_output(const OutputRequest& request) {
  DYN_CHECK(check_choice(request.tools, request.tool_choice, request.named_tool));
  const auto* tool = detail::find_tool_family(request.tool_parser);
  if (tool == nullptr && !request.tool_parser.empty()) {
    return fail(Errc::invalid_argument,
                "unknown tool-call parser '" + std::string(request.tool_parser) + "'");
  }
  const bool forced = is_forced(request.tool_choice);
  const bool has_tools = !request.tools.empty();
  const bool kimi_k3 = tool != nullptr && tool->name == "kimi_k3";
  const auto* reasoning = request.reasoning_parser.empty()
                              ? nullptr
                              : &detail::reasoning_family_or_basic(request.reasoning_parser);
  if (reasoning != nullptr && reasoning->name == "kimi_k3" &&
      request.tool_choice == ToolChoice::named && !kimi_k3) {
    return fail(Errc::invalid_argument,
                "a named tool_choice needs the tool-call parser kimi_k3 for this model");
  }
  const std::string_view own_tools =
      reasoning != nullptr ? detail::own_tool_parser(reasoning->engine) : std::string_view();
  if (tool == nullptr && own_tools.empty() && has_tools &&
      request.tool_choice == ToolChoice::automatic) {
    static std::atomic<bool> warned = false;
    if (!warned.exchange(true)) DYN_LOG_WARN("parsers", "tools_without_tool_call_parser");
  }

  OutputPlan plan;
  plan.drop_calls = !has_tools || request.tool_choice == ToolChoice::none;
  ParserOptions& options = plan.options;
  options.tools = request.tools;
  options.tool_choice = request.tool_choice;
  options.named_tool = std::string(request.named_tool);
  options.parallel_tool_calls = request.parallel_tool_calls;
  // Kimi K3's tool parser owns the response channel, so it always runs.
  if (kimi_k3 || (tool != nullptr && !plan.drop_calls))
    options.tool_parser = std::string(request.tool_parser);
  options.guided_json =
      !request.structural_tag_active &&
      ((forced && has_tools) || request.has_response_format || request.has_guided);

  const bool off =
      reasoning != nullptr && (reasoning_disabled(request.reasoning_parser, request.template_args,
                                                  request.reasoning_effort) ||
                               (kimi_k3 && request.tool_choice == ToolChoice::named));
  // "Adds <think>" makes no sense around JSON.
  const bool skipped =
      reasoning != nullptr && reasoning->name == "minimax_append_think" && options.guided_json;
  if (reasoning != nullptr && !skipped) {
    const bool channels = reasoning->engine != detail::ReasoningEngine::delimited;
    if (!off || channels || kimi_k3 || reasoning->strips_opener_when_off) {
      options.reasoning_parser = std::string(reasoning->name);
    }
    // A call is a message like any other there: without its parser the markup would be shown.
    if (options.tool_parser.empty()) options.tool_parser = std::string(own_tools);
    const bool known = reasoning->spec.first_boundary_decides && !request.rendered_prompt.empty();
    if (!off && prompt_opens_reasoning(request.reasoning_parser, request.rendered_prompt)) {
      options.starting_state = StartingState::reasoning;
    } else if (off || known) {
      options.starting_state = StartingState::response;
    }
  }
  if (const Json* value = request.template_args != nullptr
                              ? request.template_args->find("force_nonempty_content")
                              : nullptr;
      value != nullptr && value->if_bool() != nullptr) {
    options.reasoning_when_content_empty = *value->if_bool();
  }
  const bool guided_calls = forced && has_tools && options.guided_json;
  plan.passthrough =
      options.tool_parser.empty() && options.reasoning_parser.empty() && !guided_calls;
  return plan;
}

std::string_view repaired_finish_reason(std::string_view finish_reason, bool emitted_calls,
                                        bool drop_calls) noexcept {
  if (finish_reason == "stop" && emitted_calls && !drop_calls) return "tool_calls";
  if (finish_reason == "tool_calls" && drop_calls) return "stop";
  return finish_reason;
}

}  // namespace dynamo::parsers
