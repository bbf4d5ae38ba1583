// SPDX-License-Identifier: Apache-2.0
#include "engines/batching/grammar/char_set.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace dynamo::engines::batching::grammar {
namespace {

void append_class_char(std::string& out, char32_t c) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) {
    out += static_cast<char>(c);
    return;
  }
  const int digits = c <= 0xFF ? 2 : c <= 0xFFFF ? 4 : 8;
  out += digits == 2 ? "\\x" : digits == 4 ? "\\u" : "\\U";
  for (int shift = (digits - 1) * 4; shift >= 0; shift -= 4) out += kHex[(c >> shift) & 0xF];
}

}  // namespace

void CharSet::add(char32_t first, char32_t last) {
  if (first > last) return;
  Range merged{first, std::min(last, kMax)};
  std::vector<Range> out;
  out.reserve(ranges_.size() + 1);
  bool placed = false;
  for (const Range& range : ranges_) {
    if (range.last + 1 < merged.first) {
      out.push_back(range);
    } else if (merged.last + 1 < range.first) {
      if (!placed) out.push_back(merged);
      placed = true;
      out.push_back(range);
    } else {
      merged = {std::min(range.first, merged.first), std::max(range.last, merged.last)};
    }
  }
  if (!placed) out.push_back(merged);
  ranges_ = std::move(out);
}

void CharSet::add(const CharSet& other) {
  for (const Range& range : other.ranges_) add(range.first, range.last);
}

CharSet CharSet::complement() const {
  CharSet out;
  char32_t next = 0;
  for (const Range& range : ranges_) {
    if (range.first > next) out.ranges_.push_back({next, range.first - 1});
    next = range.last + 1;
  }
  if (next <= kMax) out.ranges_.push_back({next, kMax});
  return out;
}

CharSet CharSet::intersection(const CharSet& other) const {
  CharSet out;
  for (const Range& a : ranges_) {
    for (const Range& b : other.ranges_) {
      out.add(std::max(a.first, b.first), std::min(a.last, b.last));
    }
  }
  return out;
}

bool CharSet::contains(char32_t c) const noexcept {
  return std::ranges::any_of(ranges_, [c](const Range& r) { return r.first <= c && c <= r.last; });
}

std::string CharSet::to_gbnf() const {
  // What excludes little is shorter, and faster to match, as what it excludes.
  const CharSet inverse = complement();
  const bool inverted = inverse.ranges_.size() < ranges_.size() && !inverse.empty();
  std::string out = inverted ? "[^" : "[";
  for (const Range& range : inverted ? inverse.ranges_ : ranges_) {
    append_class_char(out, range.first);
    if (range.last == range.first) continue;
    if (range.last > range.first + 1) out += '-';
    append_class_char(out, range.last);
  }
  return out + ']';
}

std::string gbnf_literal(std::string_view utf8) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out = "\"";
  for (const char c : utf8) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7F) {
      out += "\\x";
      out += kHex[byte >> 4];
      out += kHex[byte & 0xF];
    } else {
      out += c;
    }
  }
  return out + '"';
}

}  // namespace dynamo::engines::batching::grammar
