// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>
#include <dynamo/base/json.h>

#include <cstdint>
#include <memory>
#include <string_view>

#include "tokenizer/model/model.h"

namespace dynamo::tokenizer::detail {

/// The "model" member of tokenizer.json: its small fields as JSON, its large ones as text.
struct ModelText {
  enum class Type : std::uint8_t { bpe, word_piece, word_level, unigram };
  Type type = Type::bpe;
  Json fields;  ///< all but vocab and merges
  std::string_view vocab;
  std::string_view merges;
};

/// `whole` is the text of the file, for line and column in errors.
/// Errors: invalid_argument naming an unknown model type, or what is wrong with the JSON.
Result<ModelText> find_model_fields(std::string_view model, std::string_view whole);

/// `byte_level` when the pieces are bytes and the tokens spelled in the byte-level alphabet.
Result<std::unique_ptr<Model>> read_model(const ModelText& text, std::string_view whole,
                                          bool byte_level);

}  // namespace dynamo::tokenizer::detail
