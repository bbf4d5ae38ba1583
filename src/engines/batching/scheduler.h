// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/clock.h>
#include <dynamo/engines/batching/backend.h>
#include <dynamo/engines/batching/statistics.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "engines/batching/choice.h"
#include "engines/batching/kv_cache.h"
#include "engines/batching/prefill_pacing.h"

namespace dynamo::engines::batching {

/// Continuous batching: which tokens of which requests the next decode step computes.
///
/// A step takes one token of every request that generates, then chunks of prompts up to the
/// backend's batch and PrefillPacing. Requests are admitted in order of arrival while cells remain
/// for their prompts and one block per running request; one whose next prompt block another is
/// just computing waits for it. When cells run out, cached prefixes go first, then the newest
/// running request returns to the queue with what it has generated (a paused one before others).
///
/// Pure: no thread, no clock of its own. Confined to the engine's thread.
class Scheduler {
 public:
  struct Options {
    std::uint32_t max_num_seqs = 8;
    KvCache::Options cache;
  };
  Scheduler(Backend& backend, Options options, const Clock& clock = Clock::system());

  void add(std::vector<std::unique_ptr<Choice>> choices);

  enum class Progress : std::uint8_t {
    stepped,
    blocked,  ///< there are requests, but all wait for their readers
    idle,     ///< no requests
  };
  /// One decode step with everything around it.
  Progress step();
  /// Ends all requests with this error.
  void fail_all(const Error& error);
  /// Drops what no running request needs. Runs between steps.
  void clear_cache() { cache_.evict_all(); }

  /// False after a failure from which the backend could not be reset.
  bool healthy() const noexcept { return healthy_; }
  /// Choices that have not been admitted.
  std::size_t waiting() const noexcept { return waiting_.size(); }
  Statistics statistics() const noexcept;
  const KvCache& cache() const noexcept { return cache_; }

 private:
  using Choices = std::vector<std::unique_ptr<Choice>>;
  /// A choice's part of the batch.
  struct Row {
    Choice* choice = nullptr;
    std::uint32_t tokens = 0;
    std::size_t last_index = 0;  ///< in the batch
    bool samples = false;
  };

  void reap();
  void admit();
  bool admissible(const Choice& choice) const;
  bool park_a_paused_choice();
  void plan_batch();
  void plan_row(Choice& choice, std::uint32_t tokens);
  bool fit_batch();
  bool decode_batch();
  void preempt(std::size_t running_index);
  void preempt_newest();
  void recover(const Error& error);
  void sample(const Row& row);
  llm::EngineOutput output_of(Choice& choice, Sampled sampled) const;
  std::optional<llm::FinishReason> finish_of(const Choice& choice, TokenId token,
                                             llm::EngineOutput& output) const;
  void finish(Choice& choice, llm::EngineOutput last);
  void end_with_error(Choice& choice, Error error);
  void remove_finished();
  bool has_room(const Choice& choice) const;

  Backend& backend_;
  Options options_;
  const Clock& clock_;
  KvCache cache_;
  PrefillPacing pacing_;
  Choices waiting_;  ///< in order of arrival
  Choices running_;  ///< in order of arrival
  std::uint64_t arrivals_ = 0;
  bool healthy_ = true;
  std::vector<BatchToken> batch_;
  std::vector<Row> rows_;
  std::uint32_t prefill_tokens_in_batch_ = 0;
  std::vector<float> scratch_;
  Statistics totals_;
};

}  // namespace dynamo::engines::batching
