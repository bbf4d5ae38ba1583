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

/// What makes a routed block go: time (0.9, 1.5), or others that were routed later (1.6's
/// `router_approximate_cache_policy`).
enum class ApproximatePolicy : std::uint8_t { ttl, lru };

struct ApproximateIndexOptions {
  ApproximatePolicy policy = ApproximatePolicy::ttl;
  std::chrono::milliseconds ttl{120'000};  ///< `router_ttl_secs`; policy ttl only
  /// (worker, block) pairs; above it those that were routed longest ago go, of one request the
  /// deepest first, down to `prune_target_ratio` of it. `router_max_tree_size` of 0.9.
  std::size_t blocks_max = std::size_t{1} << 20;
  double prune_target_ratio = 0.8;  ///< `router_prune_target_ratio`, from 0 to 1
  PrefixIndexOptions index = {};    ///< its memory budget bounds the blocks too
};

/// Which worker probably holds which prefix, when workers say nothing: a worker to which a request
/// was sent is taken to hold its blocks for a while. Sending it there again renews them.
///
/// Times are rounded up to tenths of a second, so that what is routed together expires together.
/// Confined to one thread, except that readers of index() may be anywhere. Source: spec kv-router
/// 4.4; lib/kv-router/src/indexer/pruning.rs (v0.9, v1.5).
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
  /// Forgets what has expired; returns the number of blocks. Nothing with policy lru.
  std::size_t expire(base::SteadyTime now);
  std::optional<base::SteadyTime> next_expiry() const;

  /// (worker, block) pairs that are taken to be held.
  std::size_t blocks() const noexcept { return held_; }
  PrefixIndex& index() noexcept { return index_; }

 private:
  // The blocks of one request, in the order in which requests were routed. A block that was routed
  // again belongs to the later batch.
  struct Batch {
    std::uint64_t number = 0;
    base::SteadyTime expires;
    WorkerKey worker;
    std::vector<EngineHash> names;
  };
  using Blocks = std::unordered_map<std::uint64_t, std::uint64_t>;  // name -> number of its batch

  /// Takes the blocks that still belong to the batch from the worker, the deepest first, at most
  /// `most`. Returns how many.
  std::size_t forget(Batch& batch, std::size_t most);
  void pop_batch();
  void prune();
  void compact();

  ApproximateIndexOptions options_;
  PrefixIndex index_;
  std::unordered_map<WorkerKey, Blocks> workers_;
  std::deque<Batch> batches_;  // in the order in which they expire
  std::size_t held_ = 0;
  std::size_t batched_ = 0;  // names in batches, those that were renewed included
  std::uint64_t next_number_ = 1;
};

}  // namespace dynamo::kv_router
