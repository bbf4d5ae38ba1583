// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>
#include <dynamo/base/json.h>
#include <dynamo/tokenizer/tokenizer.h>

#include <memory>
#include <vector>

#include "tokenizer/added_tokens.h"
#include "tokenizer/decode/decoder.h"
#include "tokenizer/model/model.h"
#include "tokenizer/normalize/normalizer.h"
#include "tokenizer/split/pre_tokenizer.h"

namespace dynamo::tokenizer::detail {

/// The parts of a tokenizer before they are put together.
struct Parts {
  std::unique_ptr<Normalizer> normalizer;
  std::vector<std::unique_ptr<PreTokenizer>> pre_tokenizers;
  std::unique_ptr<Model> model;
  AddedVocabulary added;
  std::vector<std::unique_ptr<Decoder>> decoders;
  bool has_decoder = false;  ///< without one, tokens are joined by spaces
  Tokenizer::Affixes affixes;
  Tokenizer::NamedIds named_ids;
  /// Longer pieces of text are encoded apart (Kimi's tiktoken), 0 for no limit.
  std::size_t characters_max = 0;
  std::size_t run_characters_max = 0;
};

/// Each takes the JSON of one part of tokenizer.json; null is allowed.
/// Errors: invalid_argument naming the part, and its type when that is unknown.
Result<std::unique_ptr<Normalizer>> make_normalizer(const Json& json, const LoadOptions& options);

struct PreTokenizerPlan {
  std::vector<std::unique_ptr<PreTokenizer>> steps;
  bool byte_level = false;  ///< the model gets bytes and does the spelling itself
};
/// `model_takes_bytes` when the model can be given bytes instead of their spelling.
Result<PreTokenizerPlan> make_pre_tokenizer(const Json& json, bool model_takes_bytes,
                                            const LoadOptions& options);

Result<std::vector<std::unique_ptr<Decoder>>> make_decoder(const Json& json,
                                                           const LoadOptions& options);
Result<Tokenizer::Affixes> make_affixes(const Json& post_processor);
Result<std::vector<AddedVocabulary::Declared>> read_added_tokens(const Json& json);

/// The special tokens of tokenizer_config.json's added_tokens_decoder, by id; empty when the text
/// is empty or not JSON.
std::vector<std::pair<TokenId, AddedVocabulary::Declared>> config_tokens(
    std::string_view config_json);

}  // namespace dynamo::tokenizer::detail
