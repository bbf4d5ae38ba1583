// SPDX-License-Identifier: Apache-2.0
#include <dynamo/parsers/structural_tag.h>

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

#include "parsers/families.h"
#include "parsers/structural_tag_nodes.h"

namespace dynamo::parsers {
namespace {

using detail::any_text;
using detail::const_string;
using detail::json_schema;
using detail::sequence;
using detail::tag;
using detail::tags_with_separator;

/// Families that write every call on its own, behind a trigger.
struct CallForm {
  std::string_view family;
  std::string_view before_name;
  std::string_view behind_name;
  std::string_view end;
  std::string_view trigger;
  std::string_view style;
  std::string_view banned;  ///< token that is excluded for choice none
};

constexpr std::array<CallForm, 4> kCallForms{
    {{"hermes", "<tool_call>\n{\"name\": \"", "\", \"arguments\": ", "}\n</tool_call>",
      "<tool_call>", "json", "<tool_call>"},
     {"qwen25", "<tool_call>\n{\"name\": \"", "\", \"arguments\": ", "}\n</tool_call>",
      "<tool_call>", "json", "<tool_call>"},
     {"qwen3_coder", "<tool_call>\n<function=", ">\n", "\n</function>\n</tool_call>",
      "<tool_call>\n<function=", "qwen_xml", "<tool_call>"},
     {"inkling", "<|content_invoke_tool_json|>{\"name\": \"", "\", \"args\": ", "}<|end_message|>",
      "<|content_invoke_tool_json|>", "json", "<|content_invoke_tool_json|>"}}};

const CallForm* call_form(std::string_view family) {
  for (const CallForm& form : kCallForms) {
    if (form.family == family) return &form;
  }
  return nullptr;
}

struct Choice {
  std::vector<const ToolDefinition*> tools;
  bool forced = false;
  bool single = false;  ///< parallel_tool_calls is false
};

/// Whether the declared parameters are enforced. Kimi's models are trained on them, so only an
/// explicit `strict: false` frees a tool there.
bool enforced(const ToolDefinition& tool, StructuralSchemaMode mode, bool kimi) {
  if (tool.parameters == nullptr) return false;
  if (mode == StructuralSchemaMode::strict) return true;
  return kimi ? tool.strict.value_or(true) : tool.strict.value_or(false);
}

Json schema_of(const ToolDefinition& tool, StructuralSchemaMode mode, bool kimi) {
  return enforced(tool, mode, kimi) ? *tool.parameters : Json(true);
}

Json triggered(std::string_view trigger, Json::Array tags, const Choice& choice) {
  return Json::object({{"type", "triggered_tags"},
                       {"triggers", Json(Json::Array{Json(trigger)})},
                       {"tags", Json(std::move(tags))},
                       {"at_least_one", Json(choice.forced)},
                       {"stop_after_first", Json(choice.single)}});
}

Json calls_format(const CallForm& form, const Choice& choice, StructuralSchemaMode mode) {
  Json::Array tags;
  for (const ToolDefinition* tool : choice.tools) {
    tags.push_back(tag(std::string(form.before_name) + tool->name + std::string(form.behind_name),
                       json_schema(schema_of(*tool, mode, false), form.style), form.end));
  }
  return triggered(form.trigger, std::move(tags), choice);
}

Json dsml_format(const detail::InvokeFamily& family, const Choice& choice,
                 StructuralSchemaMode mode) {
  Json::Array calls;
  for (const ToolDefinition* tool : choice.tools) {
    calls.push_back(tag(std::string(family.invoke_open) + "\"" + tool->name + "\">\n",
                        json_schema(schema_of(*tool, mode, false), "deepseek_xml"),
                        std::string(family.invoke_close) + "\n"));
  }
  Json block = tag(std::string(family.block_open) + "\n",
                   tags_with_separator(std::move(calls), choice.single), family.block_close);
  return triggered(family.block_open, {std::move(block)}, choice);
}

Json kimi_k2_format(const Choice& choice, StructuralSchemaMode mode, bool named) {
  constexpr std::string_view kOpen = "<|tool_calls_section_begin|>";
  constexpr std::string_view kClose = "<|tool_calls_section_end|>";
  Json::Array calls;
  for (const ToolDefinition* tool : choice.tools) {
    calls.push_back(
        tag("<|tool_call_begin|>functions." + tool->name + ":",
            sequence({detail::regex("\\d+"), const_string("<|tool_call_argument_begin|>"),
                      json_schema(schema_of(*tool, mode, true), "json")}),
            "<|tool_call_end|>"));
  }
  if (choice.forced) {
    Json call = named ? std::move(calls[0]) : tags_with_separator(std::move(calls), choice.single);
    return sequence({const_string(kOpen), std::move(call), const_string(kClose)});
  }
  Json section = tag(kOpen, tags_with_separator(std::move(calls), choice.single), kClose);
  return triggered(kOpen, {std::move(section)}, choice);
}

Json wrapped(Json format) {
  return Json::object({{"type", "structural_tag"}, {"format", std::move(format)}});
}

std::string_view end_of_reasoning(std::string_view family) {
  if (family == "inkling") return "<|end_message|>";
  if (family == "kimi_k3") return "<|close|>think<|sep|>";
  return "</think>";
}

std::optional<Json> ban(const detail::ToolFamily& family) {
  std::string_view token;
  if (const CallForm* form = call_form(family.name)) token = form->banned;
  if (family.batch == detail::BatchStyle::dsml) token = "｜DSML｜";
  if (token.empty()) return std::nullopt;
  Json content =
      Json::object({{"type", "any_tokens"}, {"exclude_tokens", Json(Json::Array{Json(token)})}});
  return wrapped(tag("", std::move(content), ""));
}

Result<Choice> chosen(const StructuralTagRequest& request) {
  Choice choice;
  choice.forced = request.tool_choice != ToolChoice::automatic;
  choice.single = !request.parallel_tool_calls.value_or(true);
  for (const ToolDefinition& tool : request.tools) {
    if (request.tool_choice != ToolChoice::named || tool.name == request.named_tool)
      choice.tools.push_back(&tool);
    if (request.tool_choice == ToolChoice::named && !choice.tools.empty()) break;
  }
  if (choice.tools.empty() && request.tool_choice == ToolChoice::named) {
    return fail(Errc::invalid_argument, "tool_choice names '" + std::string(request.named_tool) +
                                            "', which is not among the tools");
  }
  if (choice.tools.empty() && choice.forced) {
    return fail(Errc::invalid_argument, "tool_choice is 'required', but there are no tools");
  }
  return choice;
}

}  // namespace

bool has_structural_tags(std::string_view tool_parser) noexcept {
  const auto* family = detail::find_tool_family(tool_parser);
  return family != nullptr &&
         (call_form(family->name) != nullptr || family->batch == detail::BatchStyle::dsml ||
          family->name == "kimi_k2" || family->name == "kimi_k3");
}

Result<std::optional<Json>> structural_tag(const StructuralTagRequest& request) {
  const auto* family = detail::find_tool_family(request.tool_parser);
  if (family == nullptr || !has_structural_tags(request.tool_parser)) return std::nullopt;
  if (request.tool_choice == ToolChoice::none) return ban(*family);
  DYN_TRY(const Choice choice, chosen(request));
  if (choice.tools.empty()) return std::nullopt;
  const bool named = request.tool_choice == ToolChoice::named;
  Json format;
  if (const CallForm* form = call_form(family->name)) {
    format = calls_format(*form, choice, request.schema_mode);
  } else if (family->batch == detail::BatchStyle::dsml) {
    format = dsml_format(family->invoke, choice, request.schema_mode);
  } else if (family->name == "kimi_k2") {
    format = kimi_k2_format(choice, request.schema_mode, named);
  } else {
    // A required choice is enforced by the prompt alone.
    if (request.tool_choice == ToolChoice::required) return std::nullopt;
    std::vector<detail::KimiK3Tool> tools;
    for (const ToolDefinition* tool : choice.tools) {
      tools.push_back(
          {tool->name, enforced(*tool, request.schema_mode, true) ? tool->parameters : nullptr});
    }
    format = detail::kimi_k3_format(tools, named, choice.single);
  }
  if (choice.forced && request.starts_in_reasoning) {
    format = sequence({tag("", any_text({}), end_of_reasoning(family->name)), std::move(format)});
  }
  return wrapped(std::move(format));
}

}  // namespace dynamo::parsers
