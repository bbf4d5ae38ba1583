// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/clock.h>
#include <dynamo/kv_router/prefix_index.h>
#include <dynamo/tokens/hash.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

namespace dynamo::kv_router {

struct ApproximateIndexOptions {
  std::chrono::milliseconds ttl{120'000};
  PrefixIndexOptions index = {};  ///< its memory budget bounds the blocks; the least used go first
};

/// Which worker probably holds which prefix, when workers say nothing: a worker to which a request
/// was sent is taken to hold its blocks for a while. Sending it there again renews them.
///
/// Times are rounded up to tenths of a second, so that what is routed together expires together.
/// Confined to one thread, except that readers of index() may be anywhere. Source: spec kv-router
/// 4.4; lib/kv-router/src/indexer/pruning.rs (v1.5).
class ApproximateIndex {
 public:
  static constexpr std::chrono::milliseconds kExpiryStep{100};

  explicit ApproximateIndex(ApproximateIndexOptions options = {});
  ~ApproximateIndex();
  ApproximateIndex(const ApproximateIndex&) = delete;
  ApproximateIndex& operator=(const ApproximateIndex&) = delete;

  /// The request with these blocks goes to the worker. `names` has one sequence hash per block.
  void routed(WorkerKey worker, std::span<const LocalHash> blocks,
              std::span<const tokens::SequenceHash> names, base::SteadyTime now);
  void remove_worker(WorkerId worker);
  /// Forgets what has expired; returns the number of blocks.
  std::size_t expire(base::SteadyTime now);
  std::optional<base::SteadyTime> next_expiry() const;

  PrefixIndex& index() noexcept { return index_; }

 private:
  struct Batch {
    base::SteadyTime expires;
    WorkerKey worker;
    std::uint64_t worker_life = 0;
    std::vector<EngineHash> names;
  };
  struct Worker {
    std::uint64_t life = 0;
    std::unordered_map<std::uint64_t, base::SteadyTime> expires;  // by name
  };

  std::chrono::milliseconds ttl_;
  PrefixIndex index_;
  std::unordered_map<WorkerKey, Worker> workers_;
  std::deque<Batch> batches_;  // in the order in which they expire
  std::uint64_t next_life_ = 1;
};

}  // namespace dynamo::kv_router
