// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include "tokenizer/load/components.h"
#include "tokenizer/load/fields.h"

namespace dynamo::tokenizer::detail {
namespace {

constexpr std::string_view kPart = "post_processor";
constexpr int kDepthLimit = 16;
using Affixes = Tokenizer::Affixes;

/// Puts `outer` around what is there already.
void wrap(Affixes& affixes, const Affixes& outer) {
  affixes.before.insert(affixes.before.begin(), outer.before.begin(), outer.before.end());
  affixes.after.insert(affixes.after.end(), outer.after.begin(), outer.after.end());
}

std::optional<TokenId> id_of(const Json* json) {
  const auto number = json != nullptr ? json->as_uint64() : std::nullopt;
  if (!number || *number > UINT32_MAX) return std::nullopt;
  return static_cast<TokenId>(*number);
}

/// {"SpecialToken": {"id": name}} and {"Sequence": {"id": "A"}}, in order.
Result<Affixes> read_template(Fields& fields) {
  Affixes out;
  const Json* single = fields.array("single");
  if (single == nullptr) return fields.failure();
  bool seen = false;
  for (const Json& piece : *single->if_array()) {
    if (piece.find("Sequence") != nullptr) {
      if (seen)
        return fail(Errc::invalid_argument,
                    "post_processor (TemplateProcessing): 'single' repeats its sequence");
      seen = true;
      continue;
    }
    const Json* name = piece.pointer("/SpecialToken/id");
    const std::string* text = name != nullptr ? name->if_string() : nullptr;
    if (text == nullptr) {
      return fail(Errc::invalid_argument,
                  "post_processor (TemplateProcessing): 'single' has a piece that is neither "
                  "a Sequence nor a SpecialToken");
    }
    const Json* tokens = fields.member("special_tokens");
    const Json* token = tokens != nullptr ? tokens->find(*text) : nullptr;
    const Json* ids = token != nullptr ? token->find("ids") : nullptr;
    if (ids == nullptr || !ids->is_array()) {
      return fail(
          Errc::invalid_argument,
          fmt::format("post_processor (TemplateProcessing): no ids for special token '{}'", *text));
    }
    for (const Json& id : *ids->if_array()) {
      const auto number = id_of(&id);
      if (!number)
        return fail(Errc::invalid_argument,
                    "post_processor (TemplateProcessing): an id is no integer");
      (seen ? out.after : out.before).push_back(*number);
    }
  }
  if (!seen)
    return fail(Errc::invalid_argument,
                "post_processor (TemplateProcessing): 'single' has no sequence");
  return out;
}

Result<void> add(const Json& json, int depth, Affixes& affixes) {
  if (depth > kDepthLimit)
    return fail(Errc::invalid_argument, "post_processor: sequences nested too deeply");
  Fields fields(json, kPart);
  const std::string_view type = fields.type();
  if (type == "ByteLevel") return {};  // offsets only
  if (type == "Sequence") {
    const Json* list = fields.array("processors");
    if (list == nullptr) return fields.failure();
    for (const Json& step : *list->if_array()) DYN_CHECK(add(step, depth + 1, affixes));
    return {};
  }
  if (type == "TemplateProcessing") {
    DYN_TRY(const Affixes made, read_template(fields));
    wrap(affixes, made);
    return {};
  }
  if (type == "BertProcessing" || type == "RobertaProcessing") {
    // [text, id] each
    const auto id = [&](std::string_view name) {
      const Json* pair = fields.member(name);
      const auto number = id_of(pair != nullptr ? pair->at(1) : nullptr);
      if (!number) fields.wrong(name, "[text, id]");
      return number.value_or(0);
    };
    Affixes made;
    made.before.push_back(id("cls"));
    made.after.push_back(id("sep"));
    if (!fields.ok()) return fields.failure();
    wrap(affixes, made);
    return {};
  }
  return fields.unknown_type();
}

}  // namespace

Result<Tokenizer::Affixes> make_affixes(const Json& post_processor) {
  Affixes affixes;
  if (!post_processor.is_null()) DYN_CHECK(add(post_processor, 0, affixes));
  return affixes;
}

}  // namespace dynamo::tokenizer::detail
