// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/model/merge_word.h"

#include <algorithm>
#include <bit>
#include <functional>

namespace dynamo::tokenizer::detail {

std::size_t merge_by_scan(const MergeTable& merges, TokenId* symbols, Rank* ranks,
                          std::size_t count) noexcept {
  static_assert(kScanSymbols < 64);
  if (count < 2) return count;
  // Symbols stay in their places; a bit says which are left.
  std::uint64_t alive = (std::uint64_t{1} << count) - 1;
  const std::size_t pairs = count - 1;
  for (;;) {
    Rank best = ranks[0];
    std::size_t at = 0;
    for (std::size_t i = 1; i < pairs; ++i) {
      at = ranks[i] < best ? i : at;
      best = std::min(best, ranks[i]);
    }
    if (best == kNoRank) break;
    symbols[at] = merges.product(best);
    std::uint64_t behind = alive & (~std::uint64_t{1} << at);
    const int right = std::countr_zero(behind);
    alive &= ~(std::uint64_t{1} << right);
    behind &= behind - 1;
    if (static_cast<std::size_t>(right) < pairs) ranks[right] = kNoRank;
    ranks[at] = behind != 0 ? merges.find(symbols[at], symbols[std::countr_zero(behind)]) : kNoRank;
    if (const std::uint64_t before = alive & ((std::uint64_t{1} << at) - 1); before != 0) {
      const int left = 63 - std::countl_zero(before);
      ranks[left] = merges.find(symbols[left], symbols[at]);
    }
  }
  std::size_t kept = 0;
  for (; alive != 0; alive &= alive - 1) symbols[kept++] = symbols[std::countr_zero(alive)];
  return kept;
}

std::size_t merge_by_heap(const MergeTable& merges, TokenId* symbols, std::size_t count,
                          ModelScratch& scratch) {
  constexpr std::uint32_t kNone = ~std::uint32_t{0};
  auto& ranks = scratch.ranks;
  auto& links = scratch.links;  // next, then previous
  auto& heap = scratch.heap;    // rank above position
  ranks.assign(count, kNoRank);
  links.resize(count * 2);
  heap.clear();
  std::uint32_t* next = links.data();
  std::uint32_t* previous = links.data() + count;
  for (std::size_t i = 0; i < count; ++i) {
    next[i] = i + 1 < count ? static_cast<std::uint32_t>(i + 1) : kNone;
    previous[i] = i > 0 ? static_cast<std::uint32_t>(i - 1) : kNone;
    if (i + 1 == count) break;
    ranks[i] = merges.find(symbols[i], symbols[i + 1]);
    if (ranks[i] != kNoRank) heap.push_back((std::uint64_t{ranks[i]} << 32) | i);
  }
  std::make_heap(heap.begin(), heap.end(), std::greater<>());
  const auto update = [&](std::uint32_t i) {
    ranks[i] = merges.find(symbols[i], symbols[next[i]]);
    if (ranks[i] == kNoRank) return;
    heap.push_back((std::uint64_t{ranks[i]} << 32) | i);
    std::push_heap(heap.begin(), heap.end(), std::greater<>());
  };
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), std::greater<>());
    const std::uint64_t top = heap.back();
    heap.pop_back();
    const auto at = static_cast<std::uint32_t>(top);
    // An entry is out of date when the pair at its place has changed since.
    if (ranks[at] != static_cast<Rank>(top >> 32)) continue;
    const std::uint32_t right = next[at];
    symbols[at] = merges.product(ranks[at]);
    ranks[right] = kNoRank;
    next[at] = next[right];
    ranks[at] = kNoRank;
    if (next[at] != kNone) {
      previous[next[at]] = at;
      update(at);
    }
    if (previous[at] != kNone) update(previous[at]);
  }
  std::size_t kept = 0;
  for (std::uint32_t i = 0; i != kNone; i = next[i]) symbols[kept++] = symbols[i];
  return kept;
}

}  // namespace dynamo::tokenizer::detail
