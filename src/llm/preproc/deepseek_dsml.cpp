// SPDX-License-Identifier: Apache-2.0
#include "llm/preproc/deepseek_dsml.h"

#include <dynamo/jinja/python_json.h>

namespace dynamo::llm::detail::deepseek {
namespace {

void append_parameter(std::string& out, std::string_view name, const Json& value) {
  out += "<｜DSML｜parameter name=\"";
  out += name;
  out += "\" string=\"";
  out += value.is_string() ? "true" : "false";
  out += "\">";
  if (const std::string* text = value.if_string()) {
    out += *text;
  } else {
    jinja::append_python_json(out, value);
  }
  out += "</｜DSML｜parameter>";
}

}  // namespace

void append_invokes(std::string& out, std::span<const ToolCall> calls) {
  bool first_call = true;
  for (const ToolCall& call : calls) {
    if (!first_call) out.push_back('\n');
    first_call = false;
    out += "<｜DSML｜invoke name=\"";
    out += call.name;
    out += "\">\n";
    if (call.arguments) {
      bool first = true;
      for (const JsonObject::Member& m : *call.arguments->if_object()) {
        if (!first) out.push_back('\n');
        first = false;
        append_parameter(out, m.key, m.value);
      }
    } else {
      append_parameter(out, "arguments", Json(call.raw));
    }
    out += "\n</｜DSML｜invoke>";
  }
}

void append_tool_schemas(std::string& out, const Json::Array& tools) {
  bool first = true;
  for (const Json& tool : tools) {
    if (!first) out.push_back('\n');
    first = false;
    const Json* function = tool.find("function");
    jinja::append_python_json(out, function ? *function : tool);
  }
}

void append_response_format(std::string& out, const Json& response_format) {
  out += "## Response Format:\n\nYou MUST strictly adhere to the following schema to reply:\n";
  jinja::append_python_json(out, response_format);
}

std::ptrdiff_t last_user_index(const Json::Array& messages) noexcept {
  for (std::size_t i = messages.size(); i-- > 0;) {
    const std::string_view role = text_member(messages[i], "role");
    if (role == "user" || role == "developer") return static_cast<std::ptrdiff_t>(i);
  }
  return -1;
}

Result<std::optional<Json>> attach_to_system(const ChatPrompt& prompt) {
  if (!prompt.messages.is_array()) return fail_message("messages", "expected an array");
  const std::string* choice = prompt.tool_choice ? prompt.tool_choice->if_string() : nullptr;
  const Json::Array* tools = prompt.tools ? prompt.tools->if_array() : nullptr;
  const bool with_tools = tools && !tools->empty() && !(choice && *choice == "none");
  const Json* format = prompt.response_format;
  const bool with_format = format && format->is_object() && text_member(*format, "type") != "text";
  if (!with_tools && !with_format) return std::nullopt;
  Json copy = prompt.messages;
  Json::Array& list = *copy.if_array();
  Json* system = nullptr;
  for (Json& message : list) {
    if (text_member(message, "role") == "system") {
      system = &message;
      break;
    }
  }
  if (!system) {
    list.insert(list.begin(), Json::object({{"role", "system"}, {"content", ""}}));
    system = &list.front();
  }
  if (with_tools) system->if_object()->set("tools", *prompt.tools);
  if (with_format) system->if_object()->set("response_format", *format);
  return copy;
}

}  // namespace dynamo::llm::detail::deepseek
