// SPDX-License-Identifier: Apache-2.0
#include "llm/preproc/tool_definitions.h"

namespace dynamo::llm::detail {

ToolDefinitions::ToolDefinitions(const std::optional<Json>& tools) {
  if (!tools) return;
  tools_ = *tools;
  const Json::Array& list = *tools_.if_array();
  definitions_.reserve(list.size());
  for (const Json& tool : list) {
    const Json& function = *tool.find("function");
    parsers::ToolDefinition& definition = definitions_.emplace_back();
    definition.name = *function.find("name")->if_string();
    const Json* parameters = function.find("parameters");
    if (parameters != nullptr && parameters->is_object()) definition.parameters = parameters;
    const Json* strict = function.find("strict");
    if (strict != nullptr && strict->is_bool()) definition.strict = *strict->if_bool();
  }
}

parsers::ToolChoice parser_tool_choice(const std::optional<openai::ToolChoice>& choice) noexcept {
  if (!choice) return parsers::ToolChoice::automatic;
  switch (choice->kind) {
    case openai::ToolChoice::Kind::none:
      return parsers::ToolChoice::none;
    case openai::ToolChoice::Kind::required:
      return parsers::ToolChoice::required;
    case openai::ToolChoice::Kind::named:
      return parsers::ToolChoice::named;
    case openai::ToolChoice::Kind::automatic:
      break;
  }
  return parsers::ToolChoice::automatic;
}

}  // namespace dynamo::llm::detail
