// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>
#include <dynamo/base/rng.h>
#include <dynamo/kv_router/freshness.h>
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

/// Whose cost function and tie rule: the 1.5 ones, or those of 0.9 for a fleet that is compared
/// with it.
enum class CostGeneration : std::uint8_t { v1_5, v0_9 };

/// What one request may ask for instead of the configuration (`nvext`, router overrides).
struct SelectionOverrides {
  std::optional<double> overlap_score_credit;
  std::optional<double> prefill_load_scale;
  std::optional<double> overlap_score_weight;  ///< see SelectorConfig::set_overlap_score_weight()
  std::optional<double> router_temperature;
  std::optional<double> shared_cache_multiplier;
};

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
  CostGeneration generation = CostGeneration::v1_5;
  double overlap_score_weight = 1.0;  ///< of prefill against decode, generation v0_9 only

  /// The name of 0.9, which 1.5 reads as prefill_load_scale; 0 takes the credit away as well.
  void set_overlap_score_weight(double weight) noexcept;
  /// What a request's overrides make of it; the alias counts where its successors are absent.
  SelectorConfig with(const SelectionOverrides& overrides) const noexcept;
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
  /// How far overlap and cached tokens can be trusted; they count the same either way.
  Freshness freshness = Freshness::fresh;
  bool predicted = false;  ///< the overlap is what was routed there, more than its events say
  std::size_t tree_size_blocks = 0;  ///< that the worker holds in all; breaks ties in 0.9

  bool approximate() const noexcept { return predicted || !is_exact(freshness); }
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
  /// The chosen worker's overlap is not known exactly: events are missing, or it is a prediction.
  bool approximate = false;
  /// Eligible candidates of which that is true.
  std::size_t approximate_candidates = 0;
};

/// `round(block size · (device + host weight · host + disk weight · (disk + external)))`.
std::uint64_t effective_cached_tokens(const SelectorConfig& config, const TierOverlap& overlap,
                                      std::uint32_t block_size_tokens) noexcept;

/// Probabilities of a draw at `temperature` > 0: exp(-(c - min) / ((max - min) · T)), normalized;
/// uniform when all costs are equal.
void softmax(std::span<const double> costs, double temperature, std::span<double> probabilities);

/// Chooses a worker. The plug-in point of the router (`router_worker_selection_policy`): Selector
/// is the default, PolicySelector (worker_policy.h) is composed of filters, scorers and a picker.
///
/// The host keeps what must hold whatever a plug-in does: eligible() decides who may be chosen at
/// all, and booking happens outside. One user at a time.
class WorkerSelector {
 public:
  virtual ~WorkerSelector() = default;
  /// Errors: Errc::unavailable (nobody is eligible, or the pinned worker is not), Errc::overloaded
  /// (those who are have too much to do), Errc::internal (a plug-in broke its contract).
  virtual Result<Selection> select(const SelectionRequest& request,
                                   std::span<const Candidate> candidates) = 0;
};

/// Fills `rows` with the indices of the candidates that may be chosen: allowed, of the required
/// taints, the pinned one if there is one, not overloaded. Errors: as of WorkerSelector when there
/// is none.
Result<void> eligible(const SelectionRequest& request, std::span<const Candidate> candidates,
                      std::vector<std::size_t>& rows);

/// The costs of `rows` of the candidates, in their order. `config.generation` says which.
void price(const SelectorConfig& config, const SelectionRequest& request,
           std::span<const Candidate> candidates, std::span<const std::size_t> rows,
           std::span<double> costs);

/// The index of the lowest cost, each of several with the same chance; with a temperature by
/// softmax(). `costs` is not empty.
std::size_t pick(std::span<const double> costs, double temperature, Rng& rng);

/// The reference's selector. Holds scratch memory: one user at a time; selecting does not allocate
/// once warm.
class Selector final : public WorkerSelector {
 public:
  explicit Selector(SelectorConfig config = {}, std::uint64_t seed = 1);

  Result<Selection> select(const SelectionRequest& request,
                           std::span<const Candidate> candidates) override {
    return select(request, candidates, config_);
  }
  /// With another configuration for this request.
  Result<Selection> select(const SelectionRequest& request, std::span<const Candidate> candidates,
                           const SelectorConfig& config);
  /// Costs of the last call by candidate; none for those that were not eligible.
  std::span<const std::optional<double>> costs() const noexcept { return costs_; }
  const SelectorConfig& config() const noexcept { return config_; }

 private:
  SelectorConfig config_;
  Rng rng_;
  std::vector<std::optional<double>> costs_;
  std::vector<std::size_t> rows_;
  std::vector<double> row_costs_;
  std::vector<double> weights_;
};

}  // namespace dynamo::kv_router
