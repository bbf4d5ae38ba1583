// SPDX-License-Identifier: Apache-2.0
#include <dynamo/kv_router/lower_tier_index.h>

#include <algorithm>
#include <unordered_set>
#include <utility>

namespace dynamo::kv_router {

LowerTierIndex::LowerTierIndex() : LowerTierIndex(Options{}) {}
LowerTierIndex::LowerTierIndex(Options options) : options_(options) {}
LowerTierIndex::~LowerTierIndex() = default;

void LowerTierIndex::add_tier(Worker& worker, Block& block, std::size_t tier) {
  if ((block.tiers >> tier & 1) != 0) return;
  block.tiers |= static_cast<std::uint8_t>(1u << tier);
  if (tier > 0) ++worker.held[block.sequence][tier - 1];
}

void LowerTierIndex::drop_tier(Worker& worker, Block& block, std::size_t tier) {
  if ((block.tiers >> tier & 1) == 0) return;
  block.tiers &= static_cast<std::uint8_t>(~(1u << tier));
  if (tier == 0) return;
  const auto held = worker.held.find(block.sequence);
  --held->second[tier - 1];
  if (std::ranges::all_of(held->second, [](std::uint32_t names) { return names == 0; }))
    worker.held.erase(held);
}

void LowerTierIndex::drop(Worker& worker, Names::iterator at) {
  for (std::size_t tier = 0; tier < kTiers; ++tier) drop_tier(worker, at->second, tier);
  worker.names.erase(at);
  --blocks_;
}

ApplyStatus LowerTierIndex::apply(const RouterEvent& event) {
  if (const auto* stored = std::get_if<KvStored>(&event.event.data))
    return store(event.key(), event.storage_tier, *stored);
  if (const auto* removed = std::get_if<KvRemoved>(&event.event.data))
    return remove(event.key(), event.storage_tier, *removed);
  if (event.storage_tier == StorageTier::device) {
    clear(event.key());
    return ApplyStatus::applied;
  }
  const auto found = workers_.find(event.key());
  if (found == workers_.end()) return ApplyStatus::applied;
  Names& names = found->second.names;
  for (auto at = names.begin(); at != names.end();) {
    const auto block = at++;
    drop_tier(found->second, block->second, static_cast<std::size_t>(event.storage_tier));
    if (block->second.tiers == 0) drop(found->second, block);
  }
  if (names.empty()) workers_.erase(found);
  return ApplyStatus::applied;
}

ApplyStatus LowerTierIndex::store(WorkerKey worker, StorageTier tier, const KvStored& stored) {
  std::unordered_set<std::uint64_t> distinct;
  if (stored.parent_hash) distinct.insert(std::to_underlying(*stored.parent_hash));
  for (const KvBlock& block : stored.blocks)
    if (!distinct.insert(std::to_underlying(block.block_hash)).second)
      return ApplyStatus::malformed;
  auto found = workers_.find(worker);
  std::optional<tokens::SequenceHash> above;
  if (stored.parent_hash) {
    if (found == workers_.end()) return ApplyStatus::parent_not_found;
    const auto parent = found->second.names.find(*stored.parent_hash);
    if (parent == found->second.names.end()) return ApplyStatus::parent_not_found;
    above = parent->second.sequence;
  }
  if (stored.blocks.empty()) return ApplyStatus::applied;
  if (stored.blocks.size() > options_.blocks_max - std::min(options_.blocks_max, blocks_))
    return ApplyStatus::over_budget;
  if (found == workers_.end()) found = workers_.try_emplace(worker).first;
  Worker& state = found->second;
  bool changed = false;
  for (const KvBlock& block : stored.blocks) {
    const tokens::SequenceHash sequence =
        above ? tokens::next_sequence_hash(*above, block.tokens_hash)
              : tokens::first_sequence_hash(block.tokens_hash);
    above = sequence;
    auto at = state.names.find(block.block_hash);
    // The newest use of a name is what counts.
    if (at != state.names.end() && at->second.sequence != sequence) {
      drop(state, at);
      at = state.names.end();
    }
    if (at == state.names.end()) {
      at = state.names.emplace(block.block_hash, Block{.sequence = sequence}).first;
      ++blocks_;
    }
    const std::uint8_t before = at->second.tiers;
    add_tier(state, at->second, static_cast<std::size_t>(tier));
    changed = changed || at->second.tiers != before;
  }
  return changed ? ApplyStatus::applied : ApplyStatus::duplicate;
}

ApplyStatus LowerTierIndex::remove(WorkerKey worker, StorageTier tier, const KvRemoved& removed) {
  const auto found = workers_.find(worker);
  if (found == workers_.end())
    return removed.block_hashes.empty() ? ApplyStatus::applied : ApplyStatus::block_not_found;
  ApplyStatus status = ApplyStatus::applied;
  for (const EngineHash name : removed.block_hashes) {
    const auto at = found->second.names.find(name);
    if (at == found->second.names.end() ||
        (at->second.tiers >> static_cast<std::size_t>(tier) & 1) == 0) {
      status = ApplyStatus::block_not_found;
      continue;
    }
    drop_tier(found->second, at->second, static_cast<std::size_t>(tier));
    if (at->second.tiers == 0) drop(found->second, at);
  }
  if (found->second.names.empty()) workers_.erase(found);
  return status;
}

void LowerTierIndex::clear(WorkerKey worker) {
  const auto found = workers_.find(worker);
  if (found == workers_.end()) return;
  blocks_ -= found->second.names.size();
  workers_.erase(found);
}

void LowerTierIndex::remove_worker(WorkerId worker) {
  std::erase_if(workers_, [&](const auto& entry) {
    if (entry.first.worker != worker) return false;
    blocks_ -= entry.second.names.size();
    return true;
  });
}

TierOverlap LowerTierIndex::extend(WorkerKey worker, std::span<const tokens::SequenceHash> sequence,
                                   std::uint32_t device_blocks) const {
  TierOverlap out{.device_blocks = device_blocks};
  const auto found = workers_.find(worker);
  if (found == workers_.end()) return out;
  std::size_t at = device_blocks;
  const auto follow = [&](StorageTier tier) {
    std::uint32_t blocks = 0;
    for (; at < sequence.size(); ++at, ++blocks) {
      const auto held = found->second.held.find(sequence[at]);
      if (held == found->second.held.end() || held->second[static_cast<std::size_t>(tier) - 1] == 0)
        break;
    }
    return blocks;
  };
  out.host_blocks = follow(StorageTier::host_pinned);
  out.disk_blocks = follow(StorageTier::disk);
  out.external_blocks = follow(StorageTier::external);
  return out;
}

std::vector<LowerTierIndex::Entry> LowerTierIndex::dump() const {
  std::vector<Entry> out;
  out.reserve(blocks_);
  for (const auto& [worker, state] : workers_)
    for (const auto& [name, block] : state.names)
      out.push_back({worker, name, block.sequence, block.tiers});
  std::ranges::sort(out);
  return out;
}

std::size_t LowerTierIndex::restore(std::span<const Entry> entries) {
  std::size_t taken = 0;
  for (const Entry& entry : entries) {
    const auto tiers = static_cast<std::uint8_t>(entry.tiers & ((1u << kTiers) - 1));
    if (tiers == 0 || blocks_ >= options_.blocks_max) continue;
    Worker& state = workers_[entry.worker];
    if (const auto old = state.names.find(entry.name); old != state.names.end()) drop(state, old);
    Block& block = state.names.emplace(entry.name, Block{.sequence = entry.sequence}).first->second;
    ++blocks_;
    for (std::size_t tier = 0; tier < kTiers; ++tier)
      if ((tiers >> tier & 1) != 0) add_tier(state, block, tier);
    ++taken;
  }
  return taken;
}

}  // namespace dynamo::kv_router
