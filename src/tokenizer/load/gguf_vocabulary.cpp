// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/load/gguf_vocabulary.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <span>

#include <fmt/core.h>

#include "tokenizer/model/bpe.h"
#include "tokenizer/split/scanner.h"

namespace dynamo::tokenizer::detail {
namespace {

/// Kinds of tokens in `tokenizer.ggml.token_type`.
enum TokenType : std::int64_t {
  normal = 1,
  unknown = 2,
  control = 3,
  user_defined = 4,
  unused = 5,
  byte = 6
};

constexpr std::string_view kCl100k =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kQwen2 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kQwen35 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kO200k =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kTekken =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kDeepSeekNumbers = R"(\p{N}{1,3})";
constexpr std::string_view kDeepSeekCjk = "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+";
constexpr std::string_view kDeepSeekWords =
    R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

/// How one value of `tokenizer.ggml.pre` cuts text. The patterns are those of the tokenizer.json
/// that the GGUF was made from, applied one after the other; names as in llama.cpp.
struct PreTokenizerKind {
  std::string_view name;
  std::array<std::string_view, 3> patterns{};
  bool single_digits = false;
  bool ignore_merges = false;
  bool add_bos = false;
  bool nfc = false;
};
constexpr auto kKinds = std::to_array<PreTokenizerKind>({
    {.name = "gpt-2", .patterns = {kGpt2Pattern}},
    {.name = "phi-2", .patterns = {kGpt2Pattern}},
    {.name = "mpt", .patterns = {kGpt2Pattern}},
    {.name = "olmo", .patterns = {kGpt2Pattern}},
    {.name = "jais", .patterns = {kGpt2Pattern}},
    {.name = "exaone4", .patterns = {kGpt2Pattern}},
    {.name = "roberta-bpe", .patterns = {kGpt2Pattern}},
    {.name = "modern-bert", .patterns = {kGpt2Pattern}},
    {.name = "granite-docling", .patterns = {kGpt2Pattern}},
    {.name = "smollm", .patterns = {kGpt2Pattern}, .single_digits = true},
    {.name = "starcoder", .patterns = {kGpt2Pattern}, .single_digits = true},
    {.name = "refact", .patterns = {kGpt2Pattern}, .single_digits = true},
    {.name = "codeshell", .patterns = {kGpt2Pattern}, .single_digits = true},
    {.name = "exaone", .patterns = {kGpt2Pattern}, .single_digits = true},
    {.name = "minerva-7b", .patterns = {kGpt2Pattern}, .single_digits = true},
    {.name = "command-r", .patterns = {kGpt2Pattern}, .single_digits = true, .nfc = true},
    {.name = "llama3", .patterns = {kCl100k}, .ignore_merges = true, .add_bos = true},
    {.name = "llama-v3", .patterns = {kCl100k}, .ignore_merges = true, .add_bos = true},
    {.name = "llama-bpe", .patterns = {kCl100k}, .ignore_merges = true, .add_bos = true},
    {.name = "falcon3", .patterns = {kCl100k}, .ignore_merges = true, .add_bos = true},
    {.name = "lfm2", .patterns = {kCl100k}, .ignore_merges = true, .add_bos = true},
    {.name = "dbrx", .patterns = {kCl100k}},
    {.name = "smaug-bpe", .patterns = {kCl100k}},
    {.name = "chatglm-bpe", .patterns = {kCl100k}},
    {.name = "glm4", .patterns = {kCl100k}, .ignore_merges = true},
    {.name = "glm5", .patterns = {kCl100k}, .ignore_merges = true},
    {.name = "qwen2", .patterns = {kQwen2}, .nfc = true},
    {.name = "deepseek-r1-qwen", .patterns = {kQwen2}},
    {.name = "stablelm2", .patterns = {kQwen2}, .nfc = true},
    {.name = "megrez", .patterns = {kQwen2}},
    {.name = "hunyuan", .patterns = {kQwen2}},
    {.name = "solar-open", .patterns = {kQwen2}},
    {.name = "grok-2", .patterns = {kQwen2}},
    {.name = "qwen35", .patterns = {kQwen35}, .nfc = true},
    {.name = "gpt-4o", .patterns = {kO200k}},
    {.name = "llama4", .patterns = {kO200k}},
    {.name = "kanana2", .patterns = {kO200k}},
    {.name = "minimax-m2", .patterns = {kO200k}},
    {.name = "tekken", .patterns = {kTekken}, .ignore_merges = true, .add_bos = true},
    {.name = "kimi-k2", .patterns = {kKimiPattern}},
    {.name = "deepseek-v3", .patterns = {kDeepSeekNumbers, kDeepSeekCjk, kDeepSeekWords}},
    {.name = "hunyuan-dense", .patterns = {kDeepSeekNumbers, kDeepSeekCjk, kDeepSeekWords}},
    {.name = "joyai-llm", .patterns = {kDeepSeekNumbers, kDeepSeekCjk, kDeepSeekWords}},
});

/// The arrays that both kinds of vocabulary have.
struct Tokens {
  std::vector<std::string_view> texts;
  std::vector<std::int64_t> types;
};

Result<Tokens> read_tokens(const GgufMetadata& metadata, Vocabulary& vocabulary) {
  const auto tokens = metadata.array("tokenizer.ggml.tokens");
  if (!tokens || tokens->type() != GgufMetadata::Type::string) {
    return fail(Errc::not_found, "GGUF has no tokenizer.ggml.tokens");
  }
  Tokens out;
  out.texts = tokens->strings();
  out.types.assign(out.texts.size(), TokenType::normal);
  if (const auto types = metadata.array("tokenizer.ggml.token_type")) {
    for (std::size_t i = 0; i < out.types.size(); ++i)
      out.types[i] = types->integer(i).value_or(TokenType::normal);
  }
  vocabulary.reserve(out.texts.size(), out.texts.size() * 8);
  for (std::size_t i = 0; i < out.texts.size(); ++i)
    DYN_CHECK(vocabulary.add(out.texts[i], static_cast<TokenId>(i)));
  return out;
}

void add_matched_tokens(const Tokens& tokens, AddedVocabulary& added) {
  for (std::size_t i = 0; i < tokens.texts.size(); ++i) {
    const std::int64_t type = tokens.types[i];
    if (type != TokenType::control && type != TokenType::user_defined && type != TokenType::unknown)
      continue;
    AddedVocabulary::Declared token;
    token.content = std::string(tokens.texts[i]);
    token.special = type != TokenType::user_defined;
    added.add_with_id(std::move(token), static_cast<TokenId>(i));
  }
}

/// Ids of begin, end and so on, and what encoding with special tokens puts around a text.
void read_named_ids(const GgufMetadata& metadata, std::size_t count, bool add_bos, Parts& parts) {
  const auto id = [&](std::string_view name) -> std::optional<TokenId> {
    const auto value = metadata.integer(fmt::format("tokenizer.ggml.{}_token_id", name));
    if (!value || *value < 0 || *value >= static_cast<std::int64_t>(count)) return std::nullopt;
    return static_cast<TokenId>(*value);
  };
  Tokenizer::NamedIds& named = parts.named_ids;
  named.bos = id("bos");
  named.eos = id("eos");
  named.eot = id("eot");
  named.unk = id("unknown");
  named.pad = id("padding");
  named.add_bos = metadata.boolean("tokenizer.ggml.add_bos_token").value_or(add_bos);
  named.add_eos = metadata.boolean("tokenizer.ggml.add_eos_token").value_or(false);
  if (named.add_bos && named.bos) parts.affixes.before.push_back(*named.bos);
  if (named.add_eos && named.eos) parts.affixes.after.push_back(*named.eos);
}

Result<const PreTokenizerKind*> find_kind(const GgufMetadata& metadata) {
  const std::string_view name = metadata.string("tokenizer.ggml.pre").value_or("default");
  for (const PreTokenizerKind& kind : kKinds) {
    if (kind.name == name || (name == "default" && kind.name == "gpt-2")) return &kind;
  }
  return fail(Errc::unimplemented, fmt::format("GGUF: tokenizer.ggml.pre '{}' is not known", name));
}

Result<Parts> read_byte_level(const GgufMetadata& metadata) {
  DYN_TRY(const PreTokenizerKind* kind, find_kind(metadata));
  Parts parts;
  Vocabulary vocabulary;
  DYN_TRY(const Tokens tokens, read_tokens(metadata, vocabulary));
  BpeOptions options;
  options.byte_level = true;
  options.ignore_merges = kind->ignore_merges;
  auto model = std::make_unique<BpeModel>(std::move(vocabulary), std::move(options));
  const auto merges = metadata.array("tokenizer.ggml.merges");
  if (!merges) return fail(Errc::not_found, "GGUF has no tokenizer.ggml.merges");
  model->reserve_merges(merges->size());
  for (const std::string_view merge : merges->strings()) {
    // The first symbol may itself be a space in some vocabularies, so the search begins behind it.
    const std::size_t space = merge.find(' ', 1);
    if (space == std::string_view::npos) {
      return fail(Errc::invalid_argument, fmt::format("GGUF: merge '{}' is not two tokens", merge));
    }
    DYN_CHECK(model->add_merge(merge.substr(0, space), merge.substr(space + 1)));
  }
  model->finish();
  parts.model = std::move(model);
  if (kind->nfc)
    parts.normalizer = std::make_unique<FormNormalizer>(unicode::NormalizationForm::nfc);
  if (kind->single_digits)
    parts.pre_tokenizers.push_back(std::make_unique<ScanSplitter>(scan_single_digits));
  for (const std::string_view pattern : kind->patterns) {
    if (!pattern.empty())
      parts.pre_tokenizers.push_back(std::make_unique<ScanSplitter>(find_scanner(pattern)));
  }
  parts.decoders.push_back(std::make_unique<ByteLevelDecoder>());
  parts.has_decoder = true;
  add_matched_tokens(tokens, parts.added);
  read_named_ids(metadata, tokens.texts.size(), kind->add_bos, parts);
  return parts;
}

Result<Parts> read_sentencepiece(const GgufMetadata& metadata) {
  Parts parts;
  Vocabulary vocabulary;
  DYN_TRY(const Tokens tokens, read_tokens(metadata, vocabulary));
  const auto scores = metadata.array("tokenizer.ggml.scores");
  if (!scores || scores->size() != tokens.texts.size()) {
    return fail(Errc::not_found, "GGUF has no tokenizer.ggml.scores for each token");
  }
  // Two symbols merge when they make a piece, the piece with the highest score first.
  std::vector<double> score(tokens.texts.size());
  std::vector<TokenId> products;
  for (std::size_t i = 0; i < score.size(); ++i) {
    score[i] = scores->real(i).value_or(0);
    const bool piece =
        tokens.types[i] == TokenType::normal || tokens.types[i] == TokenType::user_defined;
    if (piece && tokens.texts[i].size() > 1) products.push_back(static_cast<TokenId>(i));
  }
  std::ranges::sort(products, [&](TokenId a, TokenId b) {
    return score[a] != score[b] ? score[a] > score[b] : a < b;
  });
  read_named_ids(metadata, tokens.texts.size(), true, parts);

  BpeOptions options;
  options.byte_fallback = true;
  options.fuse_unk = true;
  if (parts.named_ids.unk) options.unk_token = std::string(tokens.texts[*parts.named_ids.unk]);
  auto model = std::make_unique<BpeModel>(std::move(vocabulary), std::move(options));
  DYN_CHECK(model->set_products(std::move(products)));
  model->finish();
  parts.model = std::move(model);

  const bool prefix = metadata.boolean("tokenizer.ggml.add_space_prefix").value_or(true);
  std::vector<std::unique_ptr<Normalizer>> steps;
  if (prefix) steps.push_back(std::make_unique<PrependNormalizer>("\u2581"));
  steps.push_back(std::make_unique<ReplaceNormalizer>(" ", "\u2581"));
  parts.normalizer = std::make_unique<NormalizerSequence>(std::move(steps));
  parts.decoders.push_back(std::make_unique<ReplaceDecoder>("\u2581", " "));
  parts.decoders.push_back(std::make_unique<ByteFallbackDecoder>());
  parts.decoders.push_back(std::make_unique<FuseDecoder>());
  if (prefix) parts.decoders.push_back(std::make_unique<StripDecoder>(" ", 1, 0));
  parts.has_decoder = true;
  add_matched_tokens(tokens, parts.added);
  return parts;
}

}  // namespace

Result<Parts> read_gguf_vocabulary(const GgufMetadata& metadata, const LoadOptions&) {
  const auto model = metadata.string("tokenizer.ggml.model");
  if (!model) return fail(Errc::not_found, "GGUF has no tokenizer.ggml.model");
  if (*model == "gpt2") return read_byte_level(metadata);
  if (*model == "llama") return read_sentencepiece(metadata);
  return fail(Errc::unimplemented,
              fmt::format("GGUF: tokenizer.ggml.model '{}' is neither gpt2 nor llama", *model));
}

}  // namespace dynamo::tokenizer::detail
