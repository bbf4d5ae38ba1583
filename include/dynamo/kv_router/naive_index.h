// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/kv_router/index_types.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <vector>

namespace dynamo::kv_router {

/// The specification of a prefix index as a program: one tree per worker, maps, nothing shared.
/// Slow, obviously right, and the oracle that every real index is compared with.
///
/// A worker holds a block while its whole prefix is held. Removing a block forgets what follows it.
/// Confined to one thread. Source: spec kv-router 2.2 and 4.2, the 1.5 rules.
class NaiveIndex {
 public:
  NaiveIndex();
  ~NaiveIndex();
  NaiveIndex(NaiveIndex&&) noexcept;
  NaiveIndex& operator=(NaiveIndex&&) noexcept;

  ApplyStatus apply(const RouterEvent& event);
  ApplyStatus store(WorkerKey worker, const KvStored& stored);
  ApplyStatus remove(WorkerKey worker, std::span<const EngineHash> hashes);
  void clear(WorkerKey worker);
  /// All ranks of a worker that has left.
  void remove_worker(WorkerId worker);

  OverlapScores find_matches(std::span<const LocalHash> sequence) const;
  /// Blocks that the worker holds.
  std::size_t blocks(WorkerKey worker) const;
  /// Every block of every worker, sorted.
  std::vector<DumpedBlock> dump() const;

 private:
  struct Tree;
  std::map<WorkerKey, std::unique_ptr<Tree>> trees_;
};

}  // namespace dynamo::kv_router
