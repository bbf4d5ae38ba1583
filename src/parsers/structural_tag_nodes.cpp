// SPDX-License-Identifier: Apache-2.0
#include "parsers/structural_tag_nodes.h"

#include <optional>
#include <utility>

#include "parsers/json_text.h"

namespace dynamo::parsers::detail {
namespace {

constexpr std::string_view kArgumentClose = "<|close|>argument<|sep|>";
constexpr std::string_view kCloseToken = "<|close|>";
/// Beyond these, an enumeration or a bound would cost the engine more than it gives (the
/// reference's numbers).
constexpr std::size_t kValuesLimit = 256;
constexpr std::int64_t kLengthLimit = 4096;

std::string attribute(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '&') {
      out += "&amp;";
    } else if (c == '"') {
      out += "&quot;";
    } else {
      out += c;
    }
  }
  return out;
}

/// Any argument of any name.
Json open_argument() {
  return tag("<|open|>argument ", sequence({regex("[^<]*<\\|sep\\|>"), any_text({kCloseToken})}),
             kArgumentClose);
}

/// The allowed strings of a schema, when it lists them and they can be written as constants.
std::optional<Json::Array> listed_strings(const Json& schema) {
  Json::Array values;
  if (const Json* constant = schema.find("const")) values.push_back(*constant);
  if (const Json* list = schema.find("enum");
      values.empty() && list != nullptr && list->if_array() != nullptr) {
    values = *list->if_array();
  }
  if (values.empty() || values.size() > kValuesLimit) return std::nullopt;
  Json::Array nodes;
  for (const Json& value : values) {
    const std::string* text = value.if_string();
    if (text == nullptr || text->contains("<|")) return std::nullopt;
    nodes.push_back(const_string(*text));
  }
  return nodes;
}

Json string_content(const Json& schema) {
  if (auto values = listed_strings(schema)) {
    if (values->size() == 1) return std::move((*values)[0]);
    return Json::object({{"type", "or"}, {"elements", Json(*std::move(values))}});
  }
  const Json* longest = schema.find("maxLength");
  const auto max = longest != nullptr ? longest->as_int64() : std::nullopt;
  if (max && *max >= 0 && *max <= kLengthLimit) {
    const Json* shortest = schema.find("minLength");
    const auto min = shortest != nullptr ? shortest->as_int64() : std::nullopt;
    return regex("(?:[^<]|<[^|]){" + std::to_string(min.value_or(0)) + "," + std::to_string(*max) +
                 "}");
  }
  return any_text({kCloseToken});
}

Json with_definitions(const Json& schema, const Json& root) {
  Json out = schema;
  for (const std::string_view name : {"$defs", "definitions"}) {
    const Json* definitions = root.find(name);
    if (definitions != nullptr && out.is_object() && out.find(name) == nullptr)
      out[name] = *definitions;
  }
  return out;
}

Json argument(std::string_view key, const Json& schema, const Json& root) {
  const Json* type = schema.find("type");
  const std::string* word = type != nullptr ? type->if_string() : nullptr;
  if (word == nullptr) return open_argument();
  const std::string shown = *word == "integer" ? "number" : *word;
  const std::string begin =
      "<|open|>argument key=\"" + attribute(key) + "\" type=\"" + shown + "\"<|sep|>";
  Json content = *word == "string" ? string_content(schema)
                                   : json_schema(with_definitions(schema, root), "json");
  return tag(begin, std::move(content), kArgumentClose);
}

Json call(const KimiK3Tool& tool) {
  Json::Array arguments;
  const Json* properties =
      tool.parameters != nullptr ? tool.parameters->find("properties") : nullptr;
  const JsonObject* members = properties != nullptr ? properties->if_object() : nullptr;
  bool open = members == nullptr;
  if (members != nullptr) {
    for (const auto& member : *members) {
      Json node = argument(member.key, member.value, *tool.parameters);
      const Json* begin = node.find("begin");
      const bool is_open = *begin->if_string() == "<|open|>argument ";
      if (!is_open || !open) arguments.push_back(std::move(node));
      open = open || is_open;
    }
  } else {
    arguments.push_back(open_argument());
  }
  Json::Array parts{regex("[0-9]+"), const_string("\"<|sep|>")};
  if (!arguments.empty()) {
    Json one = arguments.size() == 1
                   ? std::move(arguments[0])
                   : Json::object({{"type", "or"}, {"elements", Json(std::move(arguments))}});
    parts.push_back(Json::object({{"type", "star"}, {"content", std::move(one)}}));
  }
  return tag("<|open|>call tool=\"" + attribute(tool.name) + "\" index=\"",
             sequence(std::move(parts)), "<|close|>call<|sep|>");
}

}  // namespace

Json tag(std::string_view begin, Json content, std::string_view end) {
  return Json::object({{"type", "tag"},
                       {"begin", Json(begin)},
                       {"content", std::move(content)},
                       {"end", Json(end)}});
}

Json sequence(Json::Array elements) {
  return Json::object({{"type", "sequence"}, {"elements", Json(std::move(elements))}});
}

Json const_string(std::string_view value) {
  return Json::object({{"type", "const_string"}, {"value", Json(value)}});
}

Json regex(std::string_view pattern) {
  return Json::object({{"type", "regex"}, {"pattern", Json(pattern)}});
}

Json any_text(std::vector<std::string_view> excludes) {
  Json::Array list;
  for (const std::string_view text : excludes) list.push_back(Json(text));
  return Json::object({{"type", "any_text"}, {"excludes", Json(std::move(list))}});
}

Json json_schema(Json schema, std::string_view style) {
  return Json::object(
      {{"type", "json_schema"}, {"json_schema", std::move(schema)}, {"style", Json(style)}});
}

Json optional_node(Json content) {
  return Json::object({{"type", "optional"}, {"content", std::move(content)}});
}

Json tags_with_separator(Json::Array tags, bool stop_after_first) {
  return Json::object({{"type", "tags_with_separator"},
                       {"tags", Json(std::move(tags))},
                       {"separator", ""},
                       {"at_least_one", Json(true)},
                       {"stop_after_first", Json(stop_after_first)}});
}

Json kimi_k3_format(const std::vector<KimiK3Tool>& tools, bool named, bool stop_after_first) {
  Json::Array calls;
  for (const KimiK3Tool& tool : tools) calls.push_back(call(tool));
  Json part = tag("<|open|>tools<|sep|>", tags_with_separator(std::move(calls), stop_after_first),
                  "<|close|>tools<|sep|>");
  Json answer = named ? const_string("") : any_text({});
  return sequence({optional_node(const_string("<|open|>response<|sep|>")),
                   tag("", std::move(answer), "<|close|>response<|sep|>"),
                   named ? std::move(part) : optional_node(std::move(part)),
                   optional_node(const_string("<|close|>message<|sep|>"))});
}

}  // namespace dynamo::parsers::detail
