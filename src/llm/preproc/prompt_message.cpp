// SPDX-License-Identifier: Apache-2.0
#include "llm/preproc/prompt_message.h"

namespace dynamo::llm::detail {

std::string_view text_member(const Json& object, std::string_view name) noexcept {
  const Json* member = object.find(name);
  const std::string* text = member ? member->if_string() : nullptr;
  return text ? std::string_view(*text) : std::string_view();
}

const Json* present_member(const Json& object, std::string_view name) noexcept {
  const Json* member = object.find(name);
  return member && !member->is_null() ? member : nullptr;
}

const Json::Array* list_member(const Json& object, std::string_view name) noexcept {
  const Json* member = object.find(name);
  const Json::Array* list = member ? member->if_array() : nullptr;
  return list && !list->empty() ? list : nullptr;
}

std::vector<std::string_view> reasoning_segments(const Json& message) {
  std::vector<std::string_view> segments;
  for (const std::string_view name : {"reasoning_content", "reasoning"}) {
    const Json* reasoning = message.find(name);
    if (!reasoning) continue;
    if (reasoning->is_string()) {
      if (!reasoning->if_string()->empty()) segments.push_back(*reasoning->if_string());
    } else if (const Json::Array* list = reasoning->if_array()) {
      for (const Json& segment : *list) {
        if (segment.is_string()) segments.push_back(*segment.if_string());
      }
    }
    if (!segments.empty()) break;
  }
  return segments;
}

std::string joined_reasoning(const Json& message) {
  std::string joined;
  for (const std::string_view segment : reasoning_segments(message)) {
    if (segment.empty()) continue;
    if (!joined.empty()) joined.push_back('\n');
    joined += segment;
  }
  return joined;
}

std::string message_path(std::size_t index) {
  return "messages[" + std::to_string(index) + "]";
}

std::unexpected<Error> fail_message(const std::string& path, std::string_view what) {
  return fail(Error(Errc::invalid_argument, path + ": " + std::string(what)).with_param(path));
}

Result<std::vector<ToolCall>> read_tool_calls(const Json& message, const std::string& path) {
  std::vector<ToolCall> calls;
  const Json::Array* list = list_member(message, "tool_calls");
  if (!list) return calls;
  for (std::size_t i = 0; i < list->size(); ++i) {
    const std::string call_path = path + ".tool_calls[" + std::to_string(i) + "]";
    const Json& entry = (*list)[i];
    const Json* wrapped = entry.find("function");
    const Json& function = wrapped ? *wrapped : entry;
    ToolCall& call = calls.emplace_back();
    call.id = text_member(entry, "id");
    call.name = text_member(function, "name");
    if (call.name.empty())
      return fail_message(call_path, "a tool call needs the name of a function");
    const Json* arguments = present_member(function, "arguments");
    if (!arguments) {
      call.arguments = Json::object();
      continue;
    }
    if (const std::string* text = arguments->if_string()) {
      if (text->find_first_not_of(" \t\r\n") == std::string::npos) {
        call.arguments = Json::object();
        continue;
      }
      auto parsed = parse_json(*text);
      if (!parsed) {
        call.raw = *text;
        continue;
      }
      call.arguments = *std::move(parsed);
    } else {
      call.arguments = *arguments;
    }
    if (!call.arguments->is_object()) {
      return fail_message(
          call_path + ".function.arguments",
          "expected a JSON object, got " + std::string(call.arguments->kind_name()));
    }
  }
  return calls;
}

bool is_thinking(const Json* args, bool otherwise) noexcept {
  if (!args) return otherwise;
  for (const std::string_view name : {"thinking", "enable_thinking"}) {
    const Json* value = args->find(name);
    if (value && value->if_bool()) return *value->if_bool();
  }
  const std::string_view mode = text_member(*args, "thinking_mode");
  if (mode == "thinking") return true;
  if (mode == "chat") return false;
  return otherwise;
}

const Json* reasoning_effort_of(const Json* request_effort, const Json* args) noexcept {
  if (args) {
    if (const Json* effort = present_member(*args, "reasoning_effort")) return effort;
  }
  return request_effort && !request_effort->is_null() ? request_effort : nullptr;
}

}  // namespace dynamo::llm::detail
