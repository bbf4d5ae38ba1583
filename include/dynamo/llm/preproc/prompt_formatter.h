// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/clock.h>
#include <dynamo/base/error.h>
#include <dynamo/base/json.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// From a chat request to the text that is tokenized: chat templates and the native formats of
/// models that publish none. Source: spec tokenizer-template B1–B9.
namespace dynamo::llm {

/// The parts of a parsed chat request that shape its prompt. A view: everything must outlive the
/// call. Null pointers and JSON null both mean absent.
struct ChatPrompt {
  const Json& messages;                    ///< the request's `messages`, an array
  const Json* tools = nullptr;             ///< `tools`, an array
  const Json* tool_choice = nullptr;       ///< "none", "auto", "required" or an object naming one
  const Json* response_format = nullptr;   ///< an object with `type`
  const Json* reasoning_effort = nullptr;  ///< `reasoning_effort`, for native formats that have it
  /// `chat_template_args` / `chat_template_kwargs`, an object; its members override everything.
  const Json* template_args = nullptr;
  bool add_generation_prompt = true;
  /// The last message is an assistant turn to go on with: no closing marker behind it.
  bool continue_final_message = false;
};

/// Text that is encoded on its own; control tokens in it count as such only when `allow_special`.
struct PromptSegment {
  std::string text;
  bool allow_special = false;
};

/// A prompt: either one text (segments empty) or segments, which must be encoded one by one and
/// never joined first, since user text could then forge control tokens.
struct RenderedPrompt {
  std::string text;
  std::vector<PromptSegment> segments;
  bool is_segmented() const noexcept { return !segments.empty(); }
  /// The whole prompt as one text, for annotations and logs.
  std::string flattened() const;
};

/// Turns chat requests into prompts in one model's format. Immutable.
/// Thread safety: any number of threads may render at once. Rendering a long conversation can take
/// more than 100 us: call it on the compute pool.
/// Errors: Errc::invalid_argument for whatever the request or the template is to blame for
/// (jinja/template.h lists the reasons of templates); nothing else.
class PromptFormatter {
 public:
  virtual ~PromptFormatter() = default;
  virtual Result<RenderedPrompt> render(const ChatPrompt& prompt) const = 0;
  /// "jinja", "deepseek_v32", "deepseek_v4", "kimi_k3", "inkling" or "none".
  virtual std::string_view kind() const noexcept = 0;
};

struct NamedTemplate {
  std::string name;  ///< "default", "tool_use", "rag", …
  std::string source;
};

/// What a model says about its prompts.
struct PromptFacts {
  std::string model_type;  ///< `model_type` of config.json; empty when unknown
  std::string model_name;  ///< used where model_type is unknown
  /// Empty: the model has no chat template.
  std::vector<NamedTemplate> templates;
  /// "bos_token" -> "<s>" and so on, every special token the tokenizer configuration names.
  std::vector<std::pair<std::string, std::string>> special_tokens;

  /// Text of a special token, or empty.
  std::string_view special_token(std::string_view name) const noexcept;
  /// Reads `chat_template` (a text, or a list of {name, template}) and the special tokens (texts or
  /// objects with `content`) of a tokenizer_config.json; templates present already are kept, since
  /// chat_template.jinja and a file given by the user override it.
  /// Errors: Errc::invalid_argument for a `chat_template` of another shape.
  Result<void> merge_tokenizer_config(const Json& tokenizer_config);
  /// Replaces the templates by one source (chat_template.jinja, --custom-jinja-template).
  void override_template(std::string source);
};

struct PromptFormatterOptions {
  /// Tools are left out of the prompt when tool_choice is "none" (the command line's default).
  bool exclude_tools_when_tool_choice_none = true;
  /// Adds `datetime` ("%d, %B, %Y", UTC), which some published llama templates read.
  bool llama3_datetime = false;
  /// What strftime_now and `datetime` read; null means Clock::system(). Must outlive the formatter.
  const Clock* clock = nullptr;
};

/// Picks the format by model type, then name, then template, and compiles it.
/// Errors: Errc::invalid_argument when a template does not compile; Errc::not_found when the model
/// has neither a native format nor a template.
Result<std::shared_ptr<const PromptFormatter>> make_prompt_formatter(
    const PromptFacts& facts, const PromptFormatterOptions& options = {});

/// The formatter of models without a template: the first message's text.
std::shared_ptr<const PromptFormatter> make_plain_formatter();

}  // namespace dynamo::llm
