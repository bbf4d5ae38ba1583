// SPDX-License-Identifier: Apache-2.0
// Workers and their slots, the lists of nodes by holder, and what waits for readers to leave.
#include <dynamo/base/assert.h>

#include <algorithm>

#include "kv_router/prefix_trie.h"

namespace dynamo::kv_router::detail {

SlotTable::~SlotTable() {
  for (auto& chunk : chunks_) delete[] chunk.load(std::memory_order_relaxed);
}

void SlotTable::ensure(Slot slot) {
  auto& chunk = chunks_[slot / kChunk];
  if (chunk.load(std::memory_order_relaxed) == nullptr)
    chunk.store(new SlotOwner[kChunk], std::memory_order_release);
}

std::optional<Slot> PrefixTrie::slot_of(WorkerKey worker) const {
  if (recent_slot_ < slots_.size() && slots_[recent_slot_].owner == worker &&
      !is_dead(recent_slot_))
    return recent_slot_;
  const auto found = slot_by_worker_.find(worker);
  if (found == slot_by_worker_.end()) return std::nullopt;
  return recent_slot_ = found->second;
}

std::optional<Slot> PrefixTrie::slot_for(WorkerKey worker) {
  if (const auto slot = slot_of(worker)) return slot;
  if (free_slots_.empty() && slots_.size() == kSlotsMax) settle();
  Slot slot = 0;
  if (!free_slots_.empty()) {
    slot = free_slots_.back();
    free_slots_.pop_back();
  } else {
    if (slots_.size() == kSlotsMax) return std::nullopt;
    slot = static_cast<Slot>(slots_.size());
    slots_.emplace_back();
    owners_.ensure(slot);
    if (live_.size() * 64 < slots_.size()) live_.push_back(0);
  }
  slots_[slot] = {.owner = worker};
  live_[slot / 64u] |= std::uint64_t{1} << slot % 64u;
  SlotOwner& owner = owners_[slot];
  owner.worker.store(static_cast<std::uint64_t>(worker.worker), std::memory_order_relaxed);
  owner.rank.store(static_cast<std::uint32_t>(worker.rank), std::memory_order_relaxed);
  owner.alive.store(true, std::memory_order_release);
  slot_by_worker_.emplace(worker, slot);
  return slot;
}

void PrefixTrie::bury(Slot slot) {
  slot_by_worker_.erase(slots_[slot].owner);
  owners_[slot].alive.store(false, std::memory_order_release);
  live_[slot / 64u] &= ~(std::uint64_t{1} << slot % 64u);
  IdList& nodes = slots_[slot].nodes;
  while (nodes.size() != 0) {
    Node* node = node_at(nodes.back());
    drop_aliases(slot, node, 0, node->held().blocks());
    publish_holders(node, {});
    tidy_upwards(node);
    if (retired_.size() >= kRetiredMany) reclaim();
  }
  nodes.release(heap_);
  dead_waiting_.push_back(slot);
}

// From the end, so that what fills a gap has been seen or will be.
void PrefixTrie::sweep(std::size_t nodes) {
  if (dying_.empty()) {
    if (dead_waiting_.empty()) return;
    dying_.swap(dead_waiting_);
    sweep_left_ = shared_nodes_.size();
  }
  for (; nodes != 0; --nodes) {
    sweep_left_ = std::min(sweep_left_, shared_nodes_.size());
    if (sweep_left_ == 0) break;
    Node* node = node_at(shared_nodes_[--sweep_left_]);
    if (node->held().is_many()) bury_in(node);
  }
  if (sweep_left_ != 0) return;
  for (const Slot slot : dying_) retired_.push_back({nullptr, epochs_.now(), slot});
  dying_.clear();
}

void PrefixTrie::settle() {
  while (!dying_.empty() || !dead_waiting_.empty()) sweep(1024);
  reclaim();
  heap_.trim();
}

void PrefixTrie::link(Node* node) {
  node->list_at = list_of(node->held()).push(heap_, node->id);
}

void PrefixTrie::unlink(Node* node) {
  const std::uint32_t moved = list_of(node->held()).erase(heap_, node->list_at);
  if (moved != node->id) node_at(moved)->list_at = node->list_at;
}

void PrefixTrie::retire(void* memory) {
  retired_bytes_ += CountedHeap::chunk_bytes(memory);
  retired_.push_back({memory, epochs_.now(), 0});
}

void PrefixTrie::reclaim() {
  if (retired_.empty()) return;
  const std::uint64_t safe = epochs_.advance();
  while (!retired_.empty() && retired_.front().epoch < safe) {
    const Retired& oldest = retired_.front();
    if (oldest.memory == nullptr) {
      free_slots_.push_back(oldest.slot);
    } else {
      retired_bytes_ -= CountedHeap::chunk_bytes(oldest.memory);
      heap_.release(oldest.memory);
    }
    retired_.pop_front();
  }
}

}  // namespace dynamo::kv_router::detail
