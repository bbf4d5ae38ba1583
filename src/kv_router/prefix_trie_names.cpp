// SPDX-License-Identifier: Apache-2.0
// What workers call blocks: the shared table of engine hashes, and the aliases of those who differ.
#include <algorithm>
#include <bitset>

#include "kv_router/prefix_trie.h"

namespace dynamo::kv_router::detail {

PrefixTrie::Place PrefixTrie::find_name(Slot slot, EngineHash name, std::uint64_t mixed) const {
  Place place;
  const bool has_aliases = slots_[slot].aliases != 0;
  table_.find(mixed, [&](BlockRef ref) {
    Node* node = node_at(ref.node);
    const std::uint32_t index = ref.position - node->base;
    if (node->engines()[index] != name || node->held().held_by(slot) <= index) return false;
    if (has_aliases && node->aliased &&
        aliases_by_place_.find({.slot = slot, .node = ref.node, .position = ref.position}) !=
            nullptr)
      return false;  // the worker calls it something else
    place = {node, index};
    return true;
  });
  if (place.node == nullptr && has_aliases) {
    if (const AliasByName* alias =
            aliases_by_name_.find({.name = std::to_underlying(name), .slot = slot})) {
      Node* node = node_at(alias->node);
      place = {node, alias->position - node->base};
    }
  }
  return place;
}

EngineHash PrefixTrie::name_of(Slot slot, const Node* node, std::uint32_t index) const {
  if (node->aliased && slots_[slot].aliases != 0) {
    if (const AliasByPlace* alias = aliases_by_place_.find(
            {.slot = slot, .node = node->id, .position = node->base + index}))
      return EngineHash{alias->name};
  }
  return node->engines()[index];
}

void PrefixTrie::add_alias(Slot slot, Node* node, std::uint32_t index, EngineHash name) {
  const std::uint32_t position = node->base + index;
  aliases_by_name_.insert({std::to_underlying(name), slot, node->id, position});
  aliases_by_place_.insert({std::to_underlying(name), slot, node->id, position});
  ++slots_[slot].aliases;
  node->aliased = true;
}

void PrefixTrie::drop_aliases(Slot slot, const Node* node, std::uint32_t from, std::uint32_t to) {
  if (!node->aliased) return;
  for (std::uint32_t i = from; i < to && slots_[slot].aliases != 0; ++i) {
    const AliasByPlace key{.slot = slot, .node = node->id, .position = node->base + i};
    const AliasByPlace* alias = aliases_by_place_.find(key);
    if (alias == nullptr) continue;
    aliases_by_name_.erase({.name = alias->name, .slot = slot});
    aliases_by_place_.erase(key);
    --slots_[slot].aliases;
  }
}

void PrefixTrie::rename_aliases(Holders holders, std::uint32_t from, std::uint32_t first,
                                std::uint32_t last, std::uint32_t to) {
  holders.for_each([&](Slot slot, std::uint32_t) {
    if (slots_[slot].aliases == 0) return;
    for (std::uint32_t position = first; position < last; ++position) {
      const AliasByPlace* found =
          aliases_by_place_.find({.slot = slot, .node = from, .position = position});
      if (found == nullptr) continue;
      AliasByPlace alias = *found;
      aliases_by_place_.erase(alias);
      aliases_by_name_.erase({.name = alias.name, .slot = slot});
      alias.node = to;
      aliases_by_place_.insert(alias);
      aliases_by_name_.insert({alias.name, slot, to, position});
    }
  });
}

bool PrefixTrie::repeats_a_name(const KvStored& stored) {
  // Most stores are short and repeat nothing: a filter says so in a few nanoseconds a name.
  constexpr std::size_t kFilterBits = 4096;
  constexpr std::size_t kFilterStoresMax = 128;
  const std::size_t count = names_.size();
  if (count <= kFilterStoresMax) {
    std::bitset<kFilterBits> seen;
    if (stored.parent_hash) seen[EngineHashTable::mix(*stored.parent_hash) % kFilterBits] = true;
    for (std::size_t i = 0; i < count; ++i) {
      auto bit = seen[mixed_[i] % kFilterBits];
      if (bit && (names_[i] == stored.parent_hash ||
                  std::find(names_.begin(), names_.begin() + static_cast<std::ptrdiff_t>(i),
                            names_[i]) != names_.begin() + static_cast<std::ptrdiff_t>(i)))
        return true;
      bit = true;
    }
    return false;
  }
  sorted_names_.assign(names_.begin(), names_.end());
  if (stored.parent_hash) sorted_names_.push_back(*stored.parent_hash);
  std::sort(sorted_names_.begin(), sorted_names_.end());
  return std::adjacent_find(sorted_names_.begin(), sorted_names_.end()) != sorted_names_.end();
}

}  // namespace dynamo::kv_router::detail
