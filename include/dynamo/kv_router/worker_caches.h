// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/kv_router/approximate_index.h>
#include <dynamo/kv_router/event_order.h>
#include <dynamo/kv_router/lower_tier_index.h>
#include <dynamo/kv_router/prefix_index.h>
#include <dynamo/kv_router/selector.h>
#include <dynamo/kv_router/worker_query.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

namespace dynamo::kv_router {

struct WorkerCachesOptions {
  EventOrderOptions order = {};
  PrefixIndexOptions index = {};
  /// Follow host memory, disk and other places as well. None: their events are left out.
  std::optional<LowerTierIndex::Options> lower_tiers;
  /// Remember what is routed where. It counts for workers whose caches are not known exactly.
  std::optional<ApproximateIndexOptions> routed;
  /// `router_predicted_ttl_secs`: what is routed counts for the other workers as well, since their
  /// events lag behind; the larger of the two.
  bool predict_on_route = false;
};

struct WorkerCachesStats {
  std::uint64_t events = 0;  ///< put into an index
  std::uint64_t duplicate_stores = 0;
  std::uint64_t parents_not_found = 0;
  std::uint64_t blocks_not_found = 0;
  std::uint64_t malformed = 0;
  std::uint64_t over_budget = 0;
  std::uint64_t unsupported_domains = 0;  ///< events of cache owners, which are not followed
  std::uint64_t other_tiers = 0;          ///< left out because lower tiers are not followed
};

/// What the router knows of all workers' caches, from events to the overlaps that a selection
/// needs: the order of events in front of the exact index, lower tiers behind it, and the
/// approximate index beside it. A worker of which events are missing, or whose publisher is gone,
/// counts with the larger of what its events said last and what was routed there, and the
/// candidate says so.
///
/// Nothing here does I/O: recoveries that are due come out of take_questions(). Confined to one
/// thread; index() may have readers in others.
class WorkerCaches {
 public:
  explicit WorkerCaches(WorkerCachesOptions options = {});
  ~WorkerCaches();
  WorkerCaches(const WorkerCaches&) = delete;
  WorkerCaches& operator=(const WorkerCaches&) = delete;

  /// As of EventOrder.
  void add_source(WorkerKey worker, PublisherId publisher, bool can_be_asked, base::SteadyTime now);
  void lose_source(WorkerKey worker, base::SteadyTime now);
  void remove_worker(WorkerId worker);
  void on_event(PublisherId publisher, RouterEvent event, base::SteadyTime now);
  /// Recoveries to ask for, each once.
  std::vector<RequestRecovery> take_questions();
  void answer(WorkerKey worker, RecoveryId id, WorkerQueryAnswer answer, base::SteadyTime now);
  void recovery_failed(WorkerKey worker, RecoveryId id, base::SteadyTime now);
  /// Timeouts, retries and expiry; call it when next_deadline() has come.
  void on_time(base::SteadyTime now);
  std::optional<base::SteadyTime> next_deadline() const;

  /// A request with these blocks was sent to the worker.
  void routed(WorkerKey worker, std::span<const LocalHash> blocks,
              std::span<const tokens::SequenceHash> sequence, base::SteadyTime now);

  /// Sets what a selection needs to know of the caches of `candidates`: overlap, cached tokens,
  /// freshness, whether prediction counts, and for generation 0.9 the tree's size. `sequence` are
  /// the sequence hashes of `blocks`.
  void fill(std::span<const LocalHash> blocks, std::span<const tokens::SequenceHash> sequence,
            const SelectorConfig& config, std::uint32_t block_size_tokens,
            std::span<Candidate> candidates);

  Freshness freshness(WorkerKey worker) const { return order_.freshness(worker); }
  PrefixIndex& index() noexcept { return index_; }
  const WorkerCachesStats& stats() const noexcept { return stats_; }
  const EventOrderStats& order_stats() const noexcept { return order_.stats(); }

 private:
  struct State {
    Freshness freshness = Freshness::unknown;
    // Of the lookup `seen`.
    std::uint64_t seen = 0;
    std::uint32_t held = 0;
    std::uint32_t routed = 0;
  };

  void perform();
  void perform(WorkerKey worker);
  void apply(const RouterEvent& event);
  void count(ApplyStatus status);
  State& seen(WorkerKey worker);

  WorkerCachesOptions options_;
  EventOrder order_;
  EventOrder::Actions actions_;
  std::vector<RequestRecovery> questions_;
  PrefixIndex index_;
  PrefixIndex::Reader reader_{index_};
  std::optional<LowerTierIndex> lower_tiers_;
  std::optional<ApproximateIndex> routed_;
  std::optional<PrefixIndex::Reader> routed_reader_;
  std::unordered_map<WorkerKey, State> states_;
  std::uint64_t lookup_ = 0;
  WorkerCachesStats stats_;
};

}  // namespace dynamo::kv_router
