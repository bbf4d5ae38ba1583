// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/kv_router/index_types.h>
#include <dynamo/kv_router/selector.h>
#include <dynamo/tokens/hash.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

namespace dynamo::kv_router {

/// Which blocks workers hold below the device: in pinned host memory, on disk, elsewhere.
///
/// A block that is offloaded hangs on a parent that may be on the device only. So this index sees
/// the events of all tiers and keeps, per worker, the sequence hash behind each engine hash (about
/// 40 bytes per (worker, block), device blocks included). A lookup then needs no walk: a block is
/// on a tier when its sequence hash is, whatever engines call it, and whether or not what precedes
/// it on that tier is still there.
///
/// Confined to one thread. Source: spec kv-router 4.5; lib/kv-router/src/indexer/lower_tier.rs
/// (v1.5), where lookups follow the engines' hashes from parent to child.
class LowerTierIndex {
 public:
  struct Options {
    std::size_t blocks_max = std::size_t{1} << 24;  ///< names known, over all workers
  };
  /// One name of a worker, for dump and restore.
  struct Entry {
    WorkerKey worker;
    EngineHash name{};
    tokens::SequenceHash sequence{};
    std::uint8_t tiers = 0;  ///< bit i: StorageTier i
    auto operator<=>(const Entry&) const = default;
  };

  LowerTierIndex();
  explicit LowerTierIndex(Options options);
  ~LowerTierIndex();
  LowerTierIndex(const LowerTierIndex&) = delete;
  LowerTierIndex& operator=(const LowerTierIndex&) = delete;

  /// An event of any tier. `cleared` on the device clears the rank, on another tier that tier.
  /// over_budget: the store is dropped, blocks_max is reached.
  ApplyStatus apply(const RouterEvent& event);
  void clear(WorkerKey worker);
  /// All ranks of a worker that has left.
  void remove_worker(WorkerId worker);

  /// `overlap` with what host memory, then disk, then other places hold of the sequence behind the
  /// device's blocks, consecutively. `sequence` has the request's sequence hashes.
  TierOverlap extend(WorkerKey worker, std::span<const tokens::SequenceHash> sequence,
                     std::uint32_t device_blocks) const;

  /// Names known, over all workers.
  std::size_t blocks() const noexcept { return blocks_; }
  /// Sorted.
  std::vector<Entry> dump() const;
  /// Adds entries; more than blocks_max are left out. Returns how many were taken.
  std::size_t restore(std::span<const Entry> entries);

 private:
  static constexpr std::size_t kTiers = 4;
  struct Block {
    tokens::SequenceHash sequence{};
    std::uint8_t tiers = 0;
  };
  struct Hash {
    std::size_t operator()(auto name) const noexcept {
      return static_cast<std::size_t>(std::to_underlying(name));
    }
  };
  struct Worker {
    std::unordered_map<EngineHash, Block, Hash> names;
    // Names per lower tier under which a block is known; a block is there while it has one.
    std::unordered_map<tokens::SequenceHash, std::array<std::uint32_t, kTiers - 1>, Hash> held;
  };
  using Names = std::unordered_map<EngineHash, Block, Hash>;

  ApplyStatus store(WorkerKey worker, StorageTier tier, const KvStored& stored);
  ApplyStatus remove(WorkerKey worker, StorageTier tier, const KvRemoved& removed);
  void add_tier(Worker& worker, Block& block, std::size_t tier);
  void drop_tier(Worker& worker, Block& block, std::size_t tier);
  void drop(Worker& worker, Names::iterator at);

  Options options_;
  std::unordered_map<WorkerKey, Worker> workers_;
  std::size_t blocks_ = 0;
};

}  // namespace dynamo::kv_router
