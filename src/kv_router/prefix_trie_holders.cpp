// SPDX-License-Identifier: Apache-2.0
// Who holds what: changes of a node's holders and what follows from them.
#include <dynamo/base/assert.h>

#include <algorithm>
#include <bit>
#include <new>

#include "kv_router/prefix_trie.h"

namespace dynamo::kv_router::detail {

// Takes the living holders of a node apart into full_ and cutoffs_; the dead lose their aliases.
void PrefixTrie::open_holders(const Node* node, Holders holders) {
  full_.assign(live_.size(), 0);
  cutoffs_.clear();
  if (holders.is_one()) {
    hold(holders.slot(), holders.blocks(), node->length());
    return;
  }
  if (!holders.is_many()) return;
  const HolderSet& set = *holders.set();
  for (std::uint32_t word = 0; word < set.words; ++word) {
    full_[word] = set.full()[word] & live_[word];
    for (std::uint64_t dead = set.full()[word] & ~live_[word]; dead != 0; dead &= dead - 1)
      drop_aliases(
          static_cast<Slot>(word * 64 + static_cast<std::uint32_t>(std::countr_zero(dead))), node,
          0, set.length);
  }
  for (std::uint32_t i = 0; i < set.cutoffs; ++i) {
    const HolderSet::Cutoff cutoff = set.cutoff()[i];
    if (is_dead(cutoff.slot)) {
      drop_aliases(cutoff.slot, node, 0, cutoff.blocks);
    } else {
      cutoffs_.push_back(cutoff);
    }
  }
}

void PrefixTrie::hold(Slot slot, std::uint32_t blocks, std::uint32_t length) {
  if (blocks == length) {
    full_[slot / 64u] |= std::uint64_t{1} << slot % 64u;
  } else if (blocks != 0) {
    cutoffs_.push_back({slot, static_cast<std::uint16_t>(blocks)});
  }
}

// Blocks of the best holder in full_ and cutoffs_.
std::uint32_t PrefixTrie::held_most(std::uint32_t length) const noexcept {
  for (const std::uint64_t word : full_)
    if (word != 0) return length;
  std::uint32_t most = 0;
  for (const HolderSet::Cutoff& cutoff : cutoffs_)
    most = std::max<std::uint32_t>(most, cutoff.blocks);
  return most;
}

// Puts full_ and cutoffs_ into the form that nodes keep.
Holders PrefixTrie::close_holders(std::uint32_t length) {
  std::size_t words = full_.size();
  while (words != 0 && full_[words - 1] == 0) --words;
  std::size_t count = cutoffs_.size();
  for (std::size_t word = 0; word < words; ++word)
    count += static_cast<std::size_t>(std::popcount(full_[word]));
  if (count == 0) return {};
  if (count == 1) {
    if (!cutoffs_.empty()) return Holders::one(cutoffs_[0].slot, cutoffs_[0].blocks);
    const auto bit = static_cast<std::size_t>(std::countr_zero(full_[words - 1]));
    return Holders::one(static_cast<Slot>((words - 1) * 64 + bit), length);
  }
  auto* set = new (heap_.allocate(HolderSet::bytes(words, cutoffs_.size())))
      HolderSet{static_cast<std::uint16_t>(length), static_cast<std::uint16_t>(words),
                static_cast<std::uint32_t>(cutoffs_.size())};
  std::copy_n(full_.begin(), words, set->full());
  std::copy(cutoffs_.begin(), cutoffs_.end(), set->cutoff());
  return Holders::many(set);
}

void PrefixTrie::publish_holders(Node* node, Holders holders) {
  const Holders old = node->held();
  const bool moves =
      old.is_one() != holders.is_one() || (old.is_one() && old.slot() != holders.slot());
  if (!moves) {
    node->holders.store(holders.word(), std::memory_order_release);
    if (old.is_many()) retire(old.set());
    return;
  }
  unlink(node);
  // The parent's table may name a holder only while it holds something.
  ChildTable::Cell* cell = cell_of(node);
  if (cell != nullptr) {
    const ChildWord word = cell->load(std::memory_order_relaxed);
    if (word.has_only_holder()) cell->store(word.without_holder(), std::memory_order_release);
  }
  node->holders.store(holders.word(), std::memory_order_release);
  if (cell != nullptr && holders.is_one())
    cell->store(ChildWord(node, holders), std::memory_order_release);
  link(node);
  if (old.is_many()) retire(old.set());
}

void PrefixTrie::set_held(Node* node, Slot slot, std::uint32_t blocks) {
  const Holders old = node->held();
  const std::uint32_t was = old.held_by(slot);
  if (blocks == was) return;
  if (blocks < was) drop_aliases(slot, node, blocks, was);
  slots_[slot].blocks += blocks;
  slots_[slot].blocks -= was;
  if (old.nobody() || (old.is_one() && old.slot() == slot)) {
    publish_holders(node, blocks == 0 ? Holders{} : Holders::one(slot, blocks));
  } else {
    const std::uint32_t length = node->length();
    open_holders(node, old);
    full_[slot / 64u] &= ~(std::uint64_t{1} << slot % 64u);
    std::erase_if(cutoffs_, [&](const HolderSet::Cutoff& cutoff) { return cutoff.slot == slot; });
    hold(slot, blocks, length);
    publish_opened(node, length);
  }
  if (blocks < was) tidy_upwards(node);
}

// Publishes full_ and cutoffs_, where a leaf is as long as the best of them.
void PrefixTrie::publish_opened(Node* node, std::uint32_t length) {
  const std::uint32_t most = held_most(length);
  if (most == 0 || most == length || !node->followers().is_none())
    return publish_holders(node, close_holders(length));
  const auto shorter =
      std::partition(cutoffs_.begin(), cutoffs_.end(),
                     [&](const HolderSet::Cutoff& cutoff) { return cutoff.blocks < most; });
  for (auto at = shorter; at != cutoffs_.end(); ++at)
    full_[at->slot / 64u] |= std::uint64_t{1} << at->slot % 64u;
  cutoffs_.erase(shorter, cutoffs_.end());
  publish_holders(node, close_holders(most));
  shorten(node, most);
}

void PrefixTrie::shorten(Node* node, std::uint32_t length) {
  const std::uint32_t was = node->length();
  erase_entries(node, length, was);
  node->kids.store(Kids::none(length).word(), std::memory_order_release);
}

// The dead leave a shared node.
void PrefixTrie::bury_in(Node* node) {
  const HolderSet& set = *node->held().set();
  bool dead = false;
  for (std::uint32_t word = 0; word < set.words; ++word)
    dead = dead || (set.full()[word] & ~live_[word]) != 0;
  for (std::uint32_t i = 0; i < set.cutoffs; ++i) dead = dead || is_dead(set.cutoff()[i].slot);
  if (!dead) return;
  const std::uint32_t length = node->length();
  open_holders(node, node->held());
  publish_opened(node, length);
  tidy_upwards(node);
}

void PrefixTrie::tidy_upwards(Node* node) {
  while (node != &root_ && node->followers().is_none()) {
    const Holders holders = node->held();
    const std::uint32_t length = node->length();
    if (!holders.nobody()) {
      if (holders.is_one()) {
        if (holders.blocks() < length) shorten(node, holders.blocks());
      } else {
        const HolderSet& set = *holders.set();
        bool full = false;
        for (std::uint32_t word = 0; word < set.words; ++word)
          full = full || (set.full()[word] & live_[word]) != 0;
        if (!full) {
          open_holders(node, holders);
          publish_opened(node, length);
          if (node->held().nobody()) continue;
        }
      }
      // Give back what eviction from the tail has left unused.
      if (node->length() * 2u <= node->capacity && node->capacity > 4)
        move_node(node, node->length());
      return;
    }
    Node* parent = node_at(node->parent);
    release_node(node);
    node = parent;
  }
}

void PrefixTrie::forget_from(Node* node, Slot slot, std::uint32_t index) {
  const auto push_held_children = [&](const Node* of) {
    const Kids kids = of->followers();
    if (kids.is_none() || of->held().held_by(slot) < kids.length()) return;
    for_each_child(kids, [&](const Node* child) {
      if (child->held().held_by(slot) != 0) pending_.push_back(child->id);
    });
  };
  pending_.clear();
  push_held_children(node);
  // From the top: readers then see the whole tail or none of it.
  set_held(node, slot, index);
  while (!pending_.empty()) {
    Node* next = node_at(pending_.back());
    pending_.pop_back();
    push_held_children(next);
    set_held(next, slot, 0);
  }
}

}  // namespace dynamo::kv_router::detail
