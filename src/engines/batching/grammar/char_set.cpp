// SPDX-License-Identifier: Apache-2.0
#include "engines/batching/grammar/char_set.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

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

CharSet CharSet::from(std::vector<Range> ranges) {
  std::erase_if(ranges, [](const Range& range) { return range.first > range.last; });
  std::ranges::sort(ranges, {}, &Range::first);
  CharSet out;
  for (const Range& range : ranges) {
    const char32_t last = std::min(range.last, kMax);
    if (!out.ranges_.empty() && range.first <= out.ranges_.back().last + 1) {
      out.ranges_.back().last = std::max(out.ranges_.back().last, last);
    } else if (range.first <= kMax) {
      out.ranges_.push_back({range.first, last});
    }
  }
  return out;
}

void CharSet::add(char32_t first, char32_t last) {
  if (first > last || first > kMax) return;
  Range merged{first, std::min(last, kMax)};
  // Those that overlap or touch it become one with it.
  const auto begin = std::ranges::lower_bound(ranges_, merged.first, {},
                                              [](const Range& range) { return range.last + 1; });
  auto end = begin;
  for (; end != ranges_.end() && end->first <= merged.last + 1; ++end)
    merged = {std::min(end->first, merged.first), std::max(end->last, merged.last)};
  if (begin == end) {
    ranges_.insert(begin, merged);
  } else {
    *begin = merged;
    ranges_.erase(begin + 1, end);
  }
}

void CharSet::add(const CharSet& other) {
  std::vector<Range> both = ranges_;
  both.insert(both.end(), other.ranges_.begin(), other.ranges_.end());
  *this = from(std::move(both));
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
  for (auto a = ranges_.begin(), b = other.ranges_.begin();
       a != ranges_.end() && b != other.ranges_.end();) {
    const Range both{std::max(a->first, b->first), std::min(a->last, b->last)};
    if (both.first <= both.last) out.ranges_.push_back(both);
    (a->last < b->last ? a : b)++;
  }
  return out;
}

bool CharSet::intersects(char32_t first, char32_t last) const noexcept {
  const auto at = std::ranges::lower_bound(ranges_, first, {}, &Range::last);
  return at != ranges_.end() && at->first <= last;
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
