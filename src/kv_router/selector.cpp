// SPDX-License-Identifier: Apache-2.0
#include <dynamo/kv_router/selector.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

namespace dynamo::kv_router {
namespace {

std::uint64_t shared_hits_beyond(const SelectionRequest& request, double position) {
  const auto from = static_cast<std::uint64_t>(std::max(0.0, std::round(position)));
  std::uint64_t hits = 0;
  for (const auto& [begin, end] : request.shared_cache_ranges) {
    const std::uint64_t first = std::max<std::uint64_t>(begin, from);
    if (first < end) hits += end - first;
  }
  return hits;
}

bool has_taint(const Candidate& candidate, const std::string& taint) noexcept {
  return std::binary_search(candidate.taints.begin(), candidate.taints.end(), taint);
}

double taint_factor(const SelectionRequest& request, const Candidate& candidate) {
  double weight = 0;
  bool any = false;
  for (const auto& [taint, value] : request.preferred_taints) {
    if (!has_taint(candidate, taint)) continue;
    weight += value;
    any = true;
  }
  return any ? std::exp(-std::tanh(weight)) : 1.0;
}

// What is the same for all candidates of a request.
struct Pricing {
  const SelectorConfig& config;
  const SelectionRequest& request;
  bool tiers_known;
  std::uint64_t prefill_tokens_min;
  double request_blocks;

  double operator()(const Candidate& candidate) const {
    const double block = request.block_size_tokens;
    const WorkerLoad load = candidate.load.value_or(WorkerLoad{});
    const std::uint64_t cached = candidate.effective_cached_tokens;
    // As if nothing were cached: what is gets its credit below, once.
    double raw_tokens = 0;
    if (request.track_prefill_tokens) {
      const std::uint64_t isl = request.isl_tokens;
      raw_tokens = candidate.load ? static_cast<double>(load.active_prefill_tokens) +
                                        static_cast<double>(isl - std::min(cached, isl)) +
                                        static_cast<double>(cached)
                                  : static_cast<double>(isl);
    }
    const TierOverlap overlap = candidate.overlap.value_or(TierOverlap{});
    const double device = tiers_known ? overlap.device_blocks : candidate.effective_overlap_blocks;
    double decay = 1.0;
    if (config.overlap_score_credit_decay != 0 && request.track_prefill_tokens &&
        request_blocks > 0) {
      const double excess =
          static_cast<double>(load.active_prefill_tokens -
                              std::min(load.active_prefill_tokens, prefill_tokens_min)) /
          block;
      decay = 1.0 / (1.0 + config.overlap_score_credit_decay * excess / request_blocks);
    }
    const double shared = config.shared_cache_multiplier == 0
                              ? 0.0
                              : config.shared_cache_multiplier *
                                    static_cast<double>(shared_hits_beyond(request, device));
    const double credit = config.overlap_score_credit * decay * device +
                          config.host_cache_hit_weight * overlap.host_blocks +
                          config.disk_cache_hit_weight *
                              (static_cast<double>(overlap.disk_blocks) + overlap.external_blocks) +
                          shared;
    const double decode = static_cast<double>(load.active_decode_blocks) +
                          static_cast<double>(load.additional_active_blocks);
    const double requests =
        config.decode_active_request_weight * static_cast<double>(load.active_requests);
    const bool decode_pool = request.pool == WorkerPool::decode && !request.track_prefill_tokens &&
                             config.overlap_score_credit > 0;
    const double cost =
        decode_pool ? std::max(0.0, decode - credit) + requests
                    : config.prefill_load_scale * std::max(0.0, raw_tokens / block - credit) +
                          decode + requests;
    return cost * taint_factor(request, candidate);
  }
};

// Unnormalized weights of a draw; half of each cost, so that the range of huge costs of both signs
// stays finite.
struct SoftmaxWeights {
  double least = 0;
  double range = 0;

  SoftmaxWeights(std::span<const double> costs, double temperature) {
    const auto [min, max] = std::minmax_element(costs.begin(), costs.end());
    least = *min;
    range = (*max / 2 - *min / 2) * temperature;
  }
  double operator()(double cost) const {
    return range > 0 ? std::exp(-(cost / 2 - least / 2) / range) : 1.0;
  }
};

std::size_t draw(std::span<const double> costs, double temperature, Rng& rng,
                 std::vector<double>& weights) {
  const SoftmaxWeights weight(costs, temperature);
  weights.resize(costs.size());
  double sum = 0;
  for (std::size_t i = 0; i < costs.size(); ++i) sum += weights[i] = weight(costs[i]);
  const double u = rng.uniform() * sum;
  double cumulative = 0;
  for (std::size_t i = 0; i + 1 < costs.size(); ++i) {
    cumulative += weights[i];
    if (cumulative >= u) return i;
  }
  return costs.size() - 1;
}

std::size_t cheapest(std::span<const double> costs, Rng& rng) {
  std::size_t best = 0;
  std::uint64_t ties = 1;
  for (std::size_t i = 1; i < costs.size(); ++i) {
    if (costs[i] < costs[best]) {
      best = i;
      ties = 1;
    } else if (costs[i] == costs[best] && rng.below(++ties) == 0) {
      best = i;  // the k-th tie with probability 1/k: each is as likely
    }
  }
  return best;
}

// The 0.9 tie rule: of the cheapest those with the smallest tree, of these any.
std::size_t pick_smallest_tree(std::span<const double> costs, std::span<const Candidate> candidates,
                               std::span<const std::size_t> rows, Rng& rng) {
  std::size_t best = 0;
  std::uint64_t ties = 1;
  for (std::size_t i = 1; i < costs.size(); ++i) {
    const std::size_t tree = candidates[rows[i]].tree_size_blocks;
    const std::size_t best_tree = candidates[rows[best]].tree_size_blocks;
    if (costs[i] < costs[best] || (costs[i] == costs[best] && tree < best_tree)) {
      best = i;
      ties = 1;
    } else if (costs[i] == costs[best] && tree == best_tree && rng.below(++ties) == 0) {
      best = i;
    }
  }
  return best;
}

// weight · prefill tokens / block size + decode blocks. What is not known of a worker counts as the
// whole prompt, and as floor(prefill tokens / block size).
double cost_v0_9(const SelectorConfig& config, const SelectionRequest& request,
                 const Candidate& candidate) {
  const double device =
      candidate.overlap ? candidate.overlap->device_blocks : candidate.effective_overlap_blocks;
  const auto cached =
      static_cast<std::uint64_t>(std::max(0.0, std::round(device * request.block_size_tokens)));
  const std::uint64_t isl = request.isl_tokens;
  std::uint64_t prefill = isl;
  if (candidate.load)
    prefill = candidate.load->active_prefill_tokens + (isl - std::min(isl, cached));
  const std::uint64_t decode = candidate.load ? candidate.load->active_decode_blocks +
                                                    candidate.load->additional_active_blocks
                                              : prefill / request.block_size_tokens;
  return config.overlap_score_weight * static_cast<double>(prefill) / request.block_size_tokens +
         static_cast<double>(decode);
}

Error nobody(const SelectionRequest& request, bool overloaded) {
  if (request.pinned) {
    const std::string id = std::to_string(static_cast<std::uint64_t>(request.pinned->worker));
    return overloaded
               ? Error(Errc::overloaded, "pinned worker " + id + " is overloaded")
               : Error(Errc::unavailable, "pinned worker " + id + " is not in allowed worker set");
  }
  return overloaded ? Error(Errc::overloaded, "all eligible workers are overloaded")
                    : Error(Errc::unavailable, "no endpoints available to route work");
}

}  // namespace

void SelectorConfig::set_overlap_score_weight(double weight) noexcept {
  overlap_score_weight = weight;
  prefill_load_scale = weight;
  if (weight == 0) overlap_score_credit = 0;
}

SelectorConfig SelectorConfig::with(const SelectionOverrides& overrides) const noexcept {
  SelectorConfig out = *this;
  if (overrides.overlap_score_weight) out.set_overlap_score_weight(*overrides.overlap_score_weight);
  out.prefill_load_scale = overrides.prefill_load_scale.value_or(out.prefill_load_scale);
  out.overlap_score_credit = overrides.overlap_score_credit.value_or(out.overlap_score_credit);
  out.router_temperature = overrides.router_temperature.value_or(out.router_temperature);
  out.shared_cache_multiplier =
      overrides.shared_cache_multiplier.value_or(out.shared_cache_multiplier);
  return out;
}

Result<void> SelectorConfig::validate() const {
  const std::pair<const char*, double> fields[] = {
      {"overlap_score_credit", overlap_score_credit},
      {"overlap_score_credit_decay", overlap_score_credit_decay},
      {"prefill_load_scale", prefill_load_scale},
      {"decode_active_request_weight", decode_active_request_weight},
      {"host_cache_hit_weight", host_cache_hit_weight},
      {"disk_cache_hit_weight", disk_cache_hit_weight},
      {"shared_cache_multiplier", shared_cache_multiplier},
      {"router_temperature", router_temperature},
      {"overlap_score_weight", overlap_score_weight},
  };
  for (const auto& [name, value] : fields) {
    if (!std::isfinite(value) || value < 0)
      return std::unexpected(Error(
          Errc::invalid_argument,
          std::string(name) + " must be finite and not negative, got " + std::to_string(value)));
  }
  return {};
}

std::uint64_t effective_cached_tokens(const SelectorConfig& config, const TierOverlap& overlap,
                                      std::uint32_t block_size_tokens) noexcept {
  const double blocks = overlap.device_blocks + config.host_cache_hit_weight * overlap.host_blocks +
                        config.disk_cache_hit_weight *
                            (static_cast<double>(overlap.disk_blocks) + overlap.external_blocks);
  return static_cast<std::uint64_t>(std::llround(block_size_tokens * blocks));
}

void softmax(std::span<const double> costs, double temperature, std::span<double> probabilities) {
  if (costs.empty()) return;
  const SoftmaxWeights weight(costs, temperature);
  double sum = 0;
  for (std::size_t i = 0; i < costs.size(); ++i) sum += probabilities[i] = weight(costs[i]);
  for (double& probability : probabilities) probability /= sum;
}

Result<void> eligible(const SelectionRequest& request, std::span<const Candidate> candidates,
                      std::vector<std::size_t>& rows) {
  rows.clear();
  if (request.block_size_tokens == 0)
    return fail(Errc::invalid_argument, "block size must be positive, got 0");
  const auto may = [&](const Candidate& candidate) {
    if (request.pinned && candidate.worker != *request.pinned) return false;
    if (request.allowed && !std::ranges::binary_search(*request.allowed, candidate.worker.worker))
      return false;
    return std::ranges::all_of(request.required_taints, [&](const std::string& taint) {
      return has_taint(candidate, taint);
    });
  };
  bool overloaded = false;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    if (!may(candidates[i])) continue;
    if (candidates[i].overloaded) {
      overloaded = true;
    } else {
      rows.push_back(i);
    }
  }
  if (rows.empty()) return fail(nobody(request, overloaded));
  return {};
}

void price(const SelectorConfig& config, const SelectionRequest& request,
           std::span<const Candidate> candidates, std::span<const std::size_t> rows,
           std::span<double> costs) {
  if (config.generation == CostGeneration::v0_9) {
    for (std::size_t i = 0; i < rows.size(); ++i)
      costs[i] = cost_v0_9(config, request, candidates[rows[i]]);
    return;
  }
  const bool tiers_known = std::ranges::any_of(
      candidates, [](const Candidate& candidate) { return candidate.overlap.has_value(); });
  std::uint64_t prefill_tokens_min = std::numeric_limits<std::uint64_t>::max();
  for (const std::size_t row : rows) {
    const auto& load = candidates[row].load;
    prefill_tokens_min = std::min(prefill_tokens_min, load ? load->active_prefill_tokens : 0);
  }
  const Pricing cost_of{
      config, request, tiers_known, prefill_tokens_min,
      std::ceil(static_cast<double>(request.isl_tokens) / request.block_size_tokens)};
  for (std::size_t i = 0; i < rows.size(); ++i) costs[i] = cost_of(candidates[rows[i]]);
}

std::size_t pick(std::span<const double> costs, double temperature, Rng& rng) {
  if (!(temperature > 0)) return cheapest(costs, rng);
  std::vector<double> weights;
  return draw(costs, temperature, rng, weights);
}

Selector::Selector(SelectorConfig config, std::uint64_t seed) : config_(config), rng_(seed) {}

Result<Selection> Selector::select(const SelectionRequest& request,
                                   std::span<const Candidate> candidates,
                                   const SelectorConfig& config) {
  costs_.assign(candidates.size(), std::nullopt);
  DYN_CHECK(eligible(request, candidates, rows_));
  row_costs_.resize(rows_.size());
  price(config, request, candidates, rows_, row_costs_);
  Selection out;
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    costs_[rows_[i]] = row_costs_[i];
    out.approximate_candidates += candidates[rows_[i]].approximate() ? 1 : 0;
  }
  std::size_t chosen = 0;
  if (config.router_temperature > 0) {
    chosen = draw(row_costs_, config.router_temperature, rng_, weights_);
  } else if (config.generation == CostGeneration::v0_9) {
    chosen = pick_smallest_tree(row_costs_, candidates, rows_, rng_);
  } else {
    chosen = cheapest(row_costs_, rng_);
  }
  out.candidate = rows_[chosen];
  out.cost = row_costs_[chosen];
  out.approximate = candidates[out.candidate].approximate();
  return out;
}

}  // namespace dynamo::kv_router
