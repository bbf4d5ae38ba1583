// SPDX-License-Identifier: Apache-2.0
// Events.
#include "kv_router/prefix_trie.h"

#include <dynamo/base/assert.h>

#include <algorithm>
#include <utility>

namespace dynamo::kv_router::detail {
namespace {

// What a block can cost: its hashes, its entry just after a table has grown, its share of a node.
constexpr std::size_t kBlockBytesMost = 64;
constexpr std::size_t kStoreBytesMost = 4096;
constexpr std::size_t kSweepNodes = 32;
constexpr std::size_t kPrefetchBlocks = 256;
constexpr std::uint64_t kEventsPerTick = 256;
constexpr std::uint32_t kEvictionSamples = 32;
constexpr std::size_t kNamesPerFetch = 8;

}  // namespace

PrefixTrie::PrefixTrie(const PrefixIndexOptions& options)
    : memory_bytes_max_(options.memory_bytes_max), rng_(options.seed) {
  ids_.push_back(static_cast<Node**>(heap_.allocate(kIdChunk * sizeof(Node*))));
  set_node_at(0, &root_);
}

PrefixTrie::~PrefixTrie() {
  const auto release = [&](Node& node) {
    const Kids kids = node.followers();
    if (!kids.is_none() && !kids.is_one()) heap_.release(kids.table());
    if (node.held().is_many()) heap_.release(node.held().set());
  };
  release(root_);
  // Ids that were given back hold null.
  for (std::uint32_t id = 1; id < ids_given_; ++id) {
    if (Node* node = node_at(id)) {
      release(*node);
      heap_.release(node);
    }
  }
  for (Node** chunk : ids_) heap_.release(chunk);
  free_ids_.release(heap_);
  shared_nodes_.release(heap_);
  for (SlotState& slot : slots_) slot.nodes.release(heap_);
  for (const Retired& retired : retired_) heap_.release(retired.memory);
}

ApplyStatus PrefixTrie::store(WorkerKey worker, const KvStored& stored, std::size_t limit) {
  std::size_t count = stored.blocks.size();
  const auto* event = reinterpret_cast<const char*>(stored.blocks.data());
  for (std::size_t byte = 0; byte < std::min(count, kPrefetchBlocks) * sizeof(KvBlock); byte += 64)
    __builtin_prefetch(event + byte);
  locals_.resize(count);
  names_.resize(count);
  mixed_.resize(count);
  for (std::size_t i = 0; i < count; ++i) {
    locals_[i] = stored.blocks[i].tokens_hash;
    names_[i] = stored.blocks[i].block_hash;
    mixed_[i] = EngineHashTable::mix(names_[i]);
  }
  if (!stored.parent_hash) prefetch_branch();
  for (std::size_t i = 0; i < std::min(count, kPrefetchBlocks); ++i) table_.prefetch(mixed_[i]);
  if (repeats_a_name(stored)) return ApplyStatus::malformed;
  count = std::min(count, limit);
  const auto known = slot_of(worker);
  if (stored.parent_hash && !known) return ApplyStatus::parent_not_found;
  if (!stored.parent_hash && count == 0) return ApplyStatus::applied;
  if (count != 0 && !make_room(count * kBlockBytesMost + kStoreBytesMost, count)) {
    ++refused_stores_;
    return ApplyStatus::over_budget;
  }
  const auto slot = slot_for(worker);
  if (!slot) {
    ++refused_stores_;
    return ApplyStatus::over_budget;
  }
  const ApplyStatus status = store_at(*slot, stored.parent_hash, count);
  after_event();
  return status;
}

ApplyStatus PrefixTrie::store_at(Slot slot, std::optional<EngineHash> parent, std::size_t end) {
  const std::size_t count = end;
  while (true) {
    Place at{&root_, 0};  // before the block at this index
    if (parent) {
      at = find_name(slot, *parent, EngineHashTable::mix(*parent));
      if (at.node == nullptr) return ApplyStatus::parent_not_found;
      ++at.index;
    }
    const std::size_t first = walk_held(slot, at, end);
    if (first == end) {
      if (end < count) return ApplyStatus::malformed;
      return count == 0 ? ApplyStatus::applied : ApplyStatus::duplicate;
    }
    // A name may still stand for another block: the newest use of a name is what counts.
    if (free_names(slot, at, first, end)) {
      insert(slot, at, first, end);
      return end < count ? ApplyStatus::malformed : ApplyStatus::applied;
    }
  }
}

// Moves `at` along blocks that the worker holds; returns the number of blocks passed.
std::size_t PrefixTrie::walk_held(Slot slot, Place& at, std::size_t end) {
  std::size_t i = 0;
  while (i < end) {
    const Kids kids = at.node->followers();
    if (at.index == kids.length()) {
      Node* child = child_of(kids, locals_[i]);
      if (child == nullptr || child->held().held_by(slot) == 0) break;
      at = {child, 0};
      continue;
    }
    const std::uint32_t held = at.node->held().held_by(slot);
    const auto limit = static_cast<std::uint32_t>(std::min<std::size_t>(held - at.index, end - i));
    const std::uint32_t matched = matching(at.node->locals() + at.index, &locals_[i], limit);
    at.index += matched;
    i += matched;
    if (at.index != at.node->length()) break;
  }
  return i;
}

// True when none of the names stands for a block of the worker. Otherwise forgets those blocks, so
// that the caller looks again; `end` comes before a name that stands above the place itself.
bool PrefixTrie::free_names(Slot slot, Place at, std::size_t first, std::size_t& end) {
  doubtful_.clear();
  for (std::size_t i = first; i < end; ++i)
    if (table_.may_have(mixed_[i]) || slots_[slot].aliases != 0) doubtful_.push_back(i);
  sorted_names_.clear();
  for (const std::size_t i : doubtful_) {
    const Place old = find_name(slot, names_[i], mixed_[i]);
    if (old.node == nullptr) continue;
    if (is_above(old, at)) {
      end = i;
      break;
    }
    sorted_names_.push_back(names_[i]);
  }
  for (const EngineHash name : sorted_names_) {
    const Place old = find_name(slot, name, EngineHashTable::mix(name));
    if (old.node != nullptr) forget_from(old.node, slot, old.index);
  }
  return sorted_names_.empty() && first != end;
}

bool PrefixTrie::is_above(Place block, Place at) const noexcept {
  if (block.node == at.node) return block.index < at.index;
  for (const Node* node = at.node; node != &root_;) {
    node = node_at(node->parent);
    if (node == block.node) return true;
  }
  return false;
}

void PrefixTrie::insert(Slot slot, Place at, std::size_t first, std::size_t end) {
  Node* node = at.node;
  std::uint32_t index = at.index;
  const auto left = [&] { return end - first; };
  while (first < end) {
    const Kids kids = node->followers();
    const std::uint32_t length = kids.length();
    if (index < length) {
      const auto limit = static_cast<std::uint32_t>(std::min<std::size_t>(length - index, left()));
      const std::uint32_t matched = matching(node->locals() + index, &locals_[first], limit);
      if (matched != 0) {
        for (std::uint32_t i = 0; i < matched; ++i)
          if (node->engines()[index + i] != names_[first + i])
            add_alias(slot, node, index + i, names_[first + i]);
        index += matched;
        first += matched;
        set_held(node, slot, index);
        touch(node);
      }
      if (first == end) break;
      if (node->held().is_many()) {  // the dead would get nodes of their own
        const std::uint32_t id = node->id;
        bury_in(node);
        node = node_at(id);
      }
      if (index < node->length()) node = split(node, index);
      continue;
    }
    if (Node* child = child_of(kids, locals_[first])) {
      node = child;
      index = 0;
      continue;
    }
    const Holders holders = node->held();
    const std::uint32_t room = node == &root_ ? 0 : kNodeBlocksMax - node->base - length;
    if (kids.is_none() && room != 0 && holders.is_one() && holders.slot() == slot) {
      const auto count = static_cast<std::uint32_t>(std::min<std::size_t>(room, left()));
      node = extend(node, slot, first, count);
      first += count;
    } else {
      const auto count = static_cast<std::uint32_t>(std::min<std::size_t>(kNodeBlocksMax, left()));
      node = append_child(node, slot, first, count);
      first += count;
    }
    index = node->length();
  }
}

ApplyStatus PrefixTrie::remove(WorkerKey worker, std::span<const EngineHash> hashes) {
  const auto slot = slot_of(worker);
  if (!slot) return hashes.empty() ? ApplyStatus::applied : ApplyStatus::block_not_found;
  ApplyStatus status = ApplyStatus::applied;
  for (std::size_t begin = 0; begin < hashes.size(); begin += kRemoveBatch) {
    const std::size_t count = std::min(kRemoveBatch, hashes.size() - begin);
    if (!remove_batch(*slot, hashes.subspan(begin, count))) status = ApplyStatus::block_not_found;
  }
  after_event();
  return status;
}

bool PrefixTrie::remove_batch(Slot slot, std::span<const EngineHash> hashes) {
  std::array<BlockRef, kRemoveBatch> refs;
  std::array<std::uint64_t, kRemoveBatch> mixed;
  for (std::size_t i = 0; i < hashes.size(); ++i) {
    mixed[i] = EngineHashTable::mix(hashes[i]);
    table_.prefetch(mixed[i]);
  }
  prefetch_last_of(slot);
  // A node has several of the names: look at some for what to fetch, then at all.
  std::uint32_t seen = 0;
  for (std::size_t i = 0; i < hashes.size(); ++i) {
    if (!table_.may_have(mixed[i]) || i % kNamesPerFetch != 0) continue;
    table_.find(mixed[i], [&](BlockRef ref) {
      if (std::exchange(seen, ref.node) != ref.node) prefetch_node(node_at(ref.node));
      return true;
    });
  }
  seen = 0;
  for (std::size_t i = 0; i < hashes.size(); ++i) {
    const Place place = find_name(slot, hashes[i], mixed[i]);
    if (place.node != nullptr && std::exchange(seen, place.node->id) != place.node->id)
      prefetch_surroundings(place.node);
    refs[i] = place.node == nullptr ? BlockRef{}
                                    : BlockRef{place.node->id, place.node->base + place.index};
  }
  bool all = true;
  for (std::size_t i = 0; i < hashes.size(); ++i) {
    if (refs[i].node == 0) {
      all = false;
      continue;
    }
    // An earlier removal may have taken it along; ids are not given anew before the event ends.
    Node* node = node_at(refs[i].node);
    if (node == nullptr || node->held().held_by(slot) <= refs[i].position - node->base) {
      all = false;
      continue;
    }
    // Engines evict from the tail: take a run of one node's last blocks at once.
    while (i + 1 < hashes.size() && refs[i + 1].node == refs[i].node &&
           refs[i + 1].position < refs[i].position)
      ++i;
    forget_from(node, slot, refs[i].position - node->base);
  }
  return all;
}

void PrefixTrie::clear(WorkerKey worker) {
  if (const auto slot = slot_of(worker)) bury(*slot);
  after_event();
}

void PrefixTrie::remove_worker(WorkerId worker) {
  dead_now_.clear();
  for (const auto& [key, slot] : slot_by_worker_)
    if (key.worker == worker) dead_now_.push_back(slot);
  std::sort(dead_now_.begin(), dead_now_.end());
  for (const Slot slot : dead_now_) bury(slot);
  after_event();
}

void PrefixTrie::after_event() {
  if (++events_ % kEventsPerTick == 0) tick_.store(++tick_now_, std::memory_order_relaxed);
  sweep(kSweepNodes);
  if (retired_.size() >= kRetiredMany) reclaim();
  // Sets of many holders, written anew at each node that an event passes, are not foreseen.
  if (heap_.bytes() > memory_bytes_max_) make_room(0, 0);
}

bool PrefixTrie::make_room(std::size_t bytes, std::size_t blocks) {
  // A table of children may have to double, with the old one still there; so may the others.
  if (bytes != 0)
    bytes += 2 * child_table_bytes_max_ + shared_nodes_.growth_bytes() + free_ids_.growth_bytes();
  if (aliases_by_name_.size() != 0)
    bytes += aliases_by_name_.growth_bytes(blocks) + aliases_by_place_.growth_bytes(blocks);
  if (ids_given_ - free_ids_.size() + bytes / Node::bytes(1) > kIdsMax) return false;
  if (heap_.bytes() + bytes <= memory_bytes_max_) return true;
  reclaim();
  heap_.trim();
  while (heap_.bytes() - heap_.kept_bytes() - retired_bytes_ + bytes > memory_bytes_max_) {
    if (!evict_one()) return false;
    if (retired_.size() >= kRetiredMany) reclaim();
  }
  reclaim();
  heap_.trim();
  return heap_.bytes() + bytes <= memory_bytes_max_;
}

bool PrefixTrie::evict_one() {
  if (nodes_ == 0) return false;
  // The leaf that was not used for longest, of a sample.
  Node* victim = nullptr;
  std::uint32_t age = 0;
  for (std::uint32_t tries = 0; tries < kEvictionSamples || victim == nullptr; ++tries) {
    Node* node = node_at(static_cast<std::uint32_t>(rng_.below(ids_given_ - 1)) + 1);
    if (node == nullptr) continue;
    if (!node->followers().is_none()) {
      if (victim != nullptr || tries < kEvictionSamples) continue;
      // Leaves are rare: go down to one.
      while (!node->followers().is_none())
        for_each_child(node->followers(), [&](Node* child) { node = child; });
    }
    const std::uint32_t its_age = tick_now_ - node->used.load(std::memory_order_relaxed);
    if (victim != nullptr && its_age <= age) continue;
    victim = node;
    age = its_age;
  }
  victim->held().for_each([&](Slot slot, std::uint32_t blocks) {
    drop_aliases(slot, victim, 0, blocks);
    if (is_dead(slot)) return;
    slots_[slot].blocks -= blocks;
    evicted_blocks_ += blocks;
  });
  publish_holders(victim, {});
  tidy_upwards(victim);
  return true;
}

std::optional<std::size_t> PrefixTrie::path_to(WorkerKey worker, EngineHash name,
                                               std::span<LocalHash> leading) const {
  const auto slot = slot_of(worker);
  if (!slot) return std::nullopt;
  const Place place = find_name(*slot, name, EngineHashTable::mix(name));
  if (place.node == nullptr) return std::nullopt;
  std::size_t depth = place.index + 1;
  for (const Node* node = node_at(place.node->parent); node != &root_ && depth < leading.size();
       node = node_at(node->parent))
    depth += node->length();
  if (depth >= leading.size()) return leading.size();
  std::size_t end = depth;
  std::uint32_t length = place.index + 1;
  for (const Node* node = place.node; node != &root_;) {
    end -= length;
    std::copy_n(node->locals(), length, leading.begin() + static_cast<std::ptrdiff_t>(end));
    node = node_at(node->parent);
    length = node->length();
  }
  return depth;
}

std::size_t PrefixTrie::blocks(WorkerKey worker) const {
  const auto slot = slot_of(worker);
  return slot ? slots_[*slot].blocks : 0;
}

PrefixIndexStats PrefixTrie::stats() const {
  return {.memory_bytes = heap_.bytes(),
          .distinct_blocks = table_.size(),
          .nodes = nodes_,
          .workers = slot_by_worker_.size(),
          .retired = retired_.size(),
          .evicted_blocks = evicted_blocks_,
          .refused_stores = refused_stores_};
}

std::vector<RouterEvent> PrefixTrie::snapshot() const {
  std::vector<RouterEvent> events;
  std::deque<const Node*> level{&root_};
  for (; !level.empty(); level.pop_front()) {
    const Node* node = level.front();
    const Node* parent = node_at(node->parent);
    node->held().for_each([&](Slot slot, std::uint32_t blocks) {
      if (is_dead(slot)) return;
      KvStored stored;
      if (parent != &root_) stored.parent_hash = name_of(slot, parent, parent->length() - 1);
      stored.blocks.reserve(blocks);
      for (std::uint32_t i = 0; i < blocks; ++i)
        stored.blocks.push_back({name_of(slot, node, i), node->locals()[i], std::nullopt});
      const WorkerKey owner = slots_[slot].owner;
      events.push_back(
          {.worker_id = owner.worker,
           .residency_domain = std::nullopt,
           .event = {.event_id = events.size(), .data = std::move(stored), .dp_rank = owner.rank}});
    });
    for_each_child(node->followers(), [&](const Node* child) { level.push_back(child); });
  }
  return events;
}

}  // namespace dynamo::kv_router::detail
