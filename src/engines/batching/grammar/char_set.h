// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

namespace dynamo::engines::batching::grammar {

/// A set of Unicode code points: sorted, disjoint, inclusive ranges.
class CharSet {
 public:
  static constexpr char32_t kMax = 0x10FFFF;
  struct Range {
    char32_t first;
    char32_t last;
    bool operator==(const Range&) const = default;
  };

  CharSet() = default;
  CharSet(std::initializer_list<Range> ranges) {
    for (const Range& range : ranges) add(range.first, range.last);
  }
  static CharSet all() { return {{0, kMax}}; }
  /// Of ranges in any order, which may overlap; those whose end is before their begin count as
  /// none. For many ranges: add() moves all that lie behind.
  static CharSet from(std::vector<Range> ranges);

  void add(char32_t first, char32_t last);
  void add(char32_t one) { add(one, one); }
  void add(const CharSet& other);
  CharSet complement() const;
  CharSet intersection(const CharSet& other) const;
  bool contains(char32_t c) const noexcept { return intersects(c, c); }
  /// Whether any of first..last is in the set.
  bool intersects(char32_t first, char32_t last) const noexcept;
  bool empty() const noexcept { return ranges_.empty(); }
  const std::vector<Range>& ranges() const noexcept { return ranges_; }
  bool operator==(const CharSet&) const = default;

  /// As a GBNF character class: "[a-z_]". Not for the empty set.
  std::string to_gbnf() const;

 private:
  std::vector<Range> ranges_;
};

/// A quoted GBNF literal of UTF-8 text.
std::string gbnf_literal(std::string_view utf8);

}  // namespace dynamo::engines::batching::grammar
