// SPDX-License-Identifier: Apache-2.0
#include "llm/preproc/deepseek_v4.h"

#include <dynamo/base/log.h>
#include <dynamo/jinja/python_json.h>

#include <algorithm>
#include <array>
#include <vector>

#include "llm/preproc/deepseek_dsml.h"
#include "llm/preproc/prompt_message.h"

namespace dynamo::llm::detail {
namespace {

using namespace std::string_view_literals;

constexpr auto kToolsBefore =
    "## Tools\n\nYou have access to a set of tools to help answer the user's question. You can"
    " invoke tools by writing a \"<｜DSML｜tool_calls>\" block like the following:\n\n"
    "<｜DSML｜tool_calls>\n<｜DSML｜invoke name=\"$TOOL_NAME\">\n"
    "<｜DSML｜parameter name=\"$PARAMETER_NAME\" string=\"true|false\">$PARAMETER_VALUE"
    "</｜DSML｜parameter>\n...\n</｜DSML｜invoke>\n<｜DSML｜invoke name=\"$TOOL_NAME2\">\n...\n"
    "</｜DSML｜invoke>\n</｜DSML｜tool_calls>\n\n"
    "String parameters should be specified as is and set `string=\"true\"`. For all other types"
    " (numbers, booleans, arrays, objects), pass the value in JSON format and set"
    " `string=\"false\"`.\n\n"
    "If thinking_mode is enabled (triggered by <think>), you MUST output your complete reasoning"
    " inside <think>...</think> BEFORE any tool calls or final response.\n\n"
    "Otherwise, output directly after </think> with tool calls or final response.\n\n"
    "### Available Tool Schemas\n\n"sv;
constexpr auto kToolsAfter =
    "\n\nYou MUST strictly follow the above defined tool name and parameter schemas to invoke tool"
    " calls.\n"sv;

constexpr auto kMaximumEffort =
    "Reasoning Effort: Absolute maximum with no shortcuts permitted.\n"
    "You MUST be very thorough in your thinking and comprehensively decompose the problem to"
    " resolve the root cause, rigorously stress-testing your logic against all potential paths,"
    " edge cases, and adversarial scenarios.\n"
    "Explicitly write out your entire deliberation process, documenting every intermediate step,"
    " considered alternative, and rejected hypothesis to ensure absolutely no assumption is left"
    " unchecked.\n\n"sv;

constexpr std::array kTasks = {"action"sv, "query"sv, "authority"sv,
                               "domain"sv, "title"sv, "read_url"sv};

/// A message as the format sees it: results of tools are part of a user turn.
struct Turn {
  std::string_view role;
  std::string content;
  std::string_view task;
  bool without_eos = false;
  std::string reasoning;
  std::vector<ToolCall> calls;
  const Json* source = nullptr;  ///< carries tools and response_format
};

/// Content as one text: its text parts one behind the other. Media has no form in this format.
std::string content_text(const Json& message) {
  const Json* content = present_member(message, "content");
  if (!content) return {};
  if (const std::string* text = content->if_string()) return *text;
  std::string out;
  if (const Json::Array* parts = content->if_array()) {
    for (const Json& part : *parts) {
      out += part.is_string() ? std::string_view(*part.if_string()) : text_member(part, "text");
    }
  } else {
    jinja::append_python_json(out, *content);
  }
  return out;
}

/// A tool's result: texts apart by blank lines, other parts named, since the model cannot see them.
std::vector<std::string> result_blocks(const Json& message) {
  const Json* content = present_member(message, "content");
  const Json::Array* parts = content ? content->if_array() : nullptr;
  if (!parts) return {content_text(message)};
  std::vector<std::string> blocks;
  for (const Json& part : *parts) {
    const std::string_view type = text_member(part, "type");
    if (part.is_string()) {
      blocks.push_back(*part.if_string());
    } else if (type == "text") {
      blocks.emplace_back(text_member(part, "text"));
    } else {
      blocks.push_back("[Unsupported " + std::string(type) + "]");
    }
  }
  return blocks;
}

std::string join_blocks(const std::vector<std::string>& blocks) {
  std::string joined;
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    if (i != 0) joined += "\n\n";
    joined += blocks[i];
  }
  return joined;
}

/// Merges results and consecutive user messages into turns.
class TurnBuilder {
 public:
  Result<std::vector<Turn>> run(const Json::Array& messages) {
    for (std::size_t i = 0; i < messages.size(); ++i) {
      const Json& message = messages[i];
      const std::string_view role = text_member(message, "role");
      if (role == "tool") {
        results_.push_back(
            {text_member(message, "tool_call_id"),
             "<tool_result>" + join_blocks(result_blocks(message)) + "</tool_result>"});
        continue;
      }
      if (role == "user") {
        take_results();
        // A turn with a task is complete.
        if (in_user_ && !turns_.back().task.empty()) close_user();
        open_user();
        blocks_.push_back(content_text(message));
        note_fields(message);
        continue;
      }
      close_user();
      DYN_CHECK(add(message, role, i));
    }
    close_user();
    return std::move(turns_);
  }

 private:
  struct ToolResult {
    std::string_view call_id;
    std::string text;
  };

  void open_user() {
    if (in_user_) return;
    in_user_ = true;
    turns_.emplace_back().role = "user";
  }

  /// Results in the order of the calls they answer.
  void take_results() {
    if (results_.empty()) return;
    const auto place = [this](const ToolResult& result) {
      const auto at = std::find(call_ids_.begin(), call_ids_.end(), result.call_id);
      return at - call_ids_.begin();
    };
    std::vector<std::pair<std::ptrdiff_t, std::size_t>> order;
    for (std::size_t i = 0; i < results_.size(); ++i) order.emplace_back(place(results_[i]), i);
    std::sort(order.begin(), order.end());
    open_user();
    for (const auto& [rank, i] : order) blocks_.push_back(std::move(results_[i].text));
    results_.clear();
  }

  void note_fields(const Json& message) {
    Turn& turn = turns_.back();
    if (const std::string_view task = text_member(message, "task"); !task.empty()) turn.task = task;
    turn.without_eos = turn.without_eos || is_set(message, "wo_eos");
    turn.source = &message;
  }

  void close_user() {
    take_results();
    if (in_user_) turns_.back().content = join_blocks(blocks_);
    blocks_.clear();
    in_user_ = false;
  }

  static bool is_set(const Json& message, std::string_view name) {
    const Json* flag = message.find(name);
    return flag && ((flag->if_bool() && *flag->if_bool()) || flag->as_int64().value_or(0) != 0);
  }

  Result<void> add(const Json& message, std::string_view role, std::size_t i) {
    if (role != "system" && role != "developer" && role != "assistant" &&
        role != "latest_reminder") {
      return fail_message(message_path(i) + ".role",
                          "expected system, developer, user, assistant, tool or latest_reminder,"
                          " got \"" +
                              std::string(role) + "\"");
    }
    Turn& turn = turns_.emplace_back();
    turn.role = role;
    turn.content = content_text(message);
    note_fields(message);
    if (role == "assistant") {
      turn.reasoning = joined_reasoning(message);
      DYN_TRY(turn.calls, read_tool_calls(message, message_path(i)));
      call_ids_.clear();
      for (const ToolCall& call : turn.calls) call_ids_.push_back(call.id);
    }
    return {};
  }

  std::vector<Turn> turns_;
  std::vector<ToolResult> results_;
  std::vector<std::string> blocks_;
  std::vector<std::string_view> call_ids_;
  bool in_user_ = false;
};

struct EncodeOptions {
  bool thinking = true;
  bool drop_thinking = true;
  bool maximum_effort = false;
  bool add_generation_prompt = true;
  bool continue_last = false;
};

class Encoder {
 public:
  Encoder(std::vector<Turn> turns, const EncodeOptions& options)
      : turns_(std::move(turns)), options_(options) {
    drop_earlier();
  }

  Result<std::string> run() {
    out_ += deepseek::kBos;
    if (options_.maximum_effort) out_ += kMaximumEffort;
    for (std::size_t i = 0; i < turns_.size(); ++i) DYN_CHECK(encode(i));
    return std::move(out_);
  }

 private:
  /// Earlier thoughts, and what a developer said before the last question, are not shown again.
  void drop_earlier() {
    find_last_user();
    if (!options_.thinking || !options_.drop_thinking) return;
    std::vector<Turn> kept;
    for (std::size_t i = 0; i < turns_.size(); ++i) {
      const bool earlier = static_cast<std::ptrdiff_t>(i) < last_user_;
      if (earlier && turns_[i].role == "developer") continue;
      if (earlier) turns_[i].reasoning.clear();
      kept.push_back(std::move(turns_[i]));
    }
    turns_ = std::move(kept);
    find_last_user();
  }

  void find_last_user() {
    last_user_ = -1;
    for (std::size_t i = 0; i < turns_.size(); ++i) {
      if (is_user(turns_[i])) last_user_ = static_cast<std::ptrdiff_t>(i);
    }
  }

  static bool is_user(const Turn& turn) noexcept {
    return turn.role == "user" || turn.role == "developer";
  }

  std::string_view think_tag(std::size_t i) const noexcept {
    const bool shown = !options_.drop_thinking || static_cast<std::ptrdiff_t>(i) >= last_user_;
    return options_.thinking && shown ? deepseek::kThink : deepseek::kThinkEnd;
  }

  Result<void> encode(std::size_t i) {
    const Turn& turn = turns_[i];
    if (turn.role == "system") {
      out_ += turn.content;
      append_declarations(turn);
    } else if (turn.role == "latest_reminder") {
      out_ += "<｜latest_reminder｜>";
      out_ += turn.content;
    } else if (is_user(turn)) {
      out_ += deepseek::kUser;
      out_ += turn.content;
      if (turn.role == "developer") append_declarations(turn);
      return append_transition(i);
    } else {
      append_assistant(i);
    }
    return {};
  }

  void append_declarations(const Turn& turn) {
    if (!turn.source) return;
    if (const Json::Array* tools = list_member(*turn.source, "tools")) {
      out_ += "\n\n";
      out_ += kToolsBefore;
      deepseek::append_tool_schemas(out_, *tools);
      out_ += kToolsAfter;
    }
    if (const Json* format = present_member(*turn.source, "response_format")) {
      out_ += "\n\n";
      deepseek::append_response_format(out_, *format);
    }
  }

  Result<void> append_transition(std::size_t i) {
    const Turn& turn = turns_[i];
    if (!turn.task.empty()) {
      if (std::find(kTasks.begin(), kTasks.end(), turn.task) == kTasks.end()) {
        return fail(Error(Errc::invalid_argument, "unknown task \"" + std::string(turn.task) +
                                                      "\"; known: action, query, authority, domain,"
                                                      " title, read_url")
                        .with_param("messages"));
      }
      if (turn.task == "action") {
        out_ += deepseek::kAssistant;
        out_ += think_tag(i);
      }
      out_ += "<｜";
      out_ += turn.task;
      out_ += "｜>";
      return {};
    }
    const bool last = i + 1 == turns_.size();
    const bool answered =
        last ? options_.add_generation_prompt
             : turns_[i + 1].role == "assistant" || turns_[i + 1].role == "latest_reminder";
    if (!answered) return {};
    out_ += deepseek::kAssistant;
    out_ += think_tag(i);
    return {};
  }

  void append_assistant(std::size_t i) {
    const Turn& turn = turns_[i];
    const bool answers_task = i > 0 && !turns_[i - 1].task.empty();
    const bool thoughts = options_.thinking && !answers_task &&
                          (!options_.drop_thinking || static_cast<std::ptrdiff_t>(i) > last_user_);
    if (thoughts) {
      out_ += turn.reasoning;
      out_ += deepseek::kThinkEnd;
    }
    out_ += turn.content;
    if (!turn.calls.empty()) {
      out_ += "\n\n<｜DSML｜tool_calls>\n";
      deepseek::append_invokes(out_, turn.calls);
      out_ += "\n</｜DSML｜tool_calls>";
    }
    const bool open = turn.without_eos || (options_.continue_last && i + 1 == turns_.size());
    if (!open) out_ += deepseek::kEos;
  }

  std::vector<Turn> turns_;
  EncodeOptions options_;
  std::ptrdiff_t last_user_ = -1;
  std::string out_;
};

class DeepSeekV4Formatter final : public PromptFormatter {
 public:
  std::string_view kind() const noexcept override { return "deepseek_v4"; }
  Result<RenderedPrompt> render(const ChatPrompt& prompt) const override {
    DYN_TRY(const std::optional<Json> attached, deepseek::attach_to_system(prompt));
    const Json::Array& messages = *(attached ? *attached : prompt.messages).if_array();
    EncodeOptions options;
    options.thinking = is_thinking(prompt.template_args, true);
    options.add_generation_prompt = prompt.add_generation_prompt;
    options.continue_last = prompt.continue_final_message;
    options.drop_thinking = drops_thinking(prompt.template_args, messages);
    options.maximum_effort =
        options.thinking &&
        is_maximum(reasoning_effort_of(prompt.reasoning_effort, prompt.template_args));
    DYN_TRY(std::vector<Turn> turns, TurnBuilder().run(messages));
    DYN_TRY(std::string text, Encoder(std::move(turns), options).run());
    RenderedPrompt rendered;
    rendered.text = std::move(text);
    return rendered;
  }

 private:
  /// With tools in play, a call's reasoning belongs to its results and stays.
  static bool drops_thinking(const Json* args, const Json::Array& messages) {
    for (const Json& message : messages) {
      if (list_member(message, "tools")) return false;
    }
    const Json* flag = args ? args->find("drop_thinking") : nullptr;
    return !flag || !flag->if_bool() || *flag->if_bool();
  }

  static bool is_maximum(const Json* effort) {
    if (!effort) return false;
    const std::string* name = effort->if_string();
    if (name && (*name == "max" || *name == "xhigh")) return true;
    constexpr std::array kPlain = {"high"sv, "medium"sv, "low"sv, "minimal"sv, "none"sv};
    if (!name || std::find(kPlain.begin(), kPlain.end(), *name) == kPlain.end()) {
      DYN_LOG_WARN("llm::preproc", "unknown_reasoning_effort", {{"effort", effort->dump()}});
    }
    return false;
  }
};

}  // namespace

std::shared_ptr<const PromptFormatter> make_deepseek_v4_formatter() {
  return std::make_shared<const DeepSeekV4Formatter>();
}

}  // namespace dynamo::llm::detail
