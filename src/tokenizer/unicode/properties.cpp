// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/unicode/properties.h"

#include <dynamo/base/hash.h>

#include <algorithm>
#include <string>

#include "tokenizer/unicode/data.h"

namespace dynamo::tokenizer::unicode {
namespace {

using CasePairs = std::vector<std::pair<char32_t, char32_t>>;

CasePairs expand(const data::DeltaRow* rows, std::size_t count) {
  CasePairs pairs;
  for (std::size_t i = 0; i < count; ++i) {
    for (std::uint32_t k = 0; k < rows[i].count; ++k) {
      const char32_t c = rows[i].first + k * rows[i].stride;
      pairs.emplace_back(c, static_cast<char32_t>(static_cast<std::int64_t>(c) + rows[i].delta));
    }
  }
  std::ranges::sort(pairs);
  return pairs;
}

char32_t look_up(const CasePairs& pairs, char32_t c) noexcept {
  const auto at = std::ranges::lower_bound(pairs, c, {}, &std::pair<char32_t, char32_t>::first);
  return at != pairs.end() && at->first == c ? at->second : c;
}

const CasePairs& lower_pairs() noexcept {
  static const CasePairs pairs = expand(data::kLowercaseRows, data::kLowercaseRowCount);
  return pairs;
}

const CasePairs& fold_pairs() noexcept {
  static const CasePairs pairs = expand(data::kFoldRows, data::kFoldRowCount);
  return pairs;
}

std::string canonical_name(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (c == ' ' || c == '-' || c == '_') continue;
    out += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return out;
}

}  // namespace

/// Expands runs into blocks of 256, equal blocks stored once.
static void expand_runs(const data::Run* runs, std::size_t count,
                        std::array<std::uint16_t, (0x110000 >> CodePointTable::kBlockBits)>& blocks,
                        std::vector<std::uint8_t>& values) {
  constexpr std::size_t kBlock = std::size_t{1} << CodePointTable::kBlockBits;
  std::vector<std::pair<std::uint64_t, std::uint16_t>> seen;
  std::array<int, 256> uniform;  // block of one value only, by value
  uniform.fill(-1);
  std::array<std::uint8_t, kBlock> block;
  std::size_t run = 0;
  for (std::size_t b = 0; b < blocks.size(); ++b) {
    const std::size_t start = b * kBlock;
    while (run + 1 < count && runs[run + 1].first <= start) ++run;
    const bool is_uniform = run + 1 == count || runs[run + 1].first >= start + kBlock;
    if (is_uniform && uniform[runs[run].value] >= 0) {
      blocks[b] = static_cast<std::uint16_t>(uniform[runs[run].value]);
      continue;
    }
    std::size_t r = run;
    for (std::size_t i = 0; i < kBlock; ++i) {
      while (r + 1 < count && runs[r + 1].first <= start + i) ++r;
      block[i] = runs[r].value;
    }
    const auto hash =
        base::xxh3_64(std::string_view(reinterpret_cast<const char*>(block.data()), kBlock));
    const auto same = std::ranges::find_if(seen, [&](const auto& s) {
      return s.first == hash &&
             std::equal(block.begin(), block.end(),
                        values.begin() + static_cast<std::ptrdiff_t>(s.second * kBlock));
    });
    if (same != seen.end()) {
      blocks[b] = same->second;
    } else {
      blocks[b] = static_cast<std::uint16_t>(values.size() / kBlock);
      seen.emplace_back(hash, blocks[b]);
      values.insert(values.end(), block.begin(), block.end());
    }
    if (is_uniform) uniform[runs[run].value] = blocks[b];
  }
}

Tables::Tables() {
  for (std::size_t i = 0; i < data::kRecordCount; ++i) {
    category_bit[i] = std::uint32_t{1} << data::kRecords[i].category;
    flags[i] = data::kRecords[i].flags;
  }
  expand_runs(data::kPropertyRuns, data::kPropertyRunCount, properties.blocks_, properties.values_);
  expand_runs(data::kScriptRuns, data::kScriptRunCount, scripts.blocks_, scripts.values_);
}

const Tables& tables() noexcept {
  static const Tables instance;
  return instance;
}

std::optional<std::uint8_t> script_by_name(std::string_view name) noexcept {
  const std::string wanted = canonical_name(name);
  for (std::size_t i = 1; i < data::kScriptNameCount; ++i) {
    if (canonical_name(data::kScriptNames[i]) == wanted) return static_cast<std::uint8_t>(i);
  }
  return std::nullopt;
}

char32_t to_lower(char32_t c) noexcept {
  if (c < 0x80) return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
  return look_up(lower_pairs(), c);
}

char32_t fold_case(char32_t c) noexcept {
  if (c < 0x80) return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
  return look_up(fold_pairs(), c);
}

std::span<const std::pair<char32_t, char32_t>> case_folds() noexcept {
  return fold_pairs();
}

}  // namespace dynamo::tokenizer::unicode
