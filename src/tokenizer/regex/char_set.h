// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "tokenizer/unicode/properties.h"

namespace dynamo::tokenizer::regex {

/// A set of code points as sorted, disjoint ranges, with a bitmap for ASCII.
class CharSet {
 public:
  CharSet() = default;
  static CharSet of(char32_t c) { return range(c, c); }
  static CharSet range(char32_t first, char32_t last);
  static CharSet categories(unicode::CategoryMask mask);
  static CharSet flagged(unicode::Flag flag);
  static CharSet script(std::uint8_t script);
  static CharSet all() { return range(0, 0x10FFFF); }

  CharSet& operator|=(const CharSet& other);
  CharSet& operator&=(const CharSet& other);
  CharSet complement() const;
  /// With every character that folds to the same as one of these.
  CharSet case_closure() const;

  bool contains(char32_t c) const noexcept {
    if (c < 128) return (ascii_[c >> 6] >> (c & 63) & 1) != 0;
    return contains_wide(c);
  }
  bool empty() const noexcept { return ranges_.empty(); }
  std::span<const std::pair<char32_t, char32_t>> ranges() const noexcept { return ranges_; }

 private:
  bool contains_wide(char32_t c) const noexcept;
  void normalize();

  std::vector<std::pair<char32_t, char32_t>> ranges_;
  std::uint64_t ascii_[2] = {};
};

/// `\w` of Oniguruma.
CharSet word_characters();

}  // namespace dynamo::tokenizer::regex
