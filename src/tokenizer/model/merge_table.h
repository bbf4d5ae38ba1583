// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>
#include <dynamo/tokenizer/fwd.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "tokenizer/model/vocabulary.h"

namespace dynamo::tokenizer::detail {

/// Rank of a merge: its place in the list, lower goes first.
using Rank = std::uint32_t;
inline constexpr Rank kNoRank = ~Rank{0};
/// Ranks are packed into 22 bits beside two ids; the longest published list has 580,604 merges.
inline constexpr Rank kRankLimit = (Rank{1} << 22) - 1;

/// The merges of a BPE model: (left id, right id) -> rank, and rank -> product id.
///
/// One 64-bit word per slot, open addressing: half the memory and cache misses of a table with
/// separate fields. Most pairs that are asked for have no merge; a small filter in front says so
/// without touching the table.
class MergeTable {
 public:
  void reserve(std::size_t merges);
  /// A pair given twice keeps its last rank. Errors: invalid_argument over the limits.
  Result<void> add(TokenId left, TokenId right, TokenId product);

  /// For models that rank the product and not the pair: the products in order of rank, then any
  /// number of pairs, of which a repeated one keeps its first rank. Errors: as for add().
  Result<void> set_products(std::vector<TokenId> products);
  Result<void> add_ranked(TokenId left, TokenId right, Rank rank);

  Rank find(TokenId left, TokenId right) const noexcept {
    const std::uint64_t key = (std::uint64_t{left} << 21) | right;
    if (!may_contain(key)) return kNoRank;
    for (std::size_t i = slot_of(key);; i = (i + 1) & mask_) {
      const std::uint64_t slot = slots_[i];
      if ((slot >> 22) == key) return static_cast<Rank>(slot & kRankLimit);
      if (slot == kEmpty) return kNoRank;
    }
  }
  TokenId product(Rank rank) const noexcept { return products_[rank]; }

  std::size_t size() const noexcept { return products_.size(); }
  std::size_t memory_bytes() const noexcept {
    return (slots_.capacity() + filter_.capacity()) * sizeof(std::uint64_t) +
           products_.capacity() * sizeof(TokenId);
  }

 private:
  static constexpr std::uint64_t kEmpty = ~std::uint64_t{0};
  std::size_t slot_of(std::uint64_t key) const noexcept { return (key * kMultiplier) >> shift_; }
  static constexpr std::uint64_t kMultiplier = 0x9E3779B97F4A7C15U;
  /// Two bits of one word per pair: false for about 95 % of the pairs that are not there.
  std::uint64_t filter_bits(std::uint64_t hash) const noexcept {
    return (std::uint64_t{1} << (hash & 63)) | (std::uint64_t{1} << (hash >> 6 & 63));
  }
  std::size_t filter_word(std::uint64_t hash) const noexcept { return (hash >> 12) & filter_mask_; }
  bool may_contain(std::uint64_t key) const noexcept {
    const std::uint64_t hash = (key * kMultiplier) >> 16;
    const std::uint64_t bits = filter_bits(hash);
    return (filter_[filter_word(hash)] & bits) == bits;
  }
  void add_to_filter(std::uint64_t key) noexcept {
    const std::uint64_t hash = (key * kMultiplier) >> 16;
    filter_[filter_word(hash)] |= filter_bits(hash);
  }
  void grow(std::size_t slots);
  std::uint64_t* slot_for(std::uint64_t key);

  std::vector<std::uint64_t> slots_ = std::vector<std::uint64_t>(2, kEmpty);
  std::vector<std::uint64_t> filter_ = std::vector<std::uint64_t>(1);
  std::size_t filter_mask_ = 0;
  std::size_t mask_ = 1;
  int shift_ = 63;
  std::size_t pairs_ = 0;
  std::vector<TokenId> products_;  ///< by rank
};

}  // namespace dynamo::tokenizer::detail
