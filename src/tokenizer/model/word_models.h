// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "tokenizer/model/model.h"
#include "tokenizer/model/vocabulary.h"

namespace dynamo::tokenizer::detail {

/// A model whose tokens are found by their spelling.
class VocabularyModel : public Model {
 public:
  explicit VocabularyModel(Vocabulary vocabulary) : vocabulary_(std::move(vocabulary)) {
    vocabulary_.build_index();
  }
  TokenId find(std::string_view token) const override { return vocabulary_.find(token); }
  std::string spelling(TokenId id) const override { return std::string(vocabulary_[id]); }
  bool contains(TokenId id) const noexcept override { return vocabulary_.contains(id); }
  std::size_t count() const noexcept override { return vocabulary_.count(); }
  std::size_t id_bound() const noexcept override { return vocabulary_.size(); }
  std::size_t memory_bytes() const noexcept override { return vocabulary_.memory_bytes(); }

 protected:
  Vocabulary vocabulary_;
};

/// Whole words or the unknown token.
class WordLevelModel final : public VocabularyModel {
 public:
  WordLevelModel(Vocabulary vocabulary, std::string unk_token);
  Result<void> encode(std::string_view text, std::span<const Range> pieces,
                      ModelScratch& scratch) const override;

 private:
  std::string unk_token_;
  TokenId unk_;
};

/// Longest token first, from the left; a word that cannot be covered is one unknown token.
class WordPieceModel final : public VocabularyModel {
 public:
  WordPieceModel(Vocabulary vocabulary, std::string unk_token, std::string continuing_prefix,
                 std::size_t characters_max);
  Result<void> encode(std::string_view text, std::span<const Range> pieces,
                      ModelScratch& scratch) const override;

 private:
  bool encode_word(std::string_view word, ModelScratch& scratch) const;
  std::string unk_token_;
  std::string prefix_;
  std::size_t characters_max_;
  TokenId unk_;
};

}  // namespace dynamo::tokenizer::detail
