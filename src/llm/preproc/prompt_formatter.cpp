// SPDX-License-Identifier: Apache-2.0
#include <dynamo/llm/preproc/prompt_formatter.h>

#include <algorithm>
#include <string_view>

#include "llm/preproc/jinja_formatter.h"

namespace dynamo::llm {
namespace {

/// Text of a special token: a text, or an object with `content`.
const std::string* token_text(const Json& token) {
  if (const std::string* text = token.if_string()) return text;
  const Json* content = token.find("content");
  return content ? content->if_string() : nullptr;
}

class PlainFormatter final : public PromptFormatter {
 public:
  std::string_view kind() const noexcept override { return "none"; }
  Result<RenderedPrompt> render(const ChatPrompt& prompt) const override {
    const Json* first = prompt.messages.at(0);
    const Json* content = first ? first->find("content") : nullptr;
    const std::string* text = content ? content->if_string() : nullptr;
    if (!text) {
      return fail(Error(Errc::invalid_argument,
                        "messages[0].content must be a text: the model has no chat template")
                      .with_param("messages[0].content"));
    }
    RenderedPrompt rendered;
    rendered.text = *text;
    return rendered;
  }
};

}  // namespace

std::string RenderedPrompt::flattened() const {
  if (!is_segmented()) return text;
  std::string all;
  for (const PromptSegment& segment : segments) all += segment.text;
  return all;
}

std::string_view PromptFacts::special_token(std::string_view name) const noexcept {
  for (const auto& [key, token] : special_tokens) {
    if (key == name) return token;
  }
  return {};
}

void PromptFacts::override_template(std::string source) {
  templates.clear();
  templates.push_back({"default", std::move(source)});
}

Result<void> PromptFacts::merge_tokenizer_config(const Json& config) {
  if (const JsonObject* members = config.if_object()) {
    for (const JsonObject::Member& m : *members) {
      if (!m.key.ends_with("_token") || !special_token(m.key).empty()) continue;
      if (const std::string* text = token_text(m.value)) special_tokens.emplace_back(m.key, *text);
    }
  }
  const Json* source = config.find("chat_template");
  if (!templates.empty() || !source || source->is_null()) return {};
  if (const std::string* text = source->if_string()) {
    override_template(*text);
    return {};
  }
  const Json::Array* list = source->if_array();
  if (!list || list->empty()) {
    return fail(
        Error(Errc::invalid_argument, "chat_template must be a text or a list of {name, template}")
            .with_param("chat_template"));
  }
  for (const Json& entry : *list) {
    const Json* name = entry.find("name");
    const Json* text = entry.find("template");
    if (!name || !name->is_string() || !text || !text->is_string()) {
      templates.clear();
      return fail(Error(Errc::invalid_argument,
                        "each entry of chat_template needs the texts name and template")
                      .with_param("chat_template"));
    }
    templates.push_back({*name->if_string(), *text->if_string()});
  }
  return {};
}

Result<std::shared_ptr<const PromptFormatter>> make_prompt_formatter(
    const PromptFacts& facts, const PromptFormatterOptions& options) {
  return detail::make_jinja_formatter(facts, options);
}

std::shared_ptr<const PromptFormatter> make_plain_formatter() {
  return std::make_shared<const PlainFormatter>();
}

}  // namespace dynamo::llm
