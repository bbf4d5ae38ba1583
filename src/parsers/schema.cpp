// SPDX-License-Identifier: Apache-2.0
#include "parsers/schema.h"

#include <algorithm>

namespace dynamo::parsers::detail {
namespace {

/// References and alternatives nested deeper than this are not followed; real schemas need two.
constexpr int kDepthLimit = 8;

std::string lower(std::string_view word) {
  std::string out(word);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

}  // namespace

Schema Schema::of_tool(std::span<const ToolDefinition> tools, std::string_view name) noexcept {
  for (const ToolDefinition& tool : tools) {
    if (tool.name == name && tool.parameters != nullptr) return {tool.parameters, tool.parameters};
  }
  return {};
}

Schema Schema::resolved() const noexcept {
  Schema at = *this;
  for (int depth = 0; depth < kDepthLimit && at.node_ != nullptr; ++depth) {
    const Json* reference = at.node_->find("$ref");
    const std::string* path = reference != nullptr ? reference->if_string() : nullptr;
    if (path == nullptr) return at;
    if (!path->starts_with('#')) return {};
    at.node_ = root_->pointer(std::string_view(*path).substr(1));
  }
  return {};
}

Schema Schema::property(std::string_view name) const noexcept {
  const Schema self = resolved();
  if (!self.known()) return {};
  const Json* properties = self.node_->find("properties");
  const Json* found = properties != nullptr ? properties->find(name) : self.node_->find(name);
  return {root_, found};
}

Schema Schema::member(std::string_view name) const noexcept {
  const Schema self = resolved();
  if (!self.known()) return {};
  if (const Json* properties = self.node_->find("properties"); properties != nullptr) {
    if (const Json* found = properties->find(name)) return {root_, found};
  }
  for (const std::string_view list : {"anyOf", "oneOf", "allOf"}) {
    const Json* options = self.node_->find(list);
    const Json::Array* array = options != nullptr ? options->if_array() : nullptr;
    if (array == nullptr) continue;
    for (const Json& option : *array) {
      const Json* properties = Schema(root_, &option).resolved().node_;
      properties = properties != nullptr ? properties->find("properties") : nullptr;
      if (properties == nullptr) continue;
      if (const Json* found = properties->find(name)) return {root_, found};
    }
  }
  const Json* rest = self.node_->find("additionalProperties");
  if (rest != nullptr && rest->is_object()) return {root_, rest};
  return {};
}

Schema Schema::items() const noexcept {
  const Schema self = resolved();
  if (!self.known()) return {};
  if (const Json* items = self.node_->find("items")) return {root_, items};
  for (const std::string_view list : {"anyOf", "oneOf"}) {
    const Json* options = self.node_->find(list);
    const Json::Array* array = options != nullptr ? options->if_array() : nullptr;
    if (array == nullptr) continue;
    for (const Json& option : *array) {
      const Schema inner = Schema(root_, &option).resolved();
      if (!inner.known()) continue;
      if (const Json* items = inner.node_->find("items")) return {root_, items};
    }
  }
  return {};
}

void Schema::collect(std::vector<std::string>& words, int depth) const {
  const Schema self = resolved();
  if (!self.known() || depth > kDepthLimit) return;
  const auto add = [&](const Json& word) {
    const std::string* text = word.if_string();
    if (text != nullptr && std::ranges::find(words, lower(*text)) == words.end())
      words.push_back(lower(*text));
  };
  if (const Json* type = self.node_->find("type")) {
    add(*type);
    if (const Json::Array* list = type->if_array()) std::ranges::for_each(*list, add);
    return;
  }
  for (const std::string_view list : {"anyOf", "oneOf", "allOf"}) {
    const Json* options = self.node_->find(list);
    const Json::Array* array = options != nullptr ? options->if_array() : nullptr;
    if (array == nullptr) continue;
    for (const Json& option : *array) Schema(root_, &option).collect(words, depth + 1);
  }
  if (!words.empty()) return;
  // Without a type, the admitted values tell.
  const Json* values = self.node_->find("enum");
  const Json::Array* array = values != nullptr ? values->if_array() : nullptr;
  const auto add_kind = [&](const Json& value) { add(Json(value.kind_name())); };
  if (array != nullptr) std::ranges::for_each(*array, add_kind);
  if (const Json* constant = self.node_->find("const")) add_kind(*constant);
}

std::vector<std::string> Schema::types() const {
  std::vector<std::string> words;
  collect(words, 0);
  return words;
}

bool Schema::admits(std::string_view type) const {
  const std::vector<std::string> words = types();
  return std::ranges::find(words, type) != words.end();
}

}  // namespace dynamo::parsers::detail
