// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "tokenizer/model/word_models.h"

namespace dynamo::tokenizer::detail {

/// SentencePiece's unigram language model: the cut with the largest sum of log probabilities.
///
/// Sums are added in the library's order in double precision, because ties and last bits decide.
class UnigramModel final : public VocabularyModel {
 public:
  /// `scores` by id; `byte_fallback` uses the `<0xXX>` tokens for unknown characters.
  UnigramModel(Vocabulary vocabulary, std::vector<double> scores, std::optional<TokenId> unk,
               bool byte_fallback);
  Result<void> encode(std::string_view text, std::span<const Range> pieces,
                      ModelScratch& scratch) const override;
  std::size_t memory_bytes() const noexcept override;

 private:
  bool encode_piece(std::string_view piece, ModelScratch& scratch) const;
  bool emit(std::string_view part, ModelScratch& scratch) const;

  /// All tokens as a trie in flat memory: a node's children are found in one hash table.
  class Trie {
   public:
    void build(const Vocabulary& vocabulary);
    std::uint32_t child(std::uint32_t node, unsigned char byte) const noexcept;
    TokenId token(std::uint32_t node) const noexcept { return tokens_[node]; }
    std::size_t memory_bytes() const noexcept {
      return slots_.capacity() * sizeof(Slot) + tokens_.capacity() * 4;
    }

   private:
    struct Slot {
      std::uint32_t parent = 0;
      std::uint32_t node_and_byte = 0;  ///< node << 8 | byte; 0 is empty
    };
    std::size_t slot_of(std::uint32_t node, unsigned char byte) const noexcept;
    std::uint32_t add_child(std::uint32_t node, unsigned char byte);
    void grow();
    std::vector<Slot> slots_;
    std::vector<TokenId> tokens_;  ///< by node; node 0 is the root
    std::size_t mask_ = 0;
  };

  std::vector<double> scores_;
  Trie trie_;
  TokenId unk_;
  double unk_score_ = 0;
  bool byte_fallback_;
  std::array<TokenId, 256> byte_ids_{};
  bool all_bytes_known_ = false;
};

}  // namespace dynamo::tokenizer::detail
