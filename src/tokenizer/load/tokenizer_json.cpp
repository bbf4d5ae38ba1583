// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/load/tokenizer_json.h"

#include <dynamo/base/log.h>

#include <optional>
#include <utility>

#include "tokenizer/load/json_pull.h"
#include "tokenizer/load/model_json.h"

namespace dynamo::tokenizer::detail {
namespace {

/// The raw text of each top-level member, and the model as far as it can be read alone.
struct Sections {
  std::string_view normalizer;
  std::string_view pre_tokenizer;
  std::string_view post_processor;
  std::string_view decoder;
  std::string_view added_tokens;
  std::optional<ModelText> model;
};

Result<Sections> read_sections(std::string_view text) {
  Sections out;
  JsonPull json(text);
  std::string_view key;
  std::string_view ignored;
  if (!json.begin_object()) return fail(json.error());
  while (json.next_key(key)) {
    if (key == "model") {
      DYN_TRY(out.model, read_model_text(json));
      continue;
    }
    std::string_view* section = key == "normalizer"       ? &out.normalizer
                                : key == "pre_tokenizer"  ? &out.pre_tokenizer
                                : key == "post_processor" ? &out.post_processor
                                : key == "decoder"        ? &out.decoder
                                : key == "added_tokens"   ? &out.added_tokens
                                                          : &ignored;
    if (!json.skip(*section)) return fail(json.error());
  }
  if (!json.ok()) return fail(json.error());
  if (!json.at_end()) return fail(Errc::invalid_argument, "text behind the end of the JSON object");
  if (!out.model) return fail(Errc::invalid_argument, "no 'model' in the tokenizer's JSON");
  return out;
}

Result<Json> parse_section(std::string_view text, std::string_view name) {
  if (text.empty()) return Json();
  auto json = parse_json(text);
  if (!json) return std::unexpected(std::move(json.error()).with(name));
  return json;
}

}  // namespace

Result<Parts> read_tokenizer_json(std::string_view text, const LoadOptions& options,
                                  std::string_view config_json) {
  DYN_TRY(Sections sections, read_sections(text));
  Parts parts;
  DYN_TRY(const Json normalizer, parse_section(sections.normalizer, "normalizer"));
  DYN_TRY(parts.normalizer, make_normalizer(normalizer, options));
  DYN_TRY(const Json pre_tokenizer, parse_section(sections.pre_tokenizer, "pre_tokenizer"));
  DYN_TRY(PreTokenizerPlan plan,
          make_pre_tokenizer(pre_tokenizer, sections.model->type == ModelText::Type::bpe, options));
  parts.pre_tokenizers = std::move(plan.steps);
  DYN_TRY(parts.model, read_model(*std::move(sections.model), text, plan.byte_level));
  DYN_TRY(const Json decoder, parse_section(sections.decoder, "decoder"));
  DYN_TRY(parts.decoders, make_decoder(decoder, options));
  parts.has_decoder = !decoder.is_null();
  DYN_TRY(const Json post_processor, parse_section(sections.post_processor, "post_processor"));
  DYN_TRY(parts.affixes, make_affixes(post_processor));
  DYN_TRY(const Json added, parse_section(sections.added_tokens, "added_tokens"));
  DYN_TRY(const auto declared, read_added_tokens(added));
  parts.added.add(declared, *parts.model);
  if (options.merge_config_specials) {
    std::vector<AddedVocabulary::Declared> specials;
    for (auto& [id, token] : config_tokens(config_json)) {
      if (token.special) specials.push_back(std::move(token));
    }
    const std::size_t before = parts.added.tokens().size();
    parts.added.add(specials, *parts.model);
    if (parts.added.tokens().size() != before) {
      DYN_LOG_WARN("tokenizer", "special tokens only in tokenizer_config.json",
                   {{"added", static_cast<std::uint64_t>(parts.added.tokens().size() - before)}});
    }
  }
  return parts;
}

}  // namespace dynamo::tokenizer::detail
