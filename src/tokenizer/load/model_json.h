// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>
#include <dynamo/base/json.h>

#include <cstdint>
#include <memory>
#include <string_view>

#include "tokenizer/load/json_pull.h"
#include "tokenizer/model/model.h"
#include "tokenizer/model/vocabulary.h"

namespace dynamo::tokenizer::detail {

/// The "model" member of tokenizer.json: its small fields as JSON, its large ones as text.
struct ModelText {
  enum class Type : std::uint8_t { bpe, word_piece, word_level, unigram };
  Type type = Type::bpe;
  Json fields;                 ///< all but vocab and merges
  Vocabulary vocabulary;       ///< as spelled, not indexed
  std::vector<double> scores;  ///< by id, of a vocabulary with scores
  std::string_view merges;
};

/// Reads the object that comes next: the vocabulary in one pass, while merges must wait for it.
/// Errors: invalid_argument naming an unknown model type, or what is wrong with the JSON.
Result<ModelText> read_model_text(JsonPull& json);

/// `byte_level` when the pieces are bytes and the tokens spelled in the byte-level alphabet.
/// `whole` is the text of the file, for line and column in errors.
Result<std::unique_ptr<Model>> read_model(ModelText text, std::string_view whole, bool byte_level);

}  // namespace dynamo::tokenizer::detail
