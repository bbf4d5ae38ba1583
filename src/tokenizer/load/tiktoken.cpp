// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/load/tiktoken.h"

#include <dynamo/base/base64.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <unordered_map>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "tokenizer/model/bpe.h"
#include "tokenizer/split/scanner.h"

namespace dynamo::tokenizer::detail {
namespace {

/// Values of config.json's model_type that use Kimi's pattern. Source: spec tokenizer-template A10.
constexpr std::array<std::string_view, 6> kKimiTypes = {"kimi",    "kimi_k2",     "kimi_k25",
                                                        "kimi_k3", "kimi_linear", "deepseek_v3"};
/// Ids behind the largest rank that have a name or are reserved.
constexpr TokenId kSpecialIds = 256;
/// Kimi's own tokenizer encodes longer texts, and longer runs of white space or of anything else,
/// in parts.
constexpr std::size_t kKimiCharactersMax = 400'000;
constexpr std::size_t kKimiRunCharactersMax = 25'000;

struct Ranks {
  Vocabulary vocabulary;
  TokenId largest = 0;
};

Result<Ranks> read_ranks(std::string_view text) {
  Ranks out;
  std::size_t line_number = 0;
  while (!text.empty()) {
    ++line_number;
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.find_first_not_of(" \t") == std::string_view::npos) continue;
    const std::size_t space = line.find(' ');
    const auto token = base::base64_decode(line.substr(0, space));
    TokenId rank = 0;
    const std::string_view digits =
        space == std::string_view::npos ? std::string_view() : line.substr(space + 1);
    const auto [stop, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), rank);
    if (!token || token->empty() || ec != std::errc() || stop != digits.data() + digits.size()) {
      return fail(Errc::invalid_argument,
                  fmt::format("tiktoken line {}: expected base64 of a token, a space and its rank",
                              line_number));
    }
    if (auto added = out.vocabulary.add(*token, rank); !added) {
      return std::unexpected(
          std::move(added.error()).with(fmt::format("tiktoken line {}", line_number)));
    }
    out.largest = std::max(out.largest, rank);
  }
  if (out.vocabulary.size() == 0)
    return fail(Errc::invalid_argument, "tiktoken file without tokens");
  return out;
}

}  // namespace

Result<Parts> read_tiktoken(std::string_view ranks_text, std::string_view model_type,
                            const LoadOptions&, std::string_view config_json) {
  if (std::ranges::find(kKimiTypes, model_type) == kKimiTypes.end()) {
    return fail(Errc::invalid_argument,
                fmt::format("tiktoken: model_type '{}' is not supported; supported are {}",
                            model_type, fmt::join(kKimiTypes, ", ")));
  }
  DYN_TRY(Ranks ranks, read_ranks(ranks_text));
  const TokenId base = ranks.largest + 1;
  if (base + kSpecialIds >= kTokenIdLimit)
    return fail(Errc::invalid_argument, "tiktoken: ranks over the limit");
  std::vector<TokenId> products(base);
  for (TokenId rank = 0; rank < base; ++rank) products[rank] = rank;

  Parts parts;
  BpeOptions options;
  options.raw_bytes = true;
  options.byte_level = true;
  options.ignore_merges = true;
  options.strict = true;
  auto model = std::make_unique<BpeModel>(std::move(ranks.vocabulary), std::move(options));
  DYN_CHECK(model->set_products(std::move(products)));
  model->finish();
  parts.model = std::move(model);
  parts.pre_tokenizers.push_back(std::make_unique<ScanSplitter>(find_scanner(kKimiPattern)));
  parts.decoders.push_back(std::make_unique<ByteLevelDecoder>());
  parts.has_decoder = true;
  parts.characters_max = kKimiCharactersMax;
  parts.run_characters_max = kKimiRunCharactersMax;

  std::unordered_map<TokenId, std::string> names;
  for (auto& [id, token] : config_tokens(config_json)) {
    if (id < kTokenIdLimit) names[id] = std::move(token.content);
  }
  for (TokenId id = base; id < base + kSpecialIds; ++id) {
    if (!names.contains(id)) names[id] = fmt::format("<|reserved_token_{}|>", id);
  }
  for (auto& [id, name] : names) {
    AddedVocabulary::Declared token;
    token.content = std::move(name);
    token.special = true;
    parts.added.add_with_id(std::move(token), id);
  }
  return parts;
}

}  // namespace dynamo::tokenizer::detail
