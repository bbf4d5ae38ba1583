// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/model/merge_table.h"

#include <algorithm>
#include <bit>

#include <fmt/core.h>

namespace dynamo::tokenizer::detail {

void MergeTable::reserve(std::size_t merges) {
  products_.reserve(merges);
  const std::size_t slots = std::bit_ceil(std::max<std::size_t>(2, merges * 3 / 2));
  if (slots > slots_.size()) grow(slots);
}

void MergeTable::grow(std::size_t slots) {
  std::vector<std::uint64_t> old = std::move(slots_);
  slots_.assign(slots, kEmpty);
  mask_ = slots - 1;
  shift_ = 64 - std::countr_zero(slots);
  filter_.assign(std::max<std::size_t>(1, slots / 16), 0);
  filter_mask_ = filter_.size() - 1;
  for (const std::uint64_t slot : old) {
    if (slot == kEmpty) continue;
    std::size_t i = slot_of(slot >> 22);
    while (slots_[i] != kEmpty) i = (i + 1) & mask_;
    slots_[i] = slot;
    add_to_filter(slot >> 22);
  }
}

/// The slot of a pair, empty or taken by it already.
std::uint64_t* MergeTable::slot_for(std::uint64_t key) {
  if ((pairs_ + 1) * 3 > slots_.size() * 2) grow(slots_.size() * 2);
  std::size_t i = slot_of(key);
  while (slots_[i] != kEmpty && (slots_[i] >> 22) != key) i = (i + 1) & mask_;
  return &slots_[i];
}

Result<void> MergeTable::add(TokenId left, TokenId right, TokenId product) {
  const auto rank = static_cast<Rank>(products_.size());
  if (rank >= kRankLimit)
    return fail(Errc::invalid_argument, fmt::format("more than {} merges", kRankLimit));
  if (left >= kTokenIdLimit || right >= kTokenIdLimit) {
    return fail(Errc::invalid_argument, fmt::format("merge {} has an id over the limit", rank));
  }
  const std::uint64_t key = (std::uint64_t{left} << 21) | right;
  std::uint64_t* slot = slot_for(key);
  if (*slot == kEmpty) ++pairs_;
  *slot = (key << 22) | rank;
  add_to_filter(key);
  products_.push_back(product);
  return {};
}

Result<void> MergeTable::set_products(std::vector<TokenId> products) {
  if (products.size() >= kRankLimit) {
    return fail(Errc::invalid_argument, fmt::format("more than {} merges", kRankLimit));
  }
  products_ = std::move(products);
  return {};
}

Result<void> MergeTable::add_ranked(TokenId left, TokenId right, Rank rank) {
  if (left >= kTokenIdLimit || right >= kTokenIdLimit || rank >= products_.size()) {
    return fail(Errc::invalid_argument,
                fmt::format("merge of {} and {} is over the limits", left, right));
  }
  const std::uint64_t key = (std::uint64_t{left} << 21) | right;
  std::uint64_t* slot = slot_for(key);
  if (*slot != kEmpty) return {};
  ++pairs_;
  *slot = (key << 22) | rank;
  add_to_filter(key);
  return {};
}

}  // namespace dynamo::tokenizer::detail
