// SPDX-License-Identifier: Apache-2.0
#include "llm/preproc/kimi_k3.h"

#include <dynamo/jinja/python_json.h>

#include <algorithm>
#include <initializer_list>
#include <utility>

#include "llm/preproc/prompt_message.h"

namespace dynamo::llm::detail {
namespace {

/// Builds segments. The cuts are the published encoder's: each piece is tokenized alone.
class SegmentWriter {
 public:
  struct Attribute {
    std::string_view name;
    std::string value;
  };

  void control(std::string_view token) { segments_.push_back({std::string(token), true}); }
  void text(std::string_view text) {
    if (!text.empty()) segments_.push_back({std::string(text), false});
  }
  void open(std::string_view tag, std::initializer_list<Attribute> attributes = {}) {
    control("<|open|>");
    text(tag);
    for (const Attribute& a : attributes) {
      if (a.name.empty()) continue;
      text(" " + std::string(a.name));
      text("=\"");
      text(escaped(a.value));
      text("\"");
    }
    control("<|sep|>");
  }
  void close(std::string_view tag) {
    control("<|close|>");
    text(tag);
    control("<|sep|>");
  }
  void end_message() {
    close("message");
    control("<|end_of_msg|>");
  }
  /// A message from the serving system.
  void internal(std::string_view type, std::string_view body) {
    open("message", {{"role", "system"}, {"type", std::string(type)}});
    text(body);
    end_message();
  }
  std::vector<PromptSegment> take() { return std::move(segments_); }

 private:
  static std::string escaped(std::string_view value) {
    std::string out;
    for (const char c : value) {
      if (c == '&') {
        out += "&amp;";
      } else if (c == '"') {
        out += "&quot;";
      } else {
        out.push_back(c);
      }
    }
    return out;
  }
  std::vector<PromptSegment> segments_;
};

std::string sorted_json(const Json& value) {
  std::string out;
  jinja::append_python_json(out, value, {.sort_keys = true, .compact = true});
  return out;
}

std::string_view kind_of(const Json& value) noexcept {
  switch (value.kind()) {
    case Json::Kind::null:
      return "null";
    case Json::Kind::boolean:
      return "boolean";
    case Json::Kind::integer:
    case Json::Kind::unsigned_integer:
    case Json::Kind::real:
      return "number";
    case Json::Kind::string:
      return "string";
    case Json::Kind::array:
      return "array";
    case Json::Kind::object:
      return "object";
  }
  return "null";
}

/// The tool that tool_choice names, or empty.
std::string_view named_tool(const Json* tool_choice) noexcept {
  if (!tool_choice) return {};
  const Json* function = tool_choice->find("function");
  return function ? text_member(*function, "name") : text_member(*tool_choice, "name");
}

class Encoder {
 public:
  explicit Encoder(const ChatPrompt& prompt) : prompt_(prompt) {}

  Result<std::vector<PromptSegment>> run() {
    const Json::Array* messages = prompt_.messages.if_array();
    if (!messages) return fail_message("messages", "expected an array");
    thinking_ = is_thinking(prompt_.template_args, true);
    const std::string_view forced = named_tool(prompt_.tool_choice);
    if (!forced.empty()) {
      if (!has_tool(forced)) {
        return fail(Error(Errc::invalid_argument, "tool_choice names \"" + std::string(forced) +
                                                      "\", which is not among the tools")
                        .with_param("tool_choice"));
      }
      thinking_ = false;
    }
    if (const Json::Array* tools = request_tools()) declare(Json(*tools), false);
    DYN_CHECK(append_effort());
    for (std::size_t i = 0; i < messages->size();) {
      if (text_member((*messages)[i], "role") == "tool") {
        std::size_t end = i;
        while (end < messages->size() && text_member((*messages)[end], "role") == "tool") ++end;
        DYN_CHECK(append_results(*messages, i, end));
        i = end;
        continue;
      }
      DYN_CHECK(append_message((*messages)[i], i, i + 1 == messages->size()));
      ++i;
    }
    append_tool_choice(forced);
    append_response_format();
    if (prompt_.add_generation_prompt && !prompt_.continue_final_message) {
      out_.open("message", {{"role", "assistant"}});
      out_.open(thinking_ ? "think" : "response");
    }
    return out_.take();
  }

 private:
  const Json::Array* request_tools() const noexcept {
    const Json::Array* tools = prompt_.tools ? prompt_.tools->if_array() : nullptr;
    return tools && !tools->empty() ? tools : nullptr;
  }

  bool has_tool(std::string_view name) const noexcept {
    const Json::Array* tools = request_tools();
    return tools && std::any_of(tools->begin(), tools->end(), [name](const Json& tool) {
             const Json* function = tool.find("function");
             return text_member(function ? *function : tool, "name") == name;
           });
  }

  void declare(const Json& tools, bool more) {
    std::string body =
        more ? "## New Tools Available\n"
               "The system dynamically extends the toolset via lazy-loading.\n"
               "You have access to all existing and extended tools.\n"
               "Here are the specs for the extended tools.\n\n```json\n"
             : "# Tools\nHere are the available tools, described in JSONSchema.\n\n```json\n";
    body += sorted_json(tools);
    body += "\n```";
    out_.internal("tool-declare", body);
  }

  Result<void> append_effort() {
    if (!thinking_) return {};
    std::string_view effort = "max";
    const Json* given =
        prompt_.template_args ? present_member(*prompt_.template_args, "thinking_effort") : nullptr;
    if (!given) given = reasoning_effort_of(prompt_.reasoning_effort, prompt_.template_args);
    if (given) {
      const std::string* name = given->if_string();
      if (!name || (*name != "low" && *name != "high" && *name != "max")) {
        return fail(Error(Errc::invalid_argument,
                          "thinking_effort must be low, high or max, got " + given->dump())
                        .with_param("reasoning_effort"));
      }
      effort = *name;
    }
    out_.internal("thinking-effort",
                  "`thinking_effort` guides on how much to think in your thinking channel (not "
                  "including the response channel), supported values include `low`, `medium`, "
                  "`high`, and `max`.\nNow the system is invoked with `thinking_effort=" +
                      std::string(effort) + "`.");
    return {};
  }

  Result<void> append_content(const Json* content, const std::string& path) {
    if (!content || content->is_null()) return {};
    if (const std::string* text = content->if_string()) {
      out_.text(*text);
      return {};
    }
    const Json::Array* parts = content->if_array();
    if (!parts) return fail_message(path + ".content", "expected a text or a list of parts");
    for (std::size_t i = 0; i < parts->size(); ++i) {
      const Json& part = (*parts)[i];
      const std::string_view type = text_member(part, "type");
      if (type == "image" || type == "image_url") {
        out_.control("<|media_pad|>");
      } else if (type == "text" || type == "input_text") {
        out_.text(text_member(part, "text"));
      } else {
        return fail_message(path + ".content[" + std::to_string(i) + "]",
                            "this model takes text and images, got \"" + std::string(type) + "\"");
      }
    }
    return {};
  }

  Result<void> append_message(const Json& message, std::size_t i, bool last) {
    const std::string_view role = text_member(message, "role");
    const std::string path = message_path(i);
    const std::string name(text_member(message, "name"));
    const SegmentWriter::Attribute name_attribute{name.empty() ? "" : "name", name};
    if (role == "system" || role == "developer" || role == "user") {
      if (const Json* tools = role == "user" ? nullptr : message.find("tools");
          tools && tools->if_array() && !tools->if_array()->empty()) {
        declare(*tools, true);
        if (!present_member(message, "content")) return {};
      }
      out_.open("message", {{"role", role == "user" ? "user" : "system"}, name_attribute});
      DYN_CHECK(append_content(message.find("content"), path));
      out_.end_message();
      return {};
    }
    if (role == "assistant") {
      DYN_TRY(calls_, read_tool_calls(message, path));
      out_.open("message", {{"role", "assistant"}, name_attribute});
      return append_assistant(message, path, last && prompt_.continue_final_message);
    }
    return fail_message(
        path + ".role",
        "expected system, developer, user, assistant or tool, got \"" + std::string(role) + "\"");
  }

  Result<void> append_assistant(const Json& message, const std::string& path, bool continued) {
    if (thinking_) {
      out_.open("think");
      const std::string reasoning = joined_reasoning(message);
      if (reasoning.find_first_not_of(" \t\r\n") != std::string::npos) out_.text(reasoning);
      out_.close("think");
    }
    out_.open("response");
    DYN_CHECK(append_content(message.find("content"), path));
    if (continued) return {};
    out_.close("response");
    if (!calls_.empty()) {
      out_.open("tools");
      for (std::size_t i = 0; i < calls_.size(); ++i) append_call(calls_[i], i + 1);
      out_.close("tools");
    }
    out_.end_message();
    return {};
  }

  void append_call(const ToolCall& call, std::size_t number) {
    out_.open("call", {{"tool", std::string(call.name)}, {"index", std::to_string(number)}});
    if (!call.arguments) {
      out_.open("json", {{"type", "object"}});
      out_.text(call.raw);
      out_.close("json");
    } else {
      for (const JsonObject::Member& m : *call.arguments->if_object()) {
        out_.open("argument", {{"key", m.key}, {"type", std::string(kind_of(m.value))}});
        if (const std::string* text = m.value.if_string()) {
          out_.text(*text);
        } else {
          std::string json;
          jinja::append_python_json(json, m.value);
          out_.text(json);
        }
        out_.close("argument");
      }
    }
    out_.close("call");
  }

  /// A run of results: in the order of the calls they answer when every id is known, else as given.
  Result<void> append_results(const Json::Array& messages, std::size_t begin, std::size_t end) {
    struct Entry {
      std::size_t call;
      std::size_t message;
    };
    std::vector<Entry> run;
    bool all_known = true;
    for (std::size_t i = begin; i < end; ++i) {
      const std::string_view id = text_member(messages[i], "tool_call_id");
      const auto at = std::find_if(calls_.begin(), calls_.end(), [id](const ToolCall& call) {
        return !id.empty() && call.id == id;
      });
      all_known = all_known && at != calls_.end();
      run.push_back({static_cast<std::size_t>(at - calls_.begin()), i});
    }
    if (all_known) {
      std::sort(run.begin(), run.end(), [](const Entry& a, const Entry& b) {
        return std::pair(a.call, a.message) < std::pair(b.call, b.message);
      });
    }
    for (std::size_t n = 0; n < run.size(); ++n) {
      const Json& message = messages[run[n].message];
      const std::string path = message_path(run[n].message);
      std::string_view tool = all_known ? calls_[run[n].call].name : text_member(message, "tool");
      if (tool.empty()) tool = text_member(message, "name");
      if (tool.empty() && n < calls_.size()) tool = calls_[n].name;
      if (tool.empty()) {
        return fail_message(path, "a tool result needs a name, or a tool call before it");
      }
      out_.open("message",
                {{"role", "tool"}, {"tool", std::string(tool)}, {"index", std::to_string(n + 1)}});
      DYN_CHECK(append_content(message.find("content"), path));
      out_.end_message();
    }
    return {};
  }

  void append_tool_choice(std::string_view forced) {
    const std::string* choice = prompt_.tool_choice ? prompt_.tool_choice->if_string() : nullptr;
    if (!forced.empty()) {
      out_.internal(
          "tool-choice",
          "The system is invoked with `tool_choice=specified`.\nYou MUST call the tool `" +
              std::string(forced) + "` in the next message.");
    } else if (choice && *choice == "required") {
      out_.internal("tool-choice",
                    "The system is invoked with `tool_choice=required`.\n"
                    "You MUST call tools in the next message.");
    } else if (choice && *choice == "none") {
      out_.internal("tool-choice",
                    "The system is invoked with `tool_choice=none`.\n"
                    "You MUST NOT call any tools in the next message.");
    }
  }

  void append_response_format() {
    if (!prompt_.response_format || !prompt_.response_format->is_object()) return;
    const std::string_view type = text_member(*prompt_.response_format, "type");
    constexpr std::string_view kRaw =
        "Your response must be raw JSON data without markdown code blocks (```json) or any "
        "additional formatting.";
    if (type == "json_object") {
      out_.internal(
          "response-format",
          "The system is invoked with `response_format=json_object`.\n" + std::string(kRaw));
    } else if (type == "json_schema") {
      const Json* wrapper = present_member(*prompt_.response_format, "json_schema");
      const Json* schema = wrapper ? present_member(*wrapper, "schema") : nullptr;
      if (!schema && wrapper) schema = present_member(*wrapper, "json_schema");
      if (!schema) schema = wrapper;
      out_.internal("response-format",
                    "The system is invoked with `response_format=json_schema`.\n" +
                        std::string(kRaw) +
                        "\nThe JSON data must match the following schema:\n```json\n" +
                        (schema ? sorted_json(*schema) : std::string("null")) + "\n```");
    }
  }

  const ChatPrompt& prompt_;
  SegmentWriter out_;
  std::vector<ToolCall> calls_;  ///< of the last assistant message
  bool thinking_ = true;
};

class KimiK3Formatter final : public PromptFormatter {
 public:
  std::string_view kind() const noexcept override { return "kimi_k3"; }
  Result<RenderedPrompt> render(const ChatPrompt& prompt) const override {
    RenderedPrompt rendered;
    DYN_TRY(rendered.segments, Encoder(prompt).run());
    return rendered;
  }
};

}  // namespace

std::shared_ptr<const PromptFormatter> make_kimi_k3_formatter() {
  return std::make_shared<const KimiK3Formatter>();
}

}  // namespace dynamo::llm::detail
