// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/clock.h>
#include <dynamo/kv_router/active_sequences.h>
#include <dynamo/kv_router/sequence_event.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

/// Keeps the active sequences of several routers of one model alike: each tells the others what it
/// sends where. Source: lib/kv-router/src/sequences/multi_worker.rs (v1.5); spec kv-router 7.
namespace dynamo::kv_router {

struct ReplicaSyncOptions {
  std::uint64_t router_id = 0;  ///< of this router; not 0
  WireGeneration generation = WireGeneration::v1_5;
  std::uint32_t block_size_tokens = 16;  ///< 0.9 events count their overlap in blocks
  std::size_t batch_events_max = 256;
  std::chrono::milliseconds batch_delay{1};
  std::size_t queue_events_max = 100'000;  ///< that wait to be sent; the newest is dropped
};

struct ReplicaSyncStats {
  std::uint64_t sent = 0;
  std::uint64_t dropped = 0;          ///< for a full queue
  std::uint64_t applied = 0;          ///< of other routers
  std::uint64_t own = 0;              ///< echoes
  std::uint64_t unknown_workers = 0;  ///< that this router does not have (yet)
  std::uint64_t refused = 0;          ///< ids in use, or of another router's request
};

/// The state machine between ActiveSequences and the event plane; the caller moves the bytes. Lossy
/// by design: what goes missing is corrected when the request expires. Output blocks are not told.
/// Confined to one thread.
class ReplicaSync {
 public:
  explicit ReplicaSync(ReplicaSyncOptions options);

  /// This router sent a request, which `request` describes as ActiveSequences::add() was told.
  /// `isl_tokens` is the prompt's length.
  void added(const ActiveRequest& request, std::uint64_t isl_tokens,
             std::optional<std::uint32_t> expected_output_tokens, base::SteadyTime now);
  void prefill_completed(std::string_view request_id, WorkerKey worker, base::SteadyTime now);
  void freed(std::string_view request_id, WorkerKey worker, base::SteadyTime now);

  /// What is to be sent now: nothing, or at most one message's worth; call it until it is empty. A
  /// message of 0.9 is one event alone.
  std::vector<ActiveSequenceEvent> take_batch(base::SteadyTime now);
  /// When take_batch() has something next.
  std::optional<base::SteadyTime> next_deadline() const;

  /// An event that another router sent.
  void receive(const ActiveSequenceEvent& event, ActiveSequences& active, base::SteadyTime now);

  const ReplicaSyncStats& stats() const noexcept { return stats_; }

 private:
  void push(ActiveSequenceEvent event, base::SteadyTime now);

  ReplicaSyncOptions options_;
  std::deque<ActiveSequenceEvent> queue_;
  base::SteadyTime oldest_{};  // when the first of the queue came
  ReplicaSyncStats stats_;
};

}  // namespace dynamo::kv_router
