// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "tokenizer/model/piece_key.h"
#include "tokenizer/unicode/utf8_iteration.h"

namespace dynamo::tokenizer::detail {

/// Knows pairs of neighbouring characters that no token contains. Merges cannot reach across such
/// a pair, so that a long piece may be cut there: the parts are encoded, and remembered, apart.
///
/// Never wrong in the dangerous direction: it may only fail to see that a cut is possible.
class CutTable {
 public:
  /// `tokens` is about how many tokens will be added.
  explicit CutTable(std::size_t tokens = 0);

  /// Takes note of all neighbours inside a token; tokens may begin or end inside a character.
  void add(std::string_view token);

  /// Whether text may be cut before `at`, the start of a character and not the first.
  bool can_cut(std::string_view text, std::size_t at) const noexcept {
    const auto left = static_cast<unsigned char>(text[at - 1]);
    const auto right = static_cast<unsigned char>(text[at]);
    if (test(halves_, std::size_t{left} << 8 | right)) return false;
    if (left < 0x80 && right < 0x80) return !test(ascii_, std::size_t{left} << 7 | right);
    const unicode::Scalar before = unicode::scalar_at(text, unicode::previous_start(text, at));
    const unicode::Scalar after = unicode::scalar_at(text, at);
    return !test(pairs_, bit_of(before.value, after.value));
  }

  std::size_t memory_bytes() const noexcept {
    return (halves_.capacity() + ascii_.capacity() + pairs_.capacity()) * sizeof(std::uint64_t);
  }

 private:
  using Bits = std::vector<std::uint64_t>;
  static bool test(const Bits& bits, std::size_t i) noexcept {
    return (bits[i >> 6] >> (i & 63) & 1) != 0;
  }
  static void set(Bits& bits, std::size_t i) noexcept {
    bits[i >> 6] |= std::uint64_t{1} << (i & 63);
  }
  std::size_t bit_of(char32_t before, char32_t after) const noexcept {
    return fold_multiply((std::uint64_t{before} << 32) | after, 0x9E3779B97F4A7C15U) & pair_mask_;
  }

  Bits
      halves_;  ///< (last byte before, first byte after) where a token has only part of a character
  Bits ascii_;
  Bits pairs_;  ///< hashed pairs of whole characters
  std::size_t pair_mask_;
};

}  // namespace dynamo::tokenizer::detail
