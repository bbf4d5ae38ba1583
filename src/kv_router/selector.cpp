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

std::size_t draw(std::span<const double> costs, double temperature, Rng& rng,
                 std::vector<double>& probabilities) {
  probabilities.resize(costs.size());
  softmax(costs, temperature, probabilities);
  const double u = rng.uniform();
  double cumulative = 0;
  for (std::size_t i = 0; i + 1 < costs.size(); ++i) {
    cumulative += probabilities[i];
    if (cumulative >= u) return i;
  }
  return costs.size() - 1;
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
  const auto [min, max] = std::minmax_element(costs.begin(), costs.end());
  const double least = *min;
  // Half of each, so that the range of huge costs of both signs stays finite.
  const double range = (*max / 2 - least / 2) * temperature;
  double sum = 0;
  for (std::size_t i = 0; i < costs.size(); ++i) {
    probabilities[i] = range > 0 ? std::exp(-(costs[i] / 2 - least / 2) / range) : 1.0;
    sum += probabilities[i];
  }
  for (double& probability : probabilities) probability /= sum;
}

Selector::Selector(SelectorConfig config, std::uint64_t seed) : config_(config), rng_(seed) {}

bool Selector::eligible(const SelectionRequest& request,
                        const Candidate& candidate) const noexcept {
  if (request.pinned && candidate.worker != *request.pinned) return false;
  if (request.allowed && !std::binary_search(request.allowed->begin(), request.allowed->end(),
                                             candidate.worker.worker))
    return false;
  return std::all_of(request.required_taints.begin(), request.required_taints.end(),
                     [&](const std::string& taint) { return has_taint(candidate, taint); });
}

Result<Selection> Selector::select(const SelectionRequest& request,
                                   std::span<const Candidate> candidates) {
  costs_.assign(candidates.size(), std::nullopt);
  eligible_.clear();
  eligible_costs_.clear();
  if (request.block_size_tokens == 0)
    return std::unexpected(Error(Errc::invalid_argument, "block size must be positive, got 0"));
  bool overloaded = false;
  bool tiers_known = false;
  std::uint64_t prefill_tokens_min = std::numeric_limits<std::uint64_t>::max();
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const Candidate& candidate = candidates[i];
    tiers_known = tiers_known || candidate.overlap.has_value();
    if (!eligible(request, candidate)) continue;
    if (candidate.overloaded) {
      overloaded = true;
      continue;
    }
    eligible_.push_back(i);
    prefill_tokens_min =
        std::min(prefill_tokens_min, candidate.load ? candidate.load->active_prefill_tokens : 0);
  }
  if (eligible_.empty()) return std::unexpected(nobody(request, overloaded));
  const Pricing price{
      config_, request, tiers_known, prefill_tokens_min,
      std::ceil(static_cast<double>(request.isl_tokens) / request.block_size_tokens)};
  for (const std::size_t i : eligible_) {
    const double cost = price(candidates[i]);
    costs_[i] = cost;
    eligible_costs_.push_back(cost);
  }
  const std::size_t chosen = pick();
  return Selection{eligible_[chosen], eligible_costs_[chosen]};
}

std::size_t Selector::pick() {
  if (config_.router_temperature > 0)
    return draw(eligible_costs_, config_.router_temperature, rng_, probabilities_);
  std::size_t best = 0;
  std::uint64_t ties = 1;
  for (std::size_t i = 1; i < eligible_costs_.size(); ++i) {
    if (eligible_costs_[i] < eligible_costs_[best]) {
      best = i;
      ties = 1;
    } else if (eligible_costs_[i] == eligible_costs_[best] && rng_.below(++ties) == 0) {
      best = i;  // the k-th tie with probability 1/k: each is as likely
    }
  }
  return best;
}

double cost_v0_9(double overlap_score_weight, std::uint32_t block_size_tokens,
                 std::uint64_t isl_tokens, std::optional<std::uint64_t> prefill_tokens,
                 std::optional<std::uint64_t> decode_blocks) noexcept {
  const std::uint64_t prefill = prefill_tokens.value_or(isl_tokens);
  const std::uint64_t decode = decode_blocks.value_or(prefill / block_size_tokens);
  return overlap_score_weight * static_cast<double>(prefill) / block_size_tokens +
         static_cast<double>(decode);
}

std::size_t pick_v0_9(std::span<const double> costs, std::span<const std::size_t> tree_sizes,
                      double temperature, Rng& rng) {
  if (temperature > 0) {
    std::vector<double> probabilities;
    return draw(costs, temperature, rng, probabilities);
  }
  std::size_t best = 0;
  std::uint64_t ties = 1;
  for (std::size_t i = 1; i < costs.size(); ++i) {
    const bool better =
        costs[i] < costs[best] || (costs[i] == costs[best] && tree_sizes[i] < tree_sizes[best]);
    if (better) {
      best = i;
      ties = 1;
    } else if (costs[i] == costs[best] && tree_sizes[i] == tree_sizes[best] &&
               rng.below(++ties) == 0) {
      best = i;
    }
  }
  return best;
}

}  // namespace dynamo::kv_router
