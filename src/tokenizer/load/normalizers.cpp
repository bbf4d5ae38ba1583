// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/base64.h>

#include <fmt/core.h>

#include "tokenizer/load/components.h"
#include "tokenizer/load/fields.h"
#include "tokenizer/load/pattern.h"

namespace dynamo::tokenizer::detail {
namespace {

constexpr std::string_view kPart = "normalizer";
constexpr int kDepthLimit = 16;

using Made = Result<std::unique_ptr<Normalizer>>;

Made make(const Json& json, const LoadOptions& options, int depth) {
  if (depth > kDepthLimit)
    return fail(Errc::invalid_argument, "normalizer: sequences nested too deeply");
  Fields fields(json, kPart);
  const std::string_view type = fields.type();
  if (type == "Sequence") {
    std::vector<std::unique_ptr<Normalizer>> steps;
    if (const Json* list = fields.array("normalizers")) {
      for (const Json& step : *list->if_array()) {
        DYN_TRY(auto made, make(step, options, depth + 1));
        steps.push_back(std::move(made));
      }
    }
    if (!fields.ok()) return fields.failure();
    if (steps.empty()) return nullptr;
    if (steps.size() == 1) return std::move(steps.front());
    std::erase(steps, nullptr);
    return std::make_unique<NormalizerSequence>(std::move(steps));
  }
  if (type == "NFC") return std::make_unique<FormNormalizer>(unicode::NormalizationForm::nfc);
  if (type == "NFD") return std::make_unique<FormNormalizer>(unicode::NormalizationForm::nfd);
  if (type == "NFKC") return std::make_unique<FormNormalizer>(unicode::NormalizationForm::nfkc);
  if (type == "NFKD") return std::make_unique<FormNormalizer>(unicode::NormalizationForm::nfkd);
  if (type == "Lowercase") return std::make_unique<CharacterNormalizer>(map_to_lower);
  if (type == "StripAccents") return std::make_unique<CharacterNormalizer>(map_without_accents);
  if (type == "Nmt") return std::make_unique<CharacterNormalizer>(map_nmt);
  if (type == "ByteLevel") return std::make_unique<CharacterNormalizer>(map_to_byte_alphabet);
  if (type == "Strip") {
    const bool left = fields.boolean("strip_left", true);
    const bool right = fields.boolean("strip_right", true);
    return fields.result<std::unique_ptr<Normalizer>>(
        std::make_unique<StripNormalizer>(left, right));
  }
  if (type == "Prepend") {
    return fields.result<std::unique_ptr<Normalizer>>(
        std::make_unique<PrependNormalizer>(fields.string("prepend", std::nullopt)));
  }
  if (type == "Replace") {
    std::string content = fields.string("content", std::nullopt);
    DYN_TRY(Pattern pattern, read_pattern(fields, kPart));
    if (pattern.regex) {
      return std::make_unique<ReplaceNormalizer>(*std::move(pattern.regex), std::move(content),
                                                 options.regex_step_limit);
    }
    return std::make_unique<ReplaceNormalizer>(std::move(pattern.literal), std::move(content));
  }
  if (type == "Precompiled") {
    const std::string encoded = fields.string("precompiled_charsmap", std::nullopt);
    if (!fields.ok()) return fields.failure();
    auto bytes = base::base64_decode(encoded);
    if (!bytes) return std::unexpected(std::move(bytes.error()).with("normalizer (Precompiled)"));
    DYN_TRY(auto made, PrecompiledNormalizer::make(*bytes));
    return made;
  }
  if (type == "BertNormalizer") {
    BertNormalizer::Options bert;
    bert.clean_text = fields.boolean("clean_text", true);
    bert.handle_chinese_chars = fields.boolean("handle_chinese_chars", true);
    bert.lowercase = fields.boolean("lowercase", true);
    bert.strip_accents = fields.boolean("strip_accents", bert.lowercase);
    return fields.result<std::unique_ptr<Normalizer>>(std::make_unique<BertNormalizer>(bert));
  }
  return fields.unknown_type();
}

}  // namespace

Result<std::unique_ptr<Normalizer>> make_normalizer(const Json& json, const LoadOptions& options) {
  if (json.is_null()) return nullptr;
  return make(json, options, 0);
}

}  // namespace dynamo::tokenizer::detail
