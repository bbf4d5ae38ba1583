// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/log.h>

#include <algorithm>
#include <charconv>

#include "tokenizer/load/components.h"
#include "tokenizer/load/fields.h"

namespace dynamo::tokenizer::detail {
namespace {

constexpr std::string_view kPart = "added_tokens";

AddedVocabulary::Declared read_token(Fields& fields) {
  AddedVocabulary::Declared token;
  token.content = fields.string("content", std::nullopt);
  token.special = fields.boolean("special", false);
  token.single_word = fields.boolean("single_word", false);
  token.lstrip = fields.boolean("lstrip", false);
  token.rstrip = fields.boolean("rstrip", false);
  token.normalized = fields.boolean("normalized", !token.special);
  return token;
}

}  // namespace

Result<std::vector<AddedVocabulary::Declared>> read_added_tokens(const Json& json) {
  std::vector<AddedVocabulary::Declared> out;
  if (json.is_null()) return out;
  const Json::Array* list = json.if_array();
  if (list == nullptr) return fail(Errc::invalid_argument, "added_tokens: expected an array");
  out.reserve(list->size());
  for (const Json& entry : *list) {
    Fields fields(entry, kPart);
    auto token = read_token(fields);
    if (!fields.ok()) return fields.failure();
    out.push_back(std::move(token));
  }
  return out;
}

std::vector<std::pair<TokenId, AddedVocabulary::Declared>> config_tokens(
    std::string_view config_json) {
  std::vector<std::pair<TokenId, AddedVocabulary::Declared>> out;
  if (config_json.empty()) return out;
  const auto json = parse_json(config_json);
  if (!json) {
    DYN_LOG_WARN("tokenizer", "tokenizer_config.json ignored", {{"error", json.error()}});
    return out;
  }
  const Json* decoder = json->find("added_tokens_decoder");
  const JsonObject* tokens = decoder != nullptr ? decoder->if_object() : nullptr;
  if (tokens == nullptr) return out;
  for (const JsonObject::Member& member : *tokens) {
    TokenId id = 0;
    const char* end = member.key.data() + member.key.size();
    const auto [stop, ec] = std::from_chars(member.key.data(), end, id);
    if (ec != std::errc() || stop != end || !member.value.is_object()) continue;
    Fields fields(member.value, kPart);
    auto token = read_token(fields);
    if (fields.ok()) out.emplace_back(id, std::move(token));
  }
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  return out;
}

}  // namespace dynamo::tokenizer::detail
