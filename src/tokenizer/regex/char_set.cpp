// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/regex/char_set.h"

#include <algorithm>

#include "tokenizer/unicode/data.h"

namespace dynamo::tokenizer::regex {
namespace {

using Ranges = std::vector<std::pair<char32_t, char32_t>>;

/// Ranges of the runs whose value satisfies `wanted`.
template <class Wanted>
Ranges select(const unicode::data::Run* runs, std::size_t count, Wanted&& wanted) {
  Ranges out;
  for (std::size_t i = 0; i < count; ++i) {
    if (!wanted(runs[i].value)) continue;
    const char32_t last = i + 1 < count ? runs[i + 1].first - 1 : 0x10FFFF;
    if (!out.empty() && out.back().second + 1 == runs[i].first) {
      out.back().second = last;
    } else {
      out.emplace_back(runs[i].first, last);
    }
  }
  return out;
}

}  // namespace

CharSet CharSet::range(char32_t first, char32_t last) {
  CharSet set;
  if (first <= last) set.ranges_.emplace_back(first, last);
  set.normalize();
  return set;
}

CharSet CharSet::categories(unicode::CategoryMask mask) {
  CharSet set;
  set.ranges_ = select(unicode::data::kPropertyRuns, unicode::data::kPropertyRunCount,
                       [&](std::uint8_t record) {
                         return (mask >> unicode::data::kRecords[record].category & 1) != 0;
                       });
  set.normalize();
  return set;
}

CharSet CharSet::flagged(unicode::Flag flag) {
  CharSet set;
  set.ranges_ = select(
      unicode::data::kPropertyRuns, unicode::data::kPropertyRunCount, [&](std::uint8_t record) {
        return (unicode::data::kRecords[record].flags & static_cast<std::uint16_t>(flag)) != 0;
      });
  set.normalize();
  return set;
}

CharSet CharSet::script(std::uint8_t script) {
  CharSet set;
  set.ranges_ = select(unicode::data::kScriptRuns, unicode::data::kScriptRunCount,
                       [&](std::uint8_t value) { return value == script; });
  set.normalize();
  return set;
}

void CharSet::normalize() {
  std::ranges::sort(ranges_);
  Ranges merged;
  for (const auto& range : ranges_) {
    if (!merged.empty() && range.first <= merged.back().second + 1) {
      merged.back().second = std::max(merged.back().second, range.second);
    } else {
      merged.push_back(range);
    }
  }
  ranges_ = std::move(merged);
  ascii_[0] = ascii_[1] = 0;
  for (const auto& [first, last] : ranges_) {
    for (char32_t c = first; c <= last && c < 128; ++c)
      ascii_[c >> 6] |= std::uint64_t{1} << (c & 63);
  }
}

CharSet& CharSet::operator|=(const CharSet& other) {
  ranges_.insert(ranges_.end(), other.ranges_.begin(), other.ranges_.end());
  normalize();
  return *this;
}

CharSet& CharSet::operator&=(const CharSet& other) {
  Ranges out;
  std::size_t i = 0;
  std::size_t k = 0;
  while (i < ranges_.size() && k < other.ranges_.size()) {
    const char32_t first = std::max(ranges_[i].first, other.ranges_[k].first);
    const char32_t last = std::min(ranges_[i].second, other.ranges_[k].second);
    if (first <= last) out.emplace_back(first, last);
    if (ranges_[i].second < other.ranges_[k].second) {
      ++i;
    } else {
      ++k;
    }
  }
  ranges_ = std::move(out);
  normalize();
  return *this;
}

CharSet CharSet::complement() const {
  CharSet set;
  char32_t next = 0;
  for (const auto& [first, last] : ranges_) {
    if (first > next) set.ranges_.emplace_back(next, first - 1);
    next = last + 1;
  }
  if (next <= 0x10FFFF) set.ranges_.emplace_back(next, 0x10FFFF);
  set.normalize();
  return set;
}

CharSet CharSet::case_closure() const {
  CharSet folded = *this;
  const auto folds = unicode::case_folds();
  // First what the members fold to, then everything that folds to one of those.
  for (const auto& [c, target] : folds) {
    if (contains(c)) folded.ranges_.emplace_back(target, target);
  }
  folded.normalize();
  CharSet closed = folded;
  for (const auto& [c, target] : folds) {
    if (folded.contains(target)) closed.ranges_.emplace_back(c, c);
  }
  closed.normalize();
  return closed;
}

bool CharSet::contains_wide(char32_t c) const noexcept {
  const auto at = std::ranges::upper_bound(ranges_, c, {}, &std::pair<char32_t, char32_t>::first);
  return at != ranges_.begin() && std::prev(at)->second >= c;
}

CharSet word_characters() {
  // Rust's \w (UTS #18) without the two joiners, with the superscripts and fractions of Latin-1.
  CharSet set = CharSet::flagged(unicode::Flag::word);
  set &= CharSet::range(0x200C, 0x200D).complement();
  set |= CharSet::range(0xB2, 0xB3);
  set |= CharSet::of(0xB9);
  set |= CharSet::range(0xBC, 0xBE);
  return set;
}

}  // namespace dynamo::tokenizer::regex
