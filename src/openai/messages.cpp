// SPDX-License-Identifier: Apache-2.0
#include "openai/messages.h"

#include "openai/field_reader.h"

namespace dynamo::openai::detail {
namespace {

constexpr std::array<std::string_view, 6> kRoles{"developer", "system", "user",
                                                 "assistant", "tool",   "function"};
enum class Role : std::uint8_t { developer, system, user, assistant, tool, function };

bool absent(const Json* value) {
  return value == nullptr || value->is_null();
}

Result<void> require_string(const Json& object, const FieldPath& path, std::string_view key) {
  const Json* value = object.find(key);
  if (absent(value)) return fail(missing_field(path, key));
  if (!value->is_string()) return fail(type_error(path.member(key), *value, "a string"));
  return {};
}

Result<void> optional_string(const Json& object, const FieldPath& path, std::string_view key) {
  const Json* value = object.find(key);
  if (!absent(value) && !value->is_string()) {
    return fail(type_error(path.member(key), *value, "a string"));
  }
  return {};
}

// RFC 3986: scheme ":" …; relative references are refused.
bool is_absolute_url(std::string_view url) {
  const auto is_alpha = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  if (url.empty() || !is_alpha(url.front())) return false;
  for (const char c : url) {
    if (c == ':') return true;
    if (!is_alpha(c) && !(c >= '0' && c <= '9') && c != '+' && c != '-' && c != '.') return false;
  }
  return false;
}

// The payload of image_url, video_url and audio_url parts. An empty or missing URL is a reference
// by uuid.
Result<void> check_media(const Json& part, const FieldPath& path, std::string_view type) {
  DYN_CHECK(optional_string(part, path, "uuid"));
  const Json* media = part.find(type);
  const FieldPath where = path.member(type);
  const Json* uuid = part.find("uuid");
  bool referenced = !absent(uuid) && !uuid->if_string()->empty();
  if (absent(media)) return referenced ? Result<void>() : fail(missing_field(path, type));
  if (!media->is_object()) return fail(type_error(where, *media, "a map"));
  DYN_CHECK(optional_string(*media, where, "uuid"));
  DYN_CHECK(optional_string(*media, where, "url"));
  referenced = referenced || !absent(media->find("uuid"));
  const Json* url = media->find("url");
  if (absent(url) || url->if_string()->empty()) {
    return referenced ? Result<void>() : fail(missing_field(where, "url"));
  }
  if (!is_absolute_url(*url->if_string())) {
    return fail(body_error(where.member("url"), "relative URL without a base"));
  }
  if (const Json* detail = media->find("detail"); !absent(detail)) {
    static constexpr std::array<std::string_view, 3> kDetails{"auto", "low", "high"};
    DYN_CHECK(read_variant(*detail, where.member("detail"), kDetails));
  }
  return {};
}

Result<void> check_input_audio(const Json& part, const FieldPath& path) {
  const Json* audio = part.find("input_audio");
  const FieldPath where = path.member("input_audio");
  if (absent(audio)) return fail(missing_field(path, "input_audio"));
  if (!audio->is_object()) return fail(type_error(where, *audio, "a map"));
  DYN_CHECK(require_string(*audio, where, "data"));
  static constexpr std::array<std::string_view, 2> kFormats{"wav", "mp3"};
  const Json* format = audio->find("format");
  if (absent(format)) return fail(missing_field(where, "format"));
  DYN_CHECK(read_variant(*format, where.member("format"), kFormats));
  return {};
}

std::span<const std::string_view> part_types(Role role) {
  static constexpr std::array<std::string_view, 5> kMedia{"text", "image_url", "video_url",
                                                          "audio_url", "input_audio"};
  static constexpr std::array<std::string_view, 2> kAssistant{"text", "refusal"};
  switch (role) {
    case Role::user:
      return kMedia;
    case Role::tool:
      return std::span(kMedia).first(4);
    case Role::assistant:
      return kAssistant;
    default:
      return std::span(kMedia).first(1);
  }
}

Result<void> check_part(const Json& part, const FieldPath& path, Role role) {
  if (!part.is_object()) return fail(type_error(path, part, "a content part"));
  const Json* type = part.find("type");
  if (absent(type)) return fail(missing_field(path, "type"));
  DYN_TRY(const std::string name, read_variant(*type, path.member("type"), part_types(role)));
  if (name == "text" || name == "refusal") return require_string(part, path, name);
  if (name == "input_audio") return check_input_audio(part, path);
  return check_media(part, path, name);
}

Result<void> check_content(const Json& message, const FieldPath& path, Role role) {
  const Json* content = message.find("content");
  if (absent(content)) {
    const bool may_be_absent = role == Role::assistant || role == Role::function;
    return may_be_absent ? Result<void>() : fail(missing_field(path, "content"));
  }
  if (content->is_string()) return {};
  const FieldPath where = path.member("content");
  const Json::Array* parts = content->if_array();
  if (parts == nullptr || role == Role::function) {
    return fail(
        type_error(where, *content,
                   role == Role::function ? "a string" : "a string or a list of content parts"));
  }
  for (std::size_t i = 0; i < parts->size(); ++i) {
    DYN_CHECK(check_part((*parts)[i], where.element(i), role));
  }
  return {};
}

Result<void> check_reasoning(Json& message, const FieldPath& path) {
  JsonObject& object = *message.if_object();
  if (Json* alias = object.find("reasoning")) {
    Json value = std::move(*alias);
    object.erase("reasoning");
    if (absent(object.find("reasoning_content"))) object.set("reasoning_content", std::move(value));
  }
  const Json* reasoning = object.find("reasoning_content");
  if (absent(reasoning) || reasoning->is_string()) return {};
  const FieldPath where = path.member("reasoning_content");
  const Json::Array* segments = reasoning->if_array();
  if (segments == nullptr) {
    return fail(type_error(where, *reasoning, "a string or a list of strings"));
  }
  for (std::size_t i = 0; i < segments->size(); ++i) {
    if (!(*segments)[i].is_string()) {
      return fail(type_error(where.element(i), (*segments)[i], "a string"));
    }
  }
  return {};
}

Result<void> check_function_call(Json& call, const FieldPath& path) {
  if (!call.is_object()) return fail(type_error(path, call, "a map"));
  DYN_CHECK(require_string(call, path, "name"));
  Json* arguments = call.find("arguments");
  if (absent(arguments)) return fail(missing_field(path, "arguments"));
  if (arguments->is_object()) {
    *arguments = Json(arguments->dump());
  } else if (!arguments->is_string()) {
    return fail(type_error(path.member("arguments"), *arguments, "a string or a map"));
  }
  return {};
}

Result<void> check_tool_calls(Json& message, const FieldPath& path) {
  if (Json* call = message.find("function_call"); !absent(call)) {
    DYN_CHECK(check_function_call(*call, path.member("function_call")));
  }
  Json* calls = message.find("tool_calls");
  if (absent(calls)) return {};
  const FieldPath list = path.member("tool_calls");
  Json::Array* items = calls->if_array();
  if (items == nullptr) return fail(type_error(list, *calls, "a sequence"));
  for (std::size_t i = 0; i < items->size(); ++i) {
    Json& call = (*items)[i];
    const FieldPath where = list.element(i);
    if (!call.is_object()) return fail(type_error(where, call, "a map"));
    DYN_CHECK(require_string(call, where, "id"));
    if (const Json* type = call.find("type"); !absent(type)) {
      static constexpr std::array<std::string_view, 1> kTypes{"function"};
      DYN_CHECK(read_variant(*type, where.member("type"), kTypes));
    }
    Json* function = call.find("function");
    if (absent(function)) return fail(missing_field(where, "function"));
    DYN_CHECK(check_function_call(*function, where.member("function")));
  }
  return {};
}

Result<void> check_message(Json& message, const FieldPath& path) {
  if (!message.is_object()) return fail(type_error(path, message, "a map"));
  const Json* role_json = message.find("role");
  if (absent(role_json)) return fail(missing_field(path, "role"));
  DYN_TRY(const std::string name, read_variant(*role_json, path.member("role"), kRoles));
  const auto role = static_cast<Role>(std::ranges::find(kRoles, name) - kRoles.begin());
  DYN_CHECK(check_content(message, path, role));
  if (role == Role::function) return require_string(message, path, "name");
  DYN_CHECK(optional_string(message, path, "name"));
  if (role == Role::tool) return require_string(message, path, "tool_call_id");
  if (role == Role::assistant) {
    DYN_CHECK(optional_string(message, path, "refusal"));
    DYN_CHECK(check_reasoning(message, path));
    DYN_CHECK(check_tool_calls(message, path));
  }
  return {};
}

}  // namespace

Result<void> check_messages(Json& messages, const FieldPath& path) {
  Json::Array* items = messages.if_array();
  if (items == nullptr) return fail(type_error(path, messages, "a sequence"));
  for (std::size_t i = 0; i < items->size(); ++i) {
    DYN_CHECK(check_message((*items)[i], path.element(i)));
  }
  return {};
}

Result<void> check_tools(const Json& tools, const FieldPath& path) {
  const Json::Array* items = tools.if_array();
  if (items == nullptr) return fail(type_error(path, tools, "a sequence"));
  for (std::size_t i = 0; i < items->size(); ++i) {
    const Json& tool = (*items)[i];
    const FieldPath where = path.element(i);
    if (!tool.is_object()) return fail(type_error(where, tool, "a map"));
    const Json* type = tool.find("type");
    if (absent(type)) return fail(missing_field(where, "type"));
    static constexpr std::array<std::string_view, 1> kTypes{"function"};
    DYN_CHECK(read_variant(*type, where.member("type"), kTypes));
    const Json* function = tool.find("function");
    const FieldPath inner = where.member("function");
    if (absent(function)) return fail(missing_field(where, "function"));
    if (!function->is_object()) return fail(type_error(inner, *function, "a map"));
    DYN_CHECK(require_string(*function, inner, "name"));
    DYN_CHECK(optional_string(*function, inner, "description"));
    if (const Json* strict = function->find("strict"); !absent(strict) && !strict->is_bool()) {
      return fail(type_error(inner.member("strict"), *strict, "a boolean"));
    }
  }
  return {};
}

}  // namespace dynamo::openai::detail
