// SPDX-License-Identifier: Apache-2.0
#include <dynamo/openai/chat.h>

#include "openai/generation_fields.h"
#include "openai/messages.h"

namespace dynamo::openai {
namespace detail {
namespace {

Result<void> read_messages(Json& from, const FieldPath& path, ChatRequest& to) {
  DYN_CHECK(check_messages(from, path));
  to.messages = std::move(from);
  return {};
}

Result<void> read_tools(Json& from, const FieldPath& path, ChatRequest& to) {
  if (from.is_null()) return {};
  DYN_CHECK(check_tools(from, path));
  to.tools = std::move(from);
  return {};
}

Result<void> read_tool_choice(Json& from, const FieldPath& path, ChatRequest& to) {
  if (from.is_null()) return {};
  ToolChoice choice;
  if (from.is_string()) {
    static constexpr std::array<std::string_view, 3> kNames{"none", "auto", "required"};
    DYN_TRY(const std::string name, read_variant(from, path, kNames));
    choice.kind = name == "none"       ? ToolChoice::Kind::none
                  : name == "required" ? ToolChoice::Kind::required
                                       : ToolChoice::Kind::automatic;
  } else if (from.is_object()) {
    choice.kind = ToolChoice::Kind::named;
    static constexpr std::array<std::string_view, 1> kTypes{"function"};
    const Json* type = from.find("type");
    if (type == nullptr) return fail(missing_field(path, "type"));
    DYN_CHECK(read_variant(*type, path.member("type"), kTypes));
    const Json* function = from.find("function");
    const FieldPath where = path.member("function");
    if (function == nullptr) return fail(missing_field(path, "function"));
    if (!function->is_object()) return fail(type_error(where, *function, "a map"));
    const Json* name = function->find("name");
    if (name == nullptr) return fail(missing_field(where, "name"));
    if (!name->is_string()) return fail(type_error(where.member("name"), *name, "a string"));
    choice.name = *name->if_string();
  } else {
    return fail(
        type_error(path, from, "`none`, `auto`, `required` or an object naming a function"));
  }
  to.tool_choice = std::move(choice);
  to.tool_choice_json = std::move(from);
  return {};
}

Result<void> read_response_format(Json& from, const FieldPath& path, ChatRequest& to) {
  if (from.is_null()) return {};
  if (!from.is_object()) return fail(type_error(path, from, "a map"));
  static constexpr std::array<std::string_view, 3> kTypes{"text", "json_object", "json_schema"};
  const Json* type = from.find("type");
  if (type == nullptr) return fail(missing_field(path, "type"));
  DYN_TRY(const std::string name, read_variant(*type, path.member("type"), kTypes));
  ResponseFormat format;
  if (name == "json_object") {
    format.kind = ResponseFormat::Kind::json_object;
  } else if (name == "json_schema") {
    format.kind = ResponseFormat::Kind::json_schema;
    const FieldPath where = path.member("json_schema");
    const Json* schema = from.find("json_schema");
    if (schema == nullptr) return fail(missing_field(path, "json_schema"));
    if (!schema->is_object()) return fail(type_error(where, *schema, "a map"));
    const Json* title = schema->find("name");
    if (title == nullptr) return fail(missing_field(where, "name"));
    if (!title->is_string()) return fail(type_error(where.member("name"), *title, "a string"));
    format.name = *title->if_string();
    if (const Json* body = schema->find("schema"); body != nullptr && !body->is_null()) {
      format.schema = *body;
    }
    if (const Json* strict = schema->find("strict");
        strict != nullptr && !strict->is_null() && !strict->is_bool()) {
      return fail(type_error(where.member("strict"), *strict, "a boolean"));
    }
  }
  to.response_format = std::move(format);
  to.response_format_json = std::move(from);
  return {};
}

Result<void> read_reasoning_effort(Json& from, const FieldPath& path, ChatRequest& to) {
  if (from.is_null()) return {};
  static constexpr std::array<std::string_view, 7> kEfforts{"none", "minimal", "low", "medium",
                                                            "high", "xhigh",   "max"};
  DYN_TRY(to.reasoning_effort, read_variant(from, path, kEfforts));
  return {};
}

Result<void> read_service_tier(Json& from, const FieldPath& path, ChatRequest& to) {
  if (from.is_null()) return {};
  static constexpr std::array<std::string_view, 5> kTiers{"auto", "default", "flex", "scale",
                                                          "priority"};
  DYN_TRY(to.service_tier, read_variant(from, path, kTiers));
  return {};
}

Result<void> read_template_args(Json& from, const FieldPath& path, ChatRequest& to) {
  if (from.is_null()) return {};
  JsonObject* object = from.if_object();
  if (object == nullptr) return fail(type_error(path, from, "a map"));
  if (!to.chat_template_args) {
    to.chat_template_args = std::move(from);
    return {};
  }
  for (auto& [key, value] : *object) to.chat_template_args->if_object()->set(key, std::move(value));
  return {};
}

Result<void> read_media_args(Json& from, const FieldPath& path, ChatRequest& to) {
  if (from.is_null()) return {};
  if (!from.is_object()) return fail(type_error(path, from, "a map"));
  to.media_io_kwargs = std::move(from);
  return {};
}

Result<void> read_functions(Json& from, const FieldPath&, ChatRequest& to) {
  to.has_functions = !from.is_null();
  return {};
}

Result<void> read_function_call(Json& from, const FieldPath&, ChatRequest& to) {
  to.has_function_call = !from.is_null();
  return {};
}

// Known members that change nothing here.
template <Json::Kind Expected>
Result<void> skip(Json& from, const FieldPath& path, ChatRequest&) {
  if (from.is_null() || from.kind() == Expected) return {};
  return fail(type_error(path, from, Expected == Json::Kind::array ? "a sequence" : "a map"));
}

constexpr FieldTable kChatFields{std::array{
    Field<ChatRequest>{"messages", read_messages},
    Field<ChatRequest>{"tools", read_tools},
    Field<ChatRequest>{"tool_choice", read_tool_choice},
    field<ChatRequest, &ChatRequest::parallel_tool_calls>("parallel_tool_calls"),
    field<ChatRequest, &ChatRequest::max_completion_tokens>("max_completion_tokens"),
    field<ChatRequest, &ChatRequest::logprobs>("logprobs"),
    field<ChatRequest, &ChatRequest::top_logprobs>("top_logprobs"),
    Field<ChatRequest>{"response_format", read_response_format},
    Field<ChatRequest>{"reasoning_effort", read_reasoning_effort},
    field<ChatRequest, &ChatRequest::thinking>("thinking"),
    Field<ChatRequest>{"chat_template_args", read_template_args},
    Field<ChatRequest>{"chat_template_kwargs", read_template_args},
    field<ChatRequest, &ChatRequest::add_generation_prompt>("add_generation_prompt"),
    field<ChatRequest, &ChatRequest::continue_final_message>("continue_final_message"),
    Field<ChatRequest>{"media_io_kwargs", read_media_args},
    field<ChatRequest, &ChatRequest::mm_processor_kwargs>("mm_processor_kwargs"),
    field<ChatRequest, &ChatRequest::store>("store"),
    Field<ChatRequest>{"service_tier", read_service_tier},
    Field<ChatRequest>{"functions", read_functions},
    Field<ChatRequest>{"function_call", read_function_call},
    Field<ChatRequest>{"modalities", skip<Json::Kind::array>},
    Field<ChatRequest>{"prediction", skip<Json::Kind::object>},
    Field<ChatRequest>{"audio", skip<Json::Kind::object>},
    Field<ChatRequest>{"web_search_options", skip<Json::Kind::object>},
}};

}  // namespace
}  // namespace detail

Result<ChatRequest> chat_request_from_json(Json body, const ParseOptions& options) {
  ChatRequest request;
  DYN_CHECK(detail::read_request(body, request, detail::kChatFields, options));
  if (!request.messages.is_array()) return fail(detail::missing_field({}, "messages"));
  if (body.find("model") == nullptr) return fail(detail::missing_field({}, "model"));
  return request;
}

Result<ChatRequest> parse_chat_request(std::string_view body, const ParseOptions& options) {
  DYN_TRY(Json json, detail::read_body(body));
  return chat_request_from_json(std::move(json), options);
}

}  // namespace dynamo::openai
