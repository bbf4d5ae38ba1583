// SPDX-License-Identifier: Apache-2.0
#include "llm/preproc/thinking.h"

#include <dynamo/parsers/request_policy.h>

namespace dynamo::llm::detail {
namespace {

std::string mode_of(bool on) {
  return on ? "enabled" : "disabled";
}

std::optional<std::string> requested_mode(const openai::ChatRequest& request, const Json& args) {
  if (request.thinking) {
    if (const bool* on = request.thinking->if_bool()) return mode_of(*on);
    const Json* type = request.thinking->find("type");
    if (type != nullptr && type->is_string()) return *type->if_string();
  }
  for (const std::string_view name : {"thinking", "enable_thinking"}) {
    const Json* value = args.find(name);
    if (value != nullptr && value->if_bool() != nullptr) return mode_of(*value->if_bool());
  }
  const Json* mode = args.find("thinking_mode");
  if (mode != nullptr && mode->is_string()) return *mode->if_string();
  if (request.reasoning_effort == "none") return mode_of(false);
  return std::nullopt;
}

bool is_constrained(const openai::ChatRequest& request) {
  return request.guided_json || request.guided_regex || request.guided_choice ||
         request.guided_grammar ||
         (request.response_format &&
          request.response_format->kind != openai::ResponseFormat::Kind::text);
}

}  // namespace

std::optional<Json> template_arguments(const openai::ChatRequest& request,
                                       const ModelRuntimeConfig& config) {
  Json args = request.chat_template_args ? *request.chat_template_args : Json::object();
  auto mode = requested_mode(request, args);
  if (!mode && !request.reasoning_effort) mode = config.default_thinking_mode;
  if (mode) {
    const bool on = *mode != "disabled";
    args["thinking"] = Json(on);
    args["enable_thinking"] = Json(on);
    args["thinking_mode"] = Json(*mode);
  }
  if (request.reasoning_effort && args.find("reasoning_effort") == nullptr) {
    args["reasoning_effort"] = Json(*request.reasoning_effort);
  }
  if (config.reasoning_parser) {
    parsers::normalize_thinking_arguments(*config.reasoning_parser, is_constrained(request), args);
  }
  if (args.if_object()->empty()) return std::nullopt;
  return args;
}

}  // namespace dynamo::llm::detail
