// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "tokenizer/model/merge_table.h"
#include "tokenizer/model/model.h"

namespace dynamo::tokenizer::detail {

/// Words up to this many symbols are merged by scanning all ranks for the lowest.
inline constexpr std::size_t kScanSymbols = 48;

/// Merges symbols until no pair has a rank, always the lowest rank first and of equal ones the
/// leftmost; returns how many are left. `ranks[i]` is the rank of (i, i + 1), for i + 1 < count.
/// For at most kScanSymbols symbols.
std::size_t merge_by_scan(const MergeTable& merges, TokenId* symbols, Rank* ranks,
                          std::size_t count) noexcept;

/// The same for any number of symbols in O(n log n), without given ranks.
std::size_t merge_by_heap(const MergeTable& merges, TokenId* symbols, std::size_t count,
                          ModelScratch& scratch);

}  // namespace dynamo::tokenizer::detail
