// SPDX-License-Identifier: Apache-2.0
#include <dynamo/llm/preproc/prompt_formatter.h>

#include <algorithm>
#include <string_view>

#include "llm/preproc/deepseek_v32.h"
#include "llm/preproc/deepseek_v4.h"
#include "llm/preproc/inkling.h"
#include "llm/preproc/jinja_formatter.h"
#include "llm/preproc/kimi_k3.h"

namespace dynamo::llm {
namespace {

/// Text of a special token: a text, or an object with `content`.
const std::string* token_text(const Json& token) {
  if (const std::string* text = token.if_string()) return text;
  const Json* content = token.find("content");
  return content ? content->if_string() : nullptr;
}

enum class NativeFormat { none, kimi_k3, inkling, deepseek_v4, deepseek_v32 };

std::string lower_case(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return out;
}

bool is_separator(char c) noexcept {
  return c == '-' || c == '_' || c == '.';
}

/// "deepseek", a separator or none, "v4", then the end or a separator.
bool is_deepseek_v4_name(std::string_view name) noexcept {
  constexpr std::string_view kFamily = "deepseek";
  if (!name.starts_with(kFamily)) return false;
  name.remove_prefix(kFamily.size());
  if (!name.empty() && is_separator(name.front())) name.remove_prefix(1);
  if (!name.starts_with("v4")) return false;
  name.remove_prefix(2);
  return name.empty() || is_separator(name.front());
}

/// By model type; by name only where the type is unknown. The last part of a path is the name.
/// Source: spec tokenizer-template B1.
NativeFormat native_format(const PromptFacts& facts) {
  const std::string type = lower_case(facts.model_type);
  std::string name = lower_case(facts.model_name);
  while (name.ends_with('/')) name.pop_back();
  if (const std::size_t slash = name.rfind('/'); slash != std::string::npos)
    name.erase(0, slash + 1);
  const auto named = [&name](std::string_view part) {
    return name.find(part) != std::string::npos;
  };
  if (type == "kimi_k3") return NativeFormat::kimi_k3;
  if (type == "inkling_mm_model") return NativeFormat::inkling;
  if (type == "deepseek_v4") return NativeFormat::deepseek_v4;
  if (type == "deepseek_v3_2" || type == "deepseek_v32") {
    return named("exp") ? NativeFormat::none : NativeFormat::deepseek_v32;
  }
  if (!type.empty()) return NativeFormat::none;
  if (named("kimi-k3") || named("kimi_k3") || named("kimik3")) return NativeFormat::kimi_k3;
  if (is_deepseek_v4_name(name)) return NativeFormat::deepseek_v4;
  if (named("deepseek") && named("v3.2") && !named("exp")) return NativeFormat::deepseek_v32;
  return NativeFormat::none;
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
  switch (native_format(facts)) {
    case NativeFormat::kimi_k3:
      return detail::make_kimi_k3_formatter();
    case NativeFormat::inkling:
      return detail::make_inkling_formatter();
    case NativeFormat::deepseek_v4:
      return detail::make_deepseek_v4_formatter();
    case NativeFormat::deepseek_v32:
      return detail::make_deepseek_v32_formatter();
    case NativeFormat::none:
      break;
  }
  return detail::make_jinja_formatter(facts, options);
}

std::shared_ptr<const PromptFormatter> make_plain_formatter() {
  return std::make_shared<const PlainFormatter>();
}

}  // namespace dynamo::llm
