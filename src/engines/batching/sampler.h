// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/rng.h>
#include <dynamo/engines/batching/backend.h>
#include <dynamo/llm/protocols/engine_output.h>
#include <dynamo/llm/protocols/preprocessed_request.h>

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

namespace dynamo::engines::batching {

/// How one choice picks its tokens. Defaults: those of the OpenAI API.
struct SamplingParameters {
  float temperature = 1.0F;  ///< 0: the most likely token
  std::uint32_t top_k = 0;   ///< 0: all
  float top_p = 1.0F;
  float min_p = 0.0F;
  float repetition_penalty = 1.0F;  ///< over prompt and answer
  float presence_penalty = 0.0F;    ///< over the answer
  float frequency_penalty = 0.0F;   ///< over the answer
  std::map<TokenId, float> logit_bias;
  std::uint64_t seed = 0;
  /// Unset: no log-probabilities; else how many alternatives.
  std::optional<std::uint32_t> logprobs;
};

/// Most alternatives that a request may ask for.
inline constexpr std::uint32_t kTopLogprobsMax = 128;

/// Errors: Errc::invalid_argument with the field as param. `default_seed` is for requests that
/// bring none.
Result<SamplingParameters> sampling_parameters(const llm::PreprocessedRequest& request,
                                               std::uint64_t default_seed);

struct Sampled {
  TokenId token = 0;
  std::optional<double> logprob;
  std::vector<llm::TopLogprob> top;  ///< most likely first
};

/// Picks the tokens of one choice from raw logits, in this order: logit bias, penalties, tokens
/// ruled out (an early end, the grammar), temperature, min_p, top_k, top_p, then one draw from the
/// choice's own generator. So the tokens of a seed depend on the logits alone, not on what else is
/// in the batch.
///
/// Log-probabilities are the model's own: of the raw logits, before all of the above, as in vLLM.
/// Of a grammar only the chosen token is checked; the whole vocabulary is masked when it does not
/// fit, and the draw is repeated.
class Sampler {
 public:
  Sampler(SamplingParameters parameters, std::span<const TokenId> prompt);

  /// None when nothing may follow (a grammar that is complete while the end is ruled out).
  /// `scratch` is working memory that callers share between samplers. `grammar` may be null;
  /// accept() on it is called here.
  /// Errors: what the grammar says; Errc::internal for logits that are not numbers.
  Result<std::optional<Sampled>> sample(std::span<const float> logits,
                                        std::span<const TokenId> ruled_out, Grammar* grammar,
                                        std::vector<float>& scratch);

 private:
  bool changes_logits() const noexcept;
  void apply_bias_and_penalties(std::span<float> logits) const;
  std::optional<TokenId> pick(std::span<const float> logits);
  void note(TokenId token);

  SamplingParameters parameters_;
  Rng rng_;
  std::unordered_map<TokenId, std::uint32_t> answer_counts_;  ///< kept only for penalties
  std::vector<TokenId> seen_;  ///< distinct tokens of prompt and answer, for the repetition penalty
  std::vector<std::pair<float, TokenId>> candidates_;  ///< working memory of pick()
};

/// log(sum(exp(logits))), in double.
double log_sum_exp(std::span<const float> logits) noexcept;
/// The `count` most likely tokens; ranks from 1, ties in order of token id.
std::vector<llm::TopLogprob> top_logprobs(std::span<const float> logits, double log_sum,
                                          std::size_t count);

}  // namespace dynamo::engines::batching
