// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "tokenizer/model/cut_table.h"
#include "tokenizer/model/merge_table.h"
#include "tokenizer/model/model.h"
#include "tokenizer/model/vocabulary.h"

namespace dynamo::tokenizer::detail {

struct BpeOptions {
  std::optional<std::string> unk_token;
  std::string continuing_prefix;
  std::string end_suffix;
  bool fuse_unk = false;
  bool byte_fallback = false;
  bool ignore_merges = false;
  /// The pieces are raw bytes and the tokens are spelled in the byte-level alphabet.
  bool byte_level = false;
  /// The tokens are raw bytes already (tiktoken).
  bool raw_bytes = false;
  /// Encoding fails on what has no token, where it would otherwise be left out.
  bool strict = false;
};

/// Byte-pair encoding: the symbols of a piece are merged pair by pair in the order of the merges.
///
/// Most pieces never see a merge: they are found in the cache, or are tokens that merging is known
/// to reproduce (checked once per token, at its first use).
class BpeModel final : public Model {
 public:
  /// `vocabulary` holds the tokens as spelled and is not indexed yet; merges are added afterwards,
  /// and finish() completes the model.
  BpeModel(Vocabulary vocabulary, BpeOptions options);

  /// Two tokens as spelled. Errors: invalid_argument when a part or the product is no token.
  Result<void> add_merge(std::string_view left, std::string_view right);
  void reserve_merges(std::size_t count) { merges_.reserve(count); }
  /// Instead of add_merge(): two tokens merge when what they make together is a token, in the order
  /// of `products` (SentencePiece scores, tiktoken ranks). Errors: invalid_argument over the
  /// limits.
  Result<void> set_products(std::vector<TokenId> products);
  const Vocabulary& vocabulary() const noexcept { return vocabulary_; }
  void finish();

  Result<void> encode(std::string_view text, std::span<const Range> pieces,
                      ModelScratch& scratch) const override;
  TokenId find(std::string_view token) const override;
  std::string spelling(TokenId id) const override;
  bool append_bytes(TokenId id, std::string& out) const override {
    if (!byte_mode_) return false;
    out += vocabulary_[id];
    return true;
  }
  bool contains(TokenId id) const noexcept override { return vocabulary_.contains(id); }
  std::size_t count() const noexcept override { return vocabulary_.count(); }
  std::size_t id_bound() const noexcept override { return vocabulary_.size(); }
  std::size_t memory_bytes() const noexcept override;

 private:
  /// A part of a piece that was cut; it is no piece of its own for `ignore_merges`.
  static constexpr std::uint64_t kPartBit = std::uint64_t{1}
                                            << 63;  ///< above every length in a key

  Result<void> encode_spelled(std::string_view text, std::span<const Range> pieces,
                              ModelScratch& scratch) const;
  Result<void> encode_symbols(std::string_view text, std::span<const Range> pieces,
                              ModelScratch& scratch) const;
  std::unexpected<Error> no_token() const;
  bool encode_short(std::string_view piece, const char* end, bool is_part,
                    ModelScratch& scratch) const;
  bool is_one_token(const Vocabulary::ShortSlot& slot, std::string_view piece, bool is_part,
                    ModelScratch& scratch) const;
  bool reproduces(TokenId id, std::string_view text, ModelScratch& scratch) const;
  bool encode_long(std::string_view piece, ModelScratch& scratch) const;
  bool encode_parts(std::string_view piece, ModelScratch& scratch) const;
  TokenId find_product(std::string_view token);
  bool merge(std::string_view word, ModelScratch& scratch) const;
  bool merge_symbols(ModelScratch& scratch) const;
  bool initial_symbols(std::string_view word, std::vector<std::uint32_t>& symbols,
                       std::string& buffer) const;
  bool known_character(std::string_view text, std::size_t at) const;

  Vocabulary vocabulary_;
  MergeTable merges_;
  BpeOptions options_;
  TokenId unk_ = kNoToken;
  bool byte_mode_ = false;        ///< symbols are single bytes
  bool all_bytes_known_ = false;  ///< no symbol can be unknown
  bool can_cut_ = false;
  bool merges_byte_tokens_ = false;
  /// Byte mode: the token of each byte. Otherwise the token `<0xXX>` of each byte.
  std::array<TokenId, 256> byte_ids_{};
  std::array<TokenId, 128> ascii_ids_{};
  std::unique_ptr<Rank[]> byte_pairs_;  ///< byte mode: rank of each pair of bytes
  CutTable cuts_;
  std::string merge_buffer_;
  TokenId last_product_ = 0;
};

}  // namespace dynamo::tokenizer::detail
