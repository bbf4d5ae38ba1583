// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>
#include <dynamo/base/rng.h>
#include <dynamo/kv_router/worker_key.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

/// Which worker a request goes to: cheapest by load that it would cause, less what is cached.
/// Source: lib/kv-router/src/scheduling/selector/default.rs (v1.5); spec kv-router 5.
namespace dynamo::kv_router {

/// Names and defaults are the reference's.
struct SelectorConfig {
  double overlap_score_credit = 1.0;        ///< of a block cached on the device; finite, >= 0
  double overlap_score_credit_decay = 0.0;  ///< how fast the credit fades with prefill backlog
  double prefill_load_scale = 1.0;          ///< of prefill against decode
  double decode_active_request_weight = 0.0;
  double host_cache_hit_weight = 0.75;
  double disk_cache_hit_weight = 0.25;
  double shared_cache_multiplier = 0.0;
  double router_temperature = 0.0;  ///< 0: the cheapest; more: the dearer ones get their chance

  /// Every weight finite and not negative; the error names the field.
  Result<void> validate() const;
};

/// What a worker has to do already, as ActiveSequences predicts it.
struct WorkerLoad {
  std::uint64_t active_prefill_tokens = 0;
  std::uint64_t active_decode_blocks = 0;
  std::uint64_t additional_active_blocks = 0;  ///< that this request would add
  std::uint64_t active_requests = 0;
};

/// Leading blocks of the request that a worker has cached, by tier; each tier continues the former.
struct TierOverlap {
  std::uint32_t device_blocks = 0;
  std::uint32_t host_blocks = 0;
  std::uint32_t disk_blocks = 0;
  std::uint32_t external_blocks = 0;
};

/// A worker that may take the request. Views must outlive the call.
struct Candidate {
  WorkerKey worker;
  std::optional<WorkerLoad> load;      ///< none: nothing is known of its load
  std::optional<TierOverlap> overlap;  ///< when no candidate has any, the next field counts instead
  double effective_overlap_blocks = 0.0;
  /// Tokens that need no prefill, all tiers weighted; see effective_cached_tokens().
  std::uint64_t effective_cached_tokens = 0;
  bool overloaded = false;
  std::span<const std::string> taints;  ///< sorted
};

enum class WorkerPool : std::uint8_t { aggregated, prefill, decode };

struct SelectionRequest {
  std::uint32_t block_size_tokens = 16;
  std::uint64_t isl_tokens = 0;
  bool track_prefill_tokens = true;
  WorkerPool pool = WorkerPool::aggregated;
  /// Sorted half-open ranges of block positions that the shared pool holds.
  std::span<const std::pair<std::uint32_t, std::uint32_t>> shared_cache_ranges;
  std::optional<std::span<const WorkerId>> allowed;  ///< sorted; none: all
  std::optional<WorkerKey> pinned;                   ///< no competition; eligibility still holds
  std::span<const std::string> required_taints;
  std::span<const std::pair<std::string, double>> preferred_taints;
};

struct Selection {
  std::size_t candidate = 0;  ///< index in the candidates given
  double cost = 0;
};

/// `round(block size · (device + host weight · host + disk weight · (disk + external)))`.
std::uint64_t effective_cached_tokens(const SelectorConfig& config, const TierOverlap& overlap,
                                      std::uint32_t block_size_tokens) noexcept;

/// Probabilities of a draw at `temperature` > 0: exp(-(c - min) / ((max - min) · T)), normalized;
/// uniform when all costs are equal.
void softmax(std::span<const double> costs, double temperature, std::span<double> probabilities);

/// The 1.5 selector. Holds scratch memory: one user at a time; selecting does not allocate once
/// warm.
class Selector {
 public:
  explicit Selector(SelectorConfig config = {}, std::uint64_t seed = 1);

  /// Errors: Errc::unavailable (nobody is eligible, or the pinned worker is not), Errc::overloaded
  /// (those who are have too much to do).
  Result<Selection> select(const SelectionRequest& request, std::span<const Candidate> candidates);
  /// Costs of the last call by candidate; none for those that were not eligible.
  std::span<const std::optional<double>> costs() const noexcept { return costs_; }
  const SelectorConfig& config() const noexcept { return config_; }

 private:
  bool eligible(const SelectionRequest& request, const Candidate& candidate) const noexcept;
  std::size_t pick();

  SelectorConfig config_;
  Rng rng_;
  std::vector<std::optional<double>> costs_;
  std::vector<std::size_t> eligible_;
  std::vector<double> eligible_costs_;
  std::vector<double> probabilities_;
};

/// The 0.9 cost: `weight · prefill tokens / block size + decode blocks`. What is not known of a
/// worker counts as isl and as floor(isl / block size).
double cost_v0_9(double overlap_score_weight, std::uint32_t block_size_tokens,
                 std::uint64_t isl_tokens, std::optional<std::uint64_t> prefill_tokens,
                 std::optional<std::uint64_t> decode_blocks) noexcept;
/// The 0.9 choice: by softmax when the temperature is positive; else the cheapest, of these those
/// with the smallest tree, of these any. `costs` is not empty; `tree_sizes` is as long.
std::size_t pick_v0_9(std::span<const double> costs, std::span<const std::size_t> tree_sizes,
                      double temperature, Rng& rng);

}  // namespace dynamo::kv_router
