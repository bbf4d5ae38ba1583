// SPDX-License-Identifier: Apache-2.0
#include <dynamo/openai/chat.h>

#include <algorithm>

#include "openai/validation.h"

namespace dynamo::openai {
namespace detail {
namespace {

constexpr std::size_t kToolsMax = 1536;
constexpr std::size_t kFunctionNameMax = 128;
constexpr std::uint32_t kTopLogprobsMax = 20;

std::unexpected<Error> deprecated(std::string_view param, std::string_view replacement) {
  return fail(Error(Errc::unimplemented, std::string("`")
                                             .append(param)
                                             .append("` is deprecated. Use `")
                                             .append(replacement)
                                             .append("` instead."))
                  .with_param(std::string(param))
                  .with_reason("unsupported_parameter"));
}

Result<void> check_template_args(const ChatRequest& request) {
  if (request.chat_template_args && request.chat_template_args->find("chat_template") != nullptr) {
    return invalid("chat_template_args.chat_template",
                   "`chat_template` is not supported inside `chat_template_args`");
  }
  if (!request.thinking || request.thinking->is_bool()) return {};
  const Json* type = request.thinking->find("type");
  const std::string* mode = type != nullptr ? type->if_string() : nullptr;
  if (mode != nullptr && (*mode == "enabled" || *mode == "disabled" || *mode == "adaptive"))
    return {};
  return invalid(
      "thinking",
      "`thinking` must be a boolean or an object with `type` set to `enabled`, `disabled`, or "
      "`adaptive`");
}

// The arguments of a call in the history must hold a JSON object; an empty text counts as one.
Result<void> check_call_arguments(const Json& message, std::size_t message_index) {
  const Json* calls = message.find("tool_calls");
  const Json::Array* items = calls != nullptr ? calls->if_array() : nullptr;
  if (items == nullptr) return {};
  for (std::size_t i = 0; i < items->size(); ++i) {
    const Json* arguments = (*items)[i].pointer("/function/arguments");
    const std::string* text = arguments != nullptr ? arguments->if_string() : nullptr;
    if (text == nullptr || text->empty()) continue;
    const auto parsed = parse_json(*text);
    if (parsed && parsed->is_object()) continue;
    return invalid("messages[" + std::to_string(message_index) + "].tool_calls[" +
                       std::to_string(i) + "].function.arguments",
                   "`function.arguments` of a tool call must hold a JSON object");
  }
  return {};
}

Result<void> check_messages(const ChatRequest& request) {
  const Json::Array& messages = *request.messages.if_array();
  for (std::size_t i = 0; i < messages.size(); ++i) DYN_CHECK(check_call_arguments(messages[i], i));
  return {};
}

Result<void> check_continuation(const ChatRequest& request) {
  if (!request.continue_final_message.value_or(false) ||
      !request.add_generation_prompt.value_or(false)) {
    return {};
  }
  return invalid("continue_final_message",
                 "continue_final_message and add_generation_prompt cannot both be true");
}

Result<void> check_top_logprobs(const ChatRequest& request) {
  if (!request.top_logprobs || *request.top_logprobs <= kTopLogprobsMax) return {};
  return invalid("top_logprobs", "Top_logprobs must be between 0 and " +
                                     std::to_string(kTopLogprobsMax) + ", got " +
                                     std::to_string(*request.top_logprobs));
}

Result<void> check_response_format(const ChatRequest& request) {
  if (!request.response_format ||
      request.response_format->kind != ResponseFormat::Kind::json_schema) {
    return {};
  }
  if (request.response_format->name.empty()) {
    return invalid("response_format.json_schema.name", "response_format.json_schema needs a name");
  }
  if (!request.response_format->schema || !request.response_format->schema->is_object()) {
    return invalid("response_format.json_schema.schema",
                   "response_format.json_schema.schema must be an object");
  }
  return {};
}

const std::string& function_name(const Json& tool) {
  return *tool.pointer("/function/name")->if_string();
}

Result<void> check_function_name(const std::string& name, const std::string& param) {
  if (name.empty()) return invalid(param, "Function name cannot be empty");
  if (name.size() > kFunctionNameMax) {
    return invalid(param, "Function name must have at most " + std::to_string(kFunctionNameMax) +
                              " characters, got " + std::to_string(name.size()));
  }
  const bool valid = std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  });
  if (!valid) {
    return invalid(param, "Function name '" + name +
                              "' may only have letters, digits, underscores and dashes");
  }
  return {};
}

Result<void> check_tools(const ChatRequest& request) {
  if (!request.tools) return {};
  const Json::Array& tools = *request.tools->if_array();
  if (tools.size() > kToolsMax) {
    return invalid("tools", "At most " + std::to_string(kToolsMax) + " tools are allowed, got " +
                                std::to_string(tools.size()));
  }
  for (std::size_t i = 0; i < tools.size(); ++i) {
    const std::string where = "tools[" + std::to_string(i) + "].function.";
    DYN_CHECK(check_function_name(function_name(tools[i]), where + "name"));
    const Json* parameters = tools[i].pointer("/function/parameters");
    if (parameters != nullptr && !parameters->is_null() && !parameters->is_object()) {
      return invalid(where + "parameters", "Function parameters must be an object");
    }
  }
  return {};
}

Result<void> check_tool_choice(const ChatRequest& request) {
  if (!request.tool_choice) return {};
  const ToolChoice& choice = *request.tool_choice;
  if (choice.kind != ToolChoice::Kind::required && choice.kind != ToolChoice::Kind::named)
    return {};
  if (!request.has_tools()) {
    return invalid("tool_choice", choice.kind == ToolChoice::Kind::required
                                      ? "tool_choice \"required\" needs tools"
                                      : "a named tool_choice needs tools");
  }
  if (choice.kind == ToolChoice::Kind::required) return {};
  const Json::Array& tools = *request.tools->if_array();
  const bool known = std::ranges::any_of(
      tools, [&](const Json& tool) { return function_name(tool) == choice.name; });
  if (known) return {};
  return invalid("tool_choice",
                 "tool named \"" + choice.name + "\" in tool_choice is not present in tools");
}

Result<void> check_all(const ChatRequest& request) {
  if (request.has_functions) return deprecated("functions", "tools");
  if (request.has_function_call) return deprecated("function_call", "tool_choice");
  if (request.messages.if_array()->empty()) {
    return invalid("messages",
                   "The 'messages' field cannot be empty. At least one message is required.");
  }
  DYN_CHECK(check_stream_options(request));
  DYN_CHECK(check_supported_fields(request));
  DYN_CHECK(check_template_args(request));
  DYN_CHECK(check_messages(request));
  DYN_CHECK(check_continuation(request));
  DYN_CHECK(check_model(request));
  DYN_CHECK(check_frequency_penalty(request));
  DYN_CHECK(check_logit_bias(request));
  DYN_CHECK(check_top_logprobs(request));
  DYN_CHECK(check_output_limit("max_tokens", "Max tokens", request.max_tokens));
  DYN_CHECK(check_output_limit("max_completion_tokens", "Max completion tokens",
                               request.max_completion_tokens));
  DYN_CHECK(check_n(request));
  DYN_CHECK(check_presence_penalty(request));
  DYN_CHECK(check_response_format(request));
  DYN_CHECK(check_stop(request));
  DYN_CHECK(check_temperature(request));
  DYN_CHECK(check_top_p(request));
  DYN_CHECK(check_tools(request));
  DYN_CHECK(check_tool_choice(request));
  DYN_CHECK(check_user(request));
  const bool has_schema =
      request.response_format && request.response_format->kind != ResponseFormat::Kind::text;
  return check_extensions(request, has_schema);
}

}  // namespace
}  // namespace detail

Result<void> validate(const ChatRequest& request) {
  return detail::check_all(request);
}

}  // namespace dynamo::openai
