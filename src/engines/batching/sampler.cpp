// SPDX-License-Identifier: Apache-2.0
#include "engines/batching/sampler.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <unordered_set>
#include <utility>

namespace dynamo::engines::batching {
namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();
/// Below it the draw would overflow and the most likely token wins anyway (the bound of vLLM).
constexpr float kTemperatureMin = 1e-5F;

std::unexpected<Error> out_of_range(std::string field, std::string_view expected) {
  std::string message = field + " must be " + std::string(expected);
  return fail(Error(Errc::invalid_argument, std::move(message)).with_param(std::move(field)));
}

bool within(float value, float low, float high) noexcept {
  return value >= low && value <= high;
}

}  // namespace

Result<SamplingParameters> sampling_parameters(const llm::PreprocessedRequest& request,
                                               std::uint64_t default_seed) {
  const llm::SamplingOptions& options = request.sampling_options;
  SamplingParameters out;
  out.temperature = options.temperature.value_or(out.temperature);
  out.top_p = options.top_p.value_or(out.top_p);
  out.min_p = options.min_p.value_or(out.min_p);
  out.repetition_penalty = options.repetition_penalty.value_or(out.repetition_penalty);
  out.presence_penalty = options.presence_penalty.value_or(out.presence_penalty);
  out.frequency_penalty = options.frequency_penalty.value_or(out.frequency_penalty);
  // Written so that NaN fails.
  if (!within(out.temperature, 0.0F, 100.0F)) return out_of_range("temperature", "from 0 to 100");
  if (!(out.top_p > 0.0F && out.top_p <= 1.0F))
    return out_of_range("top_p", "over 0 and at most 1");
  if (!within(out.min_p, 0.0F, 1.0F)) return out_of_range("min_p", "from 0 to 1");
  if (!(out.repetition_penalty > 0.0F && out.repetition_penalty <= 100.0F)) {
    return out_of_range("repetition_penalty", "over 0 and at most 100");
  }
  if (!within(out.presence_penalty, -100.0F, 100.0F)) {
    return out_of_range("presence_penalty", "from -100 to 100");
  }
  if (!within(out.frequency_penalty, -100.0F, 100.0F)) {
    return out_of_range("frequency_penalty", "from -100 to 100");
  }
  if (const auto top_k = options.top_k) {
    if (*top_k < -1) return out_of_range("top_k", "-1 (all) or not negative");
    out.top_k = *top_k > 0 ? static_cast<std::uint32_t>(*top_k) : 0;
  }
  for (const auto& [token, bias] : request.logit_bias) {
    if (!within(bias, -100.0F, 100.0F))
      return out_of_range("logit_bias", "from -100 to 100 for a token");
  }
  out.logit_bias = request.logit_bias;
  out.seed = options.seed ? static_cast<std::uint64_t>(*options.seed) : default_seed;
  out.logprobs = request.output_options.logprobs;
  if (out.logprobs && *out.logprobs > kTopLogprobsMax) {
    return out_of_range("logprobs", "at most " + std::to_string(kTopLogprobsMax));
  }
  return out;
}

Sampler::Sampler(SamplingParameters parameters, std::span<const TokenId> prompt)
    : parameters_(std::move(parameters)), rng_(parameters_.seed) {
  if (parameters_.repetition_penalty != 1.0F) {
    const std::unordered_set<TokenId> distinct(prompt.begin(), prompt.end());
    seen_.assign(distinct.begin(), distinct.end());
  }
}

bool Sampler::changes_logits() const noexcept {
  return !parameters_.logit_bias.empty() || !seen_.empty() || !answer_counts_.empty();
}

void Sampler::apply_bias_and_penalties(std::span<float> logits) const {
  for (const auto& [token, bias] : parameters_.logit_bias) {
    if (token < logits.size()) logits[token] += bias;
  }
  for (const TokenId token : seen_) {
    if (token >= logits.size()) continue;
    float& logit = logits[token];
    logit =
        logit > 0 ? logit / parameters_.repetition_penalty : logit * parameters_.repetition_penalty;
  }
  for (const auto& [token, count] : answer_counts_) {
    if (token >= logits.size()) continue;
    logits[token] -=
        parameters_.presence_penalty + parameters_.frequency_penalty * static_cast<float>(count);
  }
}

void Sampler::note(TokenId token) {
  if (parameters_.presence_penalty != 0.0F || parameters_.frequency_penalty != 0.0F) {
    ++answer_counts_[token];
  }
  if (parameters_.repetition_penalty != 1.0F && std::ranges::find(seen_, token) == seen_.end()) {
    seen_.push_back(token);
  }
}

Result<std::optional<Sampled>> Sampler::sample(std::span<const float> logits,
                                               std::span<const TokenId> ruled_out, Grammar* grammar,
                                               std::vector<float>& scratch) {
  std::span<const float> scores = logits;
  if (changes_logits() || !ruled_out.empty() || grammar != nullptr) {
    scratch.assign(logits.begin(), logits.end());
    apply_bias_and_penalties(scratch);
    for (const TokenId token : ruled_out) {
      if (token < scratch.size()) scratch[token] = kNever;
    }
    scores = scratch;
  }
  std::optional<TokenId> token = pick(scores);
  if (token && grammar != nullptr) {
    DYN_TRY(const bool fits, grammar->allows(*token));
    if (!fits) {
      DYN_CHECK(grammar->mask(scratch));
      token = pick(scores);
    }
  }
  if (!token) {
    if (grammar == nullptr && ruled_out.empty()) {
      return fail(Errc::internal, "the model's logits are not numbers");
    }
    return std::optional<Sampled>{};
  }
  if (grammar != nullptr) DYN_CHECK(grammar->accept(*token));
  note(*token);

  Sampled out;
  out.token = *token;
  if (parameters_.logprobs) {
    const double log_sum = log_sum_exp(logits);
    out.logprob = static_cast<double>(logits[*token]) - log_sum;
    out.top = top_logprobs(logits, log_sum, *parameters_.logprobs);
  }
  return std::optional<Sampled>(std::move(out));
}

/// None when no token has a finite score.
std::optional<TokenId> Sampler::pick(std::span<const float> logits) {
  float best = kNever;
  TokenId best_token = 0;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (logits[i] > best) {
      best = logits[i];
      best_token = static_cast<TokenId>(i);
    }
  }
  if (!std::isfinite(best)) return std::nullopt;
  if (parameters_.temperature < kTemperatureMin || parameters_.top_k == 1) return best_token;

  // Weights relative to the best token: exp((logit - best) / temperature), so the best has 1 and
  // min_p is a bound on the logit. Tokens of weight below 2^-60 cannot be drawn and are left out.
  const float scale = 1.0F / parameters_.temperature;
  float cut = best - 42.0F * parameters_.temperature;
  if (parameters_.min_p > 0.0F) {
    cut = std::max(cut, best + std::log(parameters_.min_p) * parameters_.temperature);
  }
  candidates_.clear();
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (logits[i] >= cut) {
      candidates_.emplace_back((logits[i] - best) * scale, static_cast<TokenId>(i));
    }
  }
  // Most likely first, ties in order of token id, so that the result does not depend on how the
  // selection below is done.
  const auto before = [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first > b.first : a.second < b.second;
  };
  std::size_t kept = candidates_.size();
  if (parameters_.top_k > 0 && parameters_.top_k < kept) {
    kept = parameters_.top_k;
    std::ranges::nth_element(candidates_, candidates_.begin() + static_cast<std::ptrdiff_t>(kept),
                             before);
    candidates_.resize(kept);
  }
  double total = 0;
  for (auto& [weight, token] : candidates_) {
    weight = std::exp(weight);
    total += static_cast<double>(weight);
  }
  if (parameters_.top_p < 1.0F) {
    // Take the most likely from a heap until they hold top_p of the weight.
    const auto after = [&before](const auto& a, const auto& b) { return before(b, a); };
    std::ranges::make_heap(candidates_, after);
    const double wanted = static_cast<double>(parameters_.top_p) * total;
    double held = 0;
    auto end = candidates_.end();
    while (held < wanted && end != candidates_.begin()) {
      held += static_cast<double>(candidates_.front().first);
      std::pop_heap(candidates_.begin(), end, after);
      --end;
    }
    candidates_.erase(candidates_.begin(), end);
    total = held;
  }
  double draw = rng_.uniform() * total;
  for (const auto& [weight, token] : candidates_) {
    draw -= static_cast<double>(weight);
    if (draw < 0) return token;
  }
  return candidates_.back().second;  // rounding
}

double log_sum_exp(std::span<const float> logits) noexcept {
  if (logits.empty()) return -std::numeric_limits<double>::infinity();
  const float best = *std::ranges::max_element(logits);
  double sum = 0;
  for (const float logit : logits) sum += static_cast<double>(std::exp(logit - best));
  return static_cast<double>(best) + std::log(sum);
}

std::vector<llm::TopLogprob> top_logprobs(std::span<const float> logits, double log_sum,
                                          std::size_t count) {
  count = std::min(count, logits.size());
  const auto likelier = [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first > b.first : a.second < b.second;
  };
  // A heap of the best so far, its worst on top: one pass, and few replacements after the start.
  std::vector<std::pair<float, TokenId>> best;
  best.reserve(count + 1);
  for (std::size_t i = 0; i < logits.size() && count > 0; ++i) {
    const std::pair entry{logits[i], static_cast<TokenId>(i)};
    if (best.size() == count && !likelier(entry, best.front())) continue;
    best.push_back(entry);
    std::ranges::push_heap(best, likelier);
    if (best.size() > count) {
      std::ranges::pop_heap(best, likelier);
      best.pop_back();
    }
  }
  std::ranges::sort_heap(best, likelier);
  std::vector<llm::TopLogprob> out;
  out.reserve(best.size());
  for (const auto& [logit, token] : best) {
    out.push_back({.rank = static_cast<std::uint32_t>(out.size() + 1),
                   .token_id = token,
                   .token = {},
                   .logprob = static_cast<double>(logit) - log_sum,
                   .bytes = {}});
  }
  return out;
}

}  // namespace dynamo::engines::batching
