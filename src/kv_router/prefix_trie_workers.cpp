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
  const auto found = slot_by_worker_.find(worker);
  if (found == slot_by_worker_.end()) return std::nullopt;
  return found->second;
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
  while (slots_[slot].head != 0) {
    Node* node = node_at(slots_[slot].head);
    drop_aliases(slot, node, 0, node->held().blocks());
    publish_holders(node, {});
    tidy_upwards(node);
    if (retired_.size() >= kRetiredMany) reclaim();
  }
  dead_waiting_.push_back(slot);
}

void PrefixTrie::sweep(std::size_t nodes) {
  if (dying_.empty()) {
    if (dead_waiting_.empty()) return;
    dying_.swap(dead_waiting_);
    sweep_at_ = shared_head_;
  }
  for (; sweep_at_ != 0 && nodes != 0; --nodes) {
    Node* node = node_at(sweep_at_);
    sweep_at_ = node->following;
    if (node->held().is_many()) bury_in(node);
  }
  if (sweep_at_ != 0) return;
  for (const Slot slot : dying_) retired_.push_back({nullptr, epochs_.now(), slot});
  dying_.clear();
}

void PrefixTrie::settle() {
  while (!dying_.empty() || !dead_waiting_.empty()) sweep(1024);
  reclaim();
}

void PrefixTrie::link(Node* node) {
  std::uint32_t& head = list_of(node->held());
  node->previous = 0;
  node->following = head;
  if (head != 0) node_at(head)->previous = node->id;
  head = node->id;
}

void PrefixTrie::unlink(Node* node) {
  if (sweep_at_ == node->id) sweep_at_ = node->following;
  if (node->following != 0) node_at(node->following)->previous = node->previous;
  if (node->previous != 0) {
    node_at(node->previous)->following = node->following;
  } else {
    list_of(node->held()) = node->following;
  }
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
