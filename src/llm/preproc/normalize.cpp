// SPDX-License-Identifier: Apache-2.0
#include "llm/preproc/normalize.h"

#include <algorithm>
#include <string_view>

namespace dynamo::llm::detail {
namespace {

std::string_view text_of(const Json* json) {
  const std::string* text = json ? json->if_string() : nullptr;
  return text ? std::string_view(*text) : std::string_view();
}

/// Integers outside 64 bits would lose digits as doubles: they become texts, as in the reference.
std::string quote_huge_integers(std::string_view text) {
  constexpr std::size_t kDigitsOf64Bits = 19;
  std::string out;
  bool in_string = false;
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (in_string || c == '"') {
      out.push_back(c);
      if (in_string && c == '\\' && at + 1 < text.size()) out.push_back(text[++at]);
      if (c == '"') in_string = !in_string;
      ++at;
      continue;
    }
    const bool number = c == '-' || (c >= '0' && c <= '9');
    if (!number) {
      out.push_back(c);
      ++at;
      continue;
    }
    const std::size_t end = std::min(text.find_first_not_of("0123456789+-.eE", at), text.size());
    const std::string_view token = text.substr(at, end - at);
    const std::string_view digits = token.substr(c == '-' ? 1 : 0);
    const bool integer = digits.find_first_not_of("0123456789") == std::string_view::npos;
    const bool huge =
        integer &&
        (digits.size() > kDigitsOf64Bits + 1 ||
         (digits.size() == kDigitsOf64Bits + 1 && (c == '-' || digits > "18446744073709551615")));
    if (huge) out.push_back('"');
    out += token;
    if (huge) out.push_back('"');
    at = end;
  }
  return out;
}

/// One message on its way to the form the template wants. Copies it at the first change only.
class MessageNormalizer {
 public:
  MessageNormalizer(const Json& message, std::size_t index, const MessageRules& rules)
      : source_(message), path_("messages[" + std::to_string(index) + "]"), rules_(rules) {}

  Result<std::optional<Json>> run(std::size_t& images) {
    if (!source_.is_object()) return std::nullopt;
    normalize_content(images);
    DYN_CHECK(normalize_tool_calls());
    normalize_reasoning();
    return std::move(changed_);
  }

 private:
  const Json& now() const noexcept { return changed_ ? *changed_ : source_; }
  JsonObject& change() {
    if (!changed_) changed_ = source_;
    return *changed_->if_object();
  }

  static bool is_text(const Json& part) {
    return text_of(part.find("type")) == "text" && part.find("text") &&
           part.find("text")->is_string();
  }

  void normalize_content(std::size_t& images) {
    const Json* content = now().find("content");
    if (!content) return;
    if (content->is_string()) {
      if (!rules_.content_arrays) return;
      Json part = Json::object({{"type", "text"}, {"text", *content}});
      change().set("content", Json(Json::Array{std::move(part)}));
      return;
    }
    const Json::Array* parts = content->if_array();
    if (!parts || parts->empty()) return;
    const bool text_only = std::all_of(parts->begin(), parts->end(), is_text);
    if (text_only && !rules_.content_arrays) {
      std::string joined;
      for (const Json& part : *parts) {
        if (&part != parts->data()) joined.push_back('\n');
        joined += text_of(part.find("text"));
      }
      change().set("content", std::move(joined));
      return;
    }
    if (!text_only && !rules_.content_arrays && !rules_.walks_content &&
        rules_.placeholder != MessageRules::Placeholder::none) {
      change().set("content", with_placeholders(*parts, images));
      return;
    }
    strip_media(*parts);
  }

  std::string with_placeholders(const Json::Array& parts, std::size_t& images) const {
    std::string out;
    for (const Json& part : parts) {
      if (is_text(part)) {
        out += text_of(part.find("text"));
        continue;
      }
      ++images;
      switch (rules_.placeholder) {
        case MessageRules::Placeholder::numbered:
          out += "<|image_" + std::to_string(images) + "|>";
          break;
        case MessageRules::Placeholder::image_tag:
          out += "<image>";
          break;
        case MessageRules::Placeholder::none:
        case MessageRules::Placeholder::empty:
          break;
      }
    }
    return out;
  }

  /// Templates look for the kind of a part only; its payload goes to the engine another way.
  void strip_media(const Json::Array& parts) {
    constexpr std::pair<std::string_view, std::string_view> kMedia[] = {
        {"image_url", "image"}, {"video_url", "video"}, {"audio_url", "audio"}};
    const auto kind_of = [&](const Json& part) -> std::string_view {
      const std::string_view type = text_of(part.find("type"));
      for (const auto& [from, to] : kMedia) {
        if (type == from) return to;
      }
      return {};
    };
    if (std::none_of(parts.begin(), parts.end(),
                     [&](const Json& p) { return !kind_of(p).empty(); })) {
      return;
    }
    Json::Array stripped;
    stripped.reserve(parts.size());
    for (const Json& part : parts) {
      const std::string_view kind = kind_of(part);
      stripped.push_back(kind.empty() ? part : Json::object({{"type", kind}}));
    }
    change().set("content", Json(std::move(stripped)));
  }

  Result<void> normalize_tool_calls() {
    if (const Json* legacy = now().find("function_call")) {
      if (const Json* arguments = legacy->find("arguments"); arguments && arguments->is_string()) {
        DYN_TRY(Json value, parse_arguments(*arguments->if_string(), "function_call.arguments"));
        change().find("function_call")->if_object()->set("arguments", std::move(value));
      }
    }
    if (rules_.arguments_as_text) return {};
    const Json* calls = now().find("tool_calls");
    const Json::Array* list = calls ? calls->if_array() : nullptr;
    if (!list) return {};
    for (std::size_t i = 0; i < list->size(); ++i) {
      const Json* function = (*now().find("tool_calls")->if_array())[i].find("function");
      const Json* arguments = function ? function->find("arguments") : nullptr;
      if (!arguments || !arguments->is_string()) continue;
      DYN_TRY(Json value,
              parse_arguments(*arguments->if_string(),
                              "tool_calls[" + std::to_string(i) + "].function.arguments"));
      Json& call = (*change().find("tool_calls")->if_array())[i];
      call.find("function")->if_object()->set("arguments", std::move(value));
    }
    return {};
  }

  /// Templates that do not test for text want a mapping.
  Result<Json> parse_arguments(const std::string& text, const std::string& field) const {
    if (text.find_first_not_of(" \t\r\n") == std::string::npos) return Json::object();
    auto parsed = parse_json(quote_huge_integers(text));
    if (!parsed) {
      const std::string path = path_ + "." + field;
      return fail(
          Error(Errc::invalid_argument, path + " is not valid JSON: " + parsed.error().message())
              .with_param(path));
    }
    return parsed->is_object() ? *std::move(parsed) : Json::object();
  }

  /// Segments of reasoning: one for a text, several for a list; empty ones do not count.
  static std::vector<std::string_view> segments_of(const Json& reasoning) {
    std::vector<std::string_view> segments;
    if (reasoning.is_string()) {
      if (!reasoning.if_string()->empty()) segments.push_back(*reasoning.if_string());
    } else if (const Json::Array* list = reasoning.if_array()) {
      for (const Json& segment : *list) {
        if (!text_of(&segment).empty()) segments.push_back(text_of(&segment));
      }
    }
    return segments;
  }

  void normalize_reasoning() {
    if (text_of(now().find("role")) != "assistant") return;
    struct Alias {
      std::string_view name;
      bool read;
    };
    const Alias aliases[] = {{"reasoning_content", rules_.reads_reasoning_content},
                             {"reasoning", rules_.reads_reasoning},
                             {"thinking", rules_.reads_thinking}};
    const Json* given = nullptr;
    for (const Alias& alias : aliases) {
      const Json* value = now().find(alias.name);
      if (!given && value && (value->is_string() || value->is_array())) given = value;
    }
    if (!given) return;
    const bool read = std::any_of(std::begin(aliases), std::end(aliases),
                                  [](const Alias& alias) { return alias.read; });
    const std::vector<std::string_view> segments = segments_of(*given);
    if (!read) return prepend_thoughts(segments);
    std::string joined;
    for (const std::string_view segment : segments) {
      if (!joined.empty()) joined.push_back('\n');
      joined += segment;
    }
    for (const Alias& alias : aliases) {
      if (!alias.read) continue;
      const Json* value = now().find(alias.name);
      if (value && value->is_string()) continue;
      change().set(alias.name, joined);
    }
  }

  void prepend_thoughts(const std::vector<std::string_view>& segments) {
    std::string thoughts;
    for (const std::string_view segment : segments) {
      thoughts += "<think>";
      thoughts += segment;
      thoughts += "</think>";
    }
    JsonObject& message = change();
    message.erase("reasoning_content");
    if (thoughts.empty()) return;
    Json* content = message.find("content");
    if (!content || content->is_null()) {
      message.set("content", std::move(thoughts));
    } else if (std::string* text = content->if_string()) {
      text->insert(0, thoughts);
    } else if (Json::Array* parts = content->if_array()) {
      parts->insert(parts->begin(), Json::object({{"type", "text"}, {"text", thoughts}}));
    }
  }

  const Json& source_;
  std::string path_;
  const MessageRules& rules_;
  std::optional<Json> changed_;
};

}  // namespace

Result<std::optional<Json>> normalize_messages(const Json& messages, const MessageRules& rules) {
  const Json::Array* list = messages.if_array();
  if (!list) return std::nullopt;
  std::optional<Json> changed;
  std::size_t images = 0;
  for (std::size_t i = 0; i < list->size(); ++i) {
    DYN_TRY(std::optional<Json> message, MessageNormalizer((*list)[i], i, rules).run(images));
    if (!message) continue;
    if (!changed) changed = messages;
    (*changed->if_array())[i] = *std::move(message);
  }
  return changed;
}

std::optional<Json> normalize_tools(const Json& tools) {
  const Json::Array* list = tools.if_array();
  if (!list) return std::nullopt;
  std::optional<Json> changed;
  for (std::size_t i = 0; i < list->size(); ++i) {
    const Json* function = (*list)[i].find("function");
    if (!function || !function->is_object()) continue;
    const Json* description = function->find("description");
    const Json* parameters = function->find("parameters");
    const bool open_schema = parameters && parameters->is_object() &&
                             (!parameters->find("type") || !parameters->find("properties"));
    if (description && description->is_string() && !open_schema) continue;
    if (!changed) changed = tools;
    JsonObject& to = *(*changed->if_array())[i].find("function")->if_object();
    if (!description || !description->is_string()) to.set("description", "");
    if (open_schema) {
      JsonObject& schema = *to.find("parameters")->if_object();
      if (!schema.contains("type")) schema.set("type", "object");
      if (!schema.contains("properties")) schema.set("properties", Json::object());
    }
  }
  return changed;
}

}  // namespace dynamo::llm::detail
