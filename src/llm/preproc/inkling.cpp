// SPDX-License-Identifier: Apache-2.0
#include "llm/preproc/inkling.h"

#include <dynamo/jinja/python_json.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <utility>

#include "llm/preproc/prompt_message.h"

namespace dynamo::llm::detail {
namespace {

constexpr std::string_view kModel = "<|message_model|>";
constexpr std::string_view kSystem = "<|message_system|>";
constexpr std::string_view kUser = "<|message_user|>";
constexpr std::string_view kTool = "<|message_tool|>";
constexpr std::string_view kEnd = "<|end_message|>";
constexpr std::string_view kText = "<|content_text|>";
constexpr std::string_view kXml = "<|content_xml|>";
constexpr std::string_view kThinking = "<|content_thinking|>";
constexpr std::string_view kInvoke = "<|content_invoke_tool_json|>";

/// Effort of thinking for the names that clients use.
constexpr std::pair<std::string_view, double> kEfforts[] = {
    {"none", 0.0}, {"minimal", 0.1}, {"low", 0.2}, {"medium", 0.7},
    {"high", 0.9}, {"xhigh", 0.95},  {"max", 0.99}};
constexpr double kEffortDefault = 0.9;
constexpr double kEffortMax = 0.99;

std::string canonical_json(const Json& value) {
  std::string out;
  jinja::append_python_json(out, value, {.sort_keys = true, .compact = true});
  return out;
}

class Encoder {
 public:
  explicit Encoder(const ChatPrompt& prompt) : prompt_(prompt) {}

  Result<std::vector<PromptSegment>> run() {
    const Json::Array* messages = prompt_.messages.if_array();
    if (!messages) return fail_message("messages", "expected an array");
    if (prompt_.continue_final_message) {
      return fail(
          Error(Errc::invalid_argument, "continue_final_message is not supported by this model")
              .with_param("continue_final_message"));
    }
    declare_tools();
    DYN_TRY(const std::string effort, effort_text());
    bool effort_written = false;
    for (std::size_t i = 0; i < messages->size(); ++i) {
      const std::string_view role = text_member((*messages)[i], "role");
      if (!effort_written && role != "system" && role != "developer") {
        block(kSystem, "", kText, effort);
        effort_written = true;
      }
      DYN_CHECK(append_message((*messages)[i], role, message_path(i)));
    }
    if (!effort_written) block(kSystem, "", kText, effort);
    if (prompt_.add_generation_prompt) control(kModel);
    return std::move(out_);
  }

 private:
  void control(std::string_view token) { out_.push_back({std::string(token), true}); }
  void text(std::string_view text) {
    if (!text.empty()) out_.push_back({std::string(text), false});
  }
  void block(std::string_view role, std::string_view name, std::string_view kind,
             std::string_view body) {
    control(role);
    text(name);
    control(kind);
    text(body);
    control(kEnd);
  }

  void declare_tools() {
    const Json::Array* tools = prompt_.tools ? prompt_.tools->if_array() : nullptr;
    const std::string* choice = prompt_.tool_choice ? prompt_.tool_choice->if_string() : nullptr;
    if (!tools || tools->empty() || (choice && *choice == "none")) return;
    Json list = Json::array();
    for (const Json& tool : *tools) {
      const Json* wrapped = tool.find("function");
      const Json& function = wrapped ? *wrapped : tool;
      const Json* parameters = present_member(function, "parameters");
      const std::string_view type = text_member(tool, "type");
      list.push_back(Json::object({{"description", text_member(function, "description")},
                                   {"name", text_member(function, "name")},
                                   {"parameters", parameters ? *parameters : Json::object()},
                                   {"type", type.empty() ? "function" : type}}));
    }
    block(kSystem, "tool_declare", kXml, canonical_json(list));
  }

  Result<std::string> effort_text() const {
    double effort = kEffortDefault;
    if (const Json* given = reasoning_effort_of(prompt_.reasoning_effort, prompt_.template_args)) {
      const auto refuse = [given] {
        return fail(Error(Errc::invalid_argument,
                          "reasoning_effort must be a number in [0, 0.99] or one of none, minimal, "
                          "low, medium, high, xhigh, max; got " +
                              given->dump())
                        .with_param("reasoning_effort"));
      };
      if (const std::string* name = given->if_string()) {
        const auto* at = std::find_if(std::begin(kEfforts), std::end(kEfforts),
                                      [name](const auto& e) { return e.first == *name; });
        if (at == std::end(kEfforts)) return refuse();
        effort = at->second;
      } else {
        const auto number = given->as_double();
        if (!number || !(*number >= 0 && *number <= kEffortMax)) return refuse();
        effort = *number;
      }
    } else if (!is_thinking(prompt_.template_args, true)) {
      effort = 0;
    }
    // Two decimals, without zeros at the end, but with one decimal at least.
    const auto hundredths = static_cast<int>(std::lround(effort * 100));
    std::string digits = std::to_string(hundredths / 100) + ".";
    digits += static_cast<char>('0' + hundredths / 10 % 10);
    if (hundredths % 10 != 0) digits += static_cast<char>('0' + hundredths % 10);
    return "Thinking effort level: " + digits;
  }

  Result<void> append_message(const Json& message, std::string_view role, const std::string& path) {
    if (role == "tool") {
      std::string_view name = text_member(message, "name");
      if (name.empty()) {
        const auto at = call_names_.find(text_member(message, "tool_call_id"));
        if (at != call_names_.end()) name = at->second;
      }
      return append_content(message.find("content"), kTool, name, path);
    }
    if (role == "system" || role == "developer") {
      return append_content(message.find("content"), kSystem, "", path);
    }
    if (role == "user") {
      return append_content(message.find("content"), kUser, text_member(message, "name"), path);
    }
    if (role != "assistant") {
      return fail_message(
          path + ".role",
          "expected system, developer, user, assistant or tool, got \"" + std::string(role) + "\"");
    }
    return append_assistant(message, path);
  }

  /// Thoughts come before the call they led to; those left over come before the answer.
  Result<void> append_assistant(const Json& message, const std::string& path) {
    DYN_TRY(const std::vector<ToolCall> calls, read_tool_calls(message, path));
    const std::vector<std::string_view> thoughts = reasoning_segments(message);
    const std::size_t begin = out_.size();
    std::size_t next = 0;
    const bool interleaved = thoughts.size() > 1;
    if (!interleaved && !thoughts.empty()) block(kModel, "", kThinking, thoughts[next++]);
    const auto append_call = [&](const ToolCall& call) {
      std::string body = "{\"name\":" + canonical_json(Json(call.name)) + ",\"args\":";
      body += call.arguments ? canonical_json(*call.arguments) : canonical_json(Json(call.raw));
      body += "}";
      if (!call.id.empty()) call_names_.insert_or_assign(call.id, call.name);
      block(kModel, call.name, kInvoke, body);
    };
    if (!interleaved) {
      DYN_CHECK(append_content(message.find("content"), kModel, "", path));
      for (const ToolCall& call : calls) append_call(call);
    } else {
      for (const ToolCall& call : calls) {
        if (next < thoughts.size()) append_thought(thoughts[next++]);
        append_call(call);
      }
      while (next < thoughts.size()) append_thought(thoughts[next++]);
      DYN_CHECK(append_content(message.find("content"), kModel, "", path));
    }
    if (out_.size() > begin) control("<|content_model_end_sampling|>");
    return {};
  }

  void append_thought(std::string_view thought) {
    if (!thought.empty()) block(kModel, "", kThinking, thought);
  }

  Result<void> append_content(const Json* content, std::string_view role, std::string_view name,
                              const std::string& path) {
    const bool always = role == kTool;  // a tool that answered nothing did answer
    if (!content || content->is_null()) {
      if (always) block(role, name, kText, "");
      return {};
    }
    if (const std::string* text = content->if_string()) {
      if (!text->empty() || always) block(role, name, kText, *text);
      return {};
    }
    const Json::Array* parts = content->if_array();
    if (!parts) return fail_message(path + ".content", "expected a text or a list of parts");
    for (std::size_t i = 0; i < parts->size(); ++i) {
      const Json& part = (*parts)[i];
      const std::string_view type = text_member(part, "type");
      const std::string part_path = path + ".content[" + std::to_string(i) + "]";
      if (type == "text" || type == "input_text") {
        block(role, name, kText, text_member(part, "text"));
      } else if (type == "image" || type == "image_url" || type == "input_image") {
        control(role);
        text(name);
        control("<|content_image|>");
        control(kEnd);
      } else if (type == "audio" || type == "audio_url" || type == "input_audio") {
        control(role);
        text(name);
        control("<|content_audio_input|>");
        control("<|audio_end|>");
        control(kEnd);
      } else if ((type == "thinking" || type == "reasoning") && role == kModel) {
        const std::string_view thought = text_member(part, "thinking");
        append_thought(thought.empty() ? text_member(part, "text") : thought);
      } else {
        return fail_message(part_path, "this model takes text, images and audio, got \"" +
                                           std::string(type) + "\"");
      }
    }
    return {};
  }

  const ChatPrompt& prompt_;
  std::vector<PromptSegment> out_;
  std::map<std::string_view, std::string_view, std::less<>> call_names_;
};

class InklingFormatter final : public PromptFormatter {
 public:
  std::string_view kind() const noexcept override { return "inkling"; }
  Result<RenderedPrompt> render(const ChatPrompt& prompt) const override {
    RenderedPrompt rendered;
    DYN_TRY(rendered.segments, Encoder(prompt).run());
    return rendered;
  }
};

}  // namespace

std::shared_ptr<const PromptFormatter> make_inkling_formatter() {
  return std::make_shared<const InklingFormatter>();
}

}  // namespace dynamo::llm::detail
