// SPDX-License-Identifier: Apache-2.0
#include "llm/preproc/jinja_formatter.h"

#include <dynamo/jinja/template.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include "llm/preproc/normalize.h"

namespace dynamo::llm::detail {
namespace {

/// Marks where the last message ends, so that what the template adds behind it can be cut off.
/// Its trailing space shows whether the template trims content. Source: transformers.
constexpr std::string_view kContinueTag = "CONTINUE_FINAL_MESSAGE_TAG ";

struct CompiledTemplate {
  jinja::Template code;
  MessageRules rules;
};

/// A template whose only own text is space and which never asks for a role.
bool passes_text_through(const jinja::Template& code) {
  return code.mentions("content") && !code.mentions("role") &&
         code.source().find('<') == std::string_view::npos;
}

MessageRules rules_of(const jinja::Template& code) {
  const jinja::Facts& facts = code.facts();
  const std::string_view source = code.source();
  const auto has = [source](std::string_view text) {
    return source.find(text) != std::string_view::npos;
  };
  MessageRules rules;
  rules.content_arrays = facts.needs_content_arrays;
  rules.walks_content = facts.walks_content;
  rules.arguments_as_text = facts.tests_arguments_is_string;
  rules.reads_reasoning_content = facts.reads_reasoning_content;
  rules.reads_reasoning = code.reads_attribute("reasoning");
  rules.reads_thinking = code.reads_attribute("thinking");
  if (has("<|end|>") && has("<|assistant|>")) {
    rules.placeholder = MessageRules::Placeholder::numbered;
  } else if (has("USER:") && has("ASSISTANT:")) {
    rules.placeholder = MessageRules::Placeholder::image_tag;
  } else if (passes_text_through(code)) {
    rules.placeholder = MessageRules::Placeholder::empty;
  }
  return rules;
}

bool is_present(const Json* json) noexcept {
  return json && !json->is_null();
}

/// The text that a continued message ends with, to which the tag is added.
std::string* final_text(Json& messages) {
  Json::Array* list = messages.if_array();
  if (!list || list->empty()) return nullptr;
  Json* content = list->back().find("content");
  if (!content) return nullptr;
  if (std::string* text = content->if_string()) return text;
  Json::Array* parts = content->if_array();
  if (!parts) return nullptr;
  for (auto part = parts->rbegin(); part != parts->rend(); ++part) {
    if (Json* text = part->find("text"); text && text->if_string()) return text->if_string();
  }
  return nullptr;
}

class JinjaFormatter final : public PromptFormatter {
 public:
  JinjaFormatter(std::vector<CompiledTemplate> templates, std::size_t with_tools,
                 const PromptFacts& facts, const PromptFormatterOptions& options)
      : templates_(std::move(templates)),
        with_tools_(with_tools),
        special_tokens_(facts.special_tokens),
        options_(options) {}

  std::string_view kind() const noexcept override { return "jinja"; }

  Result<RenderedPrompt> render(const ChatPrompt& prompt) const override {
    const Json* tools = is_present(prompt.tools) ? prompt.tools : nullptr;
    if (tools && tools->if_array() && tools->if_array()->empty()) tools = nullptr;
    if (options_.exclude_tools_when_tool_choice_none && prompt.tool_choice &&
        *prompt.tool_choice == Json("none")) {
      tools = nullptr;
    }
    const CompiledTemplate& chosen = templates_[tools ? with_tools_ : 0];
    std::optional<Json> normalized_tools = tools ? normalize_tools(*tools) : std::nullopt;
    if (normalized_tools) tools = &*normalized_tools;
    DYN_TRY(std::optional<Json> messages, normalize_messages(prompt.messages, chosen.rules));
    if (prompt.continue_final_message) {
      if (!messages) messages = prompt.messages;
      std::string* text = final_text(*messages);
      if (!text) {
        return fail(Error(Errc::invalid_argument,
                          "continue_final_message needs a last message with text content")
                        .with_param("messages"));
      }
      *text += kContinueTag;
    }

    jinja::Context context;
    for (const auto& [name, token] : special_tokens_) context.set(name, token);
    context.set("messages", messages ? *messages : prompt.messages);
    tools ? context.set("tools", *tools) : context.set_none("tools");
    context.set_none("documents");
    context.set("add_generation_prompt",
                prompt.add_generation_prompt && !prompt.continue_final_message);
    std::string datetime;
    if (options_.llama3_datetime) {
      datetime = utc_date();
      context.set("datetime", datetime);
    }
    if (is_present(prompt.template_args)) context.set_members(*prompt.template_args);

    RenderedPrompt rendered;
    jinja::RenderOptions render_options;
    render_options.clock = options_.clock;
    DYN_CHECK(chosen.code.render(context, rendered.text, render_options));
    if (prompt.continue_final_message) DYN_CHECK(cut_behind_tag(rendered.text));
    return rendered;
  }

 private:
  static Result<void> cut_behind_tag(std::string& text) {
    const std::string_view bare = kContinueTag.substr(0, kContinueTag.size() - 1);
    const std::size_t at = text.rfind(bare);
    if (at == std::string::npos) {
      return fail(Error(Errc::invalid_argument,
                        "the chat template does not print the last message, so it cannot be "
                        "continued")
                      .with_param("continue_final_message"));
    }
    const bool keeps_space = std::string_view(text).substr(at).starts_with(kContinueTag);
    text.resize(at);
    if (!keeps_space) text.erase(text.find_last_not_of(" \t\r\n") + 1);
    return {};
  }

  /// "05, August, 2026"
  std::string utc_date() const {
    using namespace std::chrono;
    constexpr std::array<std::string_view, 12> kMonths = {
        "January", "February", "March",     "April",   "May",      "June",
        "July",    "August",   "September", "October", "November", "December"};
    const Clock& clock = options_.clock ? *options_.clock : Clock::system();
    const year_month_day date{floor<days>(clock.system_now())};
    const unsigned day = static_cast<unsigned>(date.day());
    return (day < 10 ? "0" : "") + std::to_string(day) + ", " +
           std::string(kMonths[static_cast<unsigned>(date.month()) - 1]) + ", " +
           std::to_string(static_cast<int>(date.year()));
  }

  std::vector<CompiledTemplate> templates_;  ///< the default one first
  std::size_t with_tools_;                   ///< which one serves requests with tools
  std::vector<std::pair<std::string, std::string>> special_tokens_;
  PromptFormatterOptions options_;
};

}  // namespace

Result<std::shared_ptr<const PromptFormatter>> make_jinja_formatter(
    const PromptFacts& facts, const PromptFormatterOptions& options) {
  const auto named = [&facts](std::string_view name) -> const NamedTemplate* {
    for (const NamedTemplate& t : facts.templates) {
      if (t.name == name) return &t;
    }
    return nullptr;
  };
  if (facts.templates.empty()) {
    return fail(Errc::not_found, "the model has no chat template");
  }
  const NamedTemplate* plain = named("default");
  if (!plain) plain = &facts.templates.front();
  const NamedTemplate* with_tools = named("tool_use");
  std::vector<CompiledTemplate> compiled;
  for (const NamedTemplate* source : {plain, with_tools}) {
    if (!source || (source == plain && !compiled.empty())) continue;
    DYN_TRY(jinja::Template code, jinja::Template::compile(source->source, source->name));
    MessageRules rules = rules_of(code);
    compiled.push_back({std::move(code), rules});
  }
  const std::size_t tool_index = compiled.size() - 1;
  return std::make_shared<const JinjaFormatter>(std::move(compiled), tool_index, facts, options);
}

}  // namespace dynamo::llm::detail
