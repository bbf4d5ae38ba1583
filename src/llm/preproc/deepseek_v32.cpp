// SPDX-License-Identifier: Apache-2.0
#include "llm/preproc/deepseek_v32.h"

#include <dynamo/jinja/python_json.h>

#include "llm/preproc/deepseek_dsml.h"
#include "llm/preproc/prompt_message.h"

namespace dynamo::llm::detail {
namespace {

using namespace std::string_view_literals;

constexpr auto kToolsBefore =
    "## Tools\n\nYou have access to a set of tools you can use to answer the user's question.\n"
    "You can invoke functions by writing a \"<｜DSML｜function_calls>\" block like the following as"
    " part of your reply to the user:\n<｜DSML｜function_calls>\n"
    "<｜DSML｜invoke name=\"$FUNCTION_NAME\">\n"
    "<｜DSML｜parameter name=\"$PARAMETER_NAME\" string=\"true|false\">$PARAMETER_VALUE"
    "</｜DSML｜parameter>\n...\n</｜DSML｜invoke>\n"
    "<｜DSML｜invoke "
    "name=\"$FUNCTION_NAME2\">\n...\n</｜DSML｜invoke>\n</｜DSML｜function_calls>\n\n"
    "String and scalar parameters should be specified as is without any escaping or quotes, while"
    " lists and objects should use JSON format. The \"string\" attribute should be set to \"true\""
    " for string type parameters and \"false\" for other types (numbers, booleans, arrays,"
    " objects).\n\nIf the thinking_mode is enabled, then after function results you should strongly"
    " consider outputting a thinking block. Here is an example:\n\n<｜DSML｜function_calls>\n...\n"
    "</｜DSML｜function_calls>\n\n<function_results>\n...\n</function_results>\n\n"
    "<think>...thinking about results</think>\n\n"
    "Here are the functions available in JSONSchema format:\n<functions>\n"sv;
constexpr auto kToolsAfter = "\n</functions>\n"sv;

/// Content as one text: text parts as they are, other parts as JSON.
std::string content_text(const Json& message) {
  const Json* content = present_member(message, "content");
  if (!content) return {};
  if (const std::string* text = content->if_string()) return *text;
  std::string out;
  const Json::Array* parts = content->if_array();
  if (!parts) {
    jinja::append_python_json(out, *content);
    return out;
  }
  for (const Json& part : *parts) {
    if (part.is_string()) {
      out += *part.if_string();
    } else if (text_member(part, "type") == "text") {
      out += text_member(part, "text");
    } else {
      jinja::append_python_json(out, part);
    }
  }
  return out;
}

class Encoder {
 public:
  Encoder(const Json::Array& messages, bool thinking, bool continue_last)
      : messages_(messages),
        last_user_(deepseek::last_user_index(messages)),
        thinking_(thinking),
        continue_last_(continue_last) {}

  Result<std::string> run() {
    out_ += deepseek::kBos;
    for (std::size_t i = 0; i < messages_.size(); ++i) DYN_CHECK(encode(i));
    return std::move(out_);
  }

 private:
  Result<void> encode(std::size_t i) {
    const Json& message = messages_[i];
    const std::string_view role = text_member(message, "role");
    if (role == "system") {
      out_ += content_text(message);
      append_declarations(message);
    } else if (role == "user") {
      out_ += deepseek::kUser;
      out_ += content_text(message);
      append_turn(i);
    } else if (role == "developer") {
      out_ += deepseek::kUser;
      append_declarations(message);
      out_ += "\n\n# The user's message is: ";
      out_ += content_text(message);
      append_turn(i);
    } else if (role == "assistant") {
      return encode_assistant(i);
    } else if (role == "tool") {
      return encode_result(i);
    } else {
      return fail_message(
          message_path(i) + ".role",
          "expected system, developer, user, assistant or tool, got \"" + std::string(role) + "\"");
    }
    return {};
  }

  void append_declarations(const Json& message) {
    if (const Json::Array* tools = list_member(message, "tools")) {
      out_ += "\n\n";
      out_ += kToolsBefore;
      deepseek::append_tool_schemas(out_, *tools);
      out_ += kToolsAfter;
    }
    if (const Json* format = present_member(message, "response_format")) {
      out_ += "\n\n";
      deepseek::append_response_format(out_, *format);
    }
  }

  void append_turn(std::size_t i) {
    out_ += deepseek::kAssistant;
    const bool opens = thinking_ && static_cast<std::ptrdiff_t>(i) == last_user_;
    out_ += opens ? deepseek::kThink : deepseek::kThinkEnd;
  }

  Result<void> encode_assistant(std::size_t i) {
    const Json& message = messages_[i];
    DYN_TRY(const std::vector<ToolCall> calls, read_tool_calls(message, message_path(i)));
    if (thinking_ && static_cast<std::ptrdiff_t>(i) > last_user_) {
      out_ += joined_reasoning(message);
      out_ += deepseek::kThinkEnd;
    }
    out_ += content_text(message);
    if (!calls.empty()) {
      out_ += "\n\n<｜DSML｜function_calls>\n";
      deepseek::append_invokes(out_, calls);
      out_ += "\n</｜DSML｜function_calls>";
    }
    if (!(continue_last_ && i + 1 == messages_.size())) out_ += deepseek::kEos;
    return {};
  }

  /// Results of one assistant turn share a block, closed by as many results as there were calls.
  Result<void> encode_result(std::size_t i) {
    std::size_t assistant = i;
    while (assistant > 0 && text_member(messages_[assistant], "role") == "tool") --assistant;
    const Json::Array* calls = list_member(messages_[assistant], "tool_calls");
    const std::size_t number = i - assistant;
    if (text_member(messages_[assistant], "role") != "assistant" || !calls ||
        calls->size() < number) {
      return fail_message(message_path(i), "a tool result without a tool call before it");
    }
    if (number == 1) out_ += "\n\n<function_results>";
    out_ += "\n<result>";
    out_ += content_text(messages_[i]);
    out_ += "</result>";
    if (number == calls->size()) {
      out_ += "\n</function_results>\n\n";
      const bool opens = thinking_ && static_cast<std::ptrdiff_t>(i) >= last_user_;
      out_ += opens ? deepseek::kThink : deepseek::kThinkEnd;
    }
    return {};
  }

  const Json::Array& messages_;
  std::ptrdiff_t last_user_;
  bool thinking_;
  bool continue_last_;
  std::string out_;
};

class DeepSeekV32Formatter final : public PromptFormatter {
 public:
  std::string_view kind() const noexcept override { return "deepseek_v32"; }
  Result<RenderedPrompt> render(const ChatPrompt& prompt) const override {
    DYN_TRY(const std::optional<Json> attached, deepseek::attach_to_system(prompt));
    const Json::Array& messages = *(attached ? *attached : prompt.messages).if_array();
    DYN_TRY(std::string text, Encoder(messages, is_thinking(prompt.template_args, true),
                                      prompt.continue_final_message)
                                  .run());
    RenderedPrompt rendered;
    rendered.text = std::move(text);
    return rendered;
  }
};

}  // namespace

std::shared_ptr<const PromptFormatter> make_deepseek_v32_formatter() {
  return std::make_shared<const DeepSeekV32Formatter>();
}

}  // namespace dynamo::llm::detail
