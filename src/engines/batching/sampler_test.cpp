// SPDX-License-Identifier: Apache-2.0
#include "engines/batching/sampler.h"

#include <cmath>
#include <limits>
#include <map>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace dynamo::engines::batching {
namespace sampler_test {
namespace {

using Logits = std::vector<float>;

Sampled sample(Sampler& sampler, const Logits& logits, std::vector<TokenId> ruled_out = {}) {
  std::vector<float> scratch;
  auto out = sampler.sample(logits, ruled_out, nullptr, scratch);
  EXPECT_TRUE(out && *out);
  return out && *out ? **std::move(out) : Sampled{};
}

std::map<TokenId, int> draws(SamplingParameters parameters, const Logits& logits, int count) {
  Sampler sampler(std::move(parameters), {});
  std::map<TokenId, int> out;
  for (int i = 0; i < count; ++i) ++out[sample(sampler, logits).token];
  return out;
}

TEST(Sampler, ZeroTemperatureTakesTheMostLikelyAndTheFirstOfEquals) {
  Sampler sampler({.temperature = 0.0F}, {});
  EXPECT_EQ(sample(sampler, {1, 3, 2, 3}).token, 1U);
  EXPECT_EQ(sample(sampler, {1, 3, 2, 3}, {1}).token, 3U);
  Sampler tiny({.temperature = 1e-30F}, {});
  EXPECT_EQ(sample(tiny, {1, 3, 2, 3}).token, 1U);
}

TEST(Sampler, DrawsInProportionToTheProbabilities) {
  const Logits logits{std::log(0.5F), std::log(0.3F), std::log(0.2F)};
  auto counts = draws({.seed = 7}, logits, 20'000);
  EXPECT_NEAR(counts[0], 10'000, 400);
  EXPECT_NEAR(counts[1], 6'000, 400);
  EXPECT_NEAR(counts[2], 4'000, 400);
  // At temperature 0.5 the probabilities are squared: 25 : 9 : 4.
  counts = draws({.temperature = 0.5F, .seed = 7}, logits, 20'000);
  EXPECT_NEAR(counts[0], 20'000 * 25 / 38, 400);
  EXPECT_NEAR(counts[2], 20'000 * 4 / 38, 400);
}

TEST(Sampler, TheSameSeedDrawsTheSameTokens) {
  Logits logits(100);
  for (std::size_t i = 0; i < logits.size(); ++i) logits[i] = static_cast<float>(i % 7);
  for (const float top_p : {1.0F, 0.7F}) {
    Sampler a({.top_p = top_p, .seed = 42}, {});
    Sampler b({.top_p = top_p, .seed = 42}, {});
    Sampler c({.top_p = top_p, .seed = 43}, {});
    int different = 0;
    for (int i = 0; i < 50; ++i) {
      const TokenId token = sample(a, logits).token;
      EXPECT_EQ(token, sample(b, logits).token);
      different += token != sample(c, logits).token ? 1 : 0;
    }
    EXPECT_GT(different, 10);
  }
}

TEST(Sampler, TopKKeepsThatMany) {
  const auto counts = draws({.top_k = 2, .seed = 1}, {1.0F, 1.2F, 0.9F, 1.1F}, 2000);
  EXPECT_EQ(counts.size(), 2U);
  EXPECT_TRUE(counts.contains(1) && counts.contains(3));
}

TEST(Sampler, TopPKeepsTheFewestThatReachIt) {
  const Logits logits{std::log(0.5F), std::log(0.3F), std::log(0.2F)};
  EXPECT_EQ(draws({.top_p = 0.45F, .seed = 1}, logits, 500).size(), 1U);
  EXPECT_EQ(draws({.top_p = 0.7F, .seed = 1}, logits, 500).size(), 2U);
  EXPECT_EQ(draws({.top_p = 0.95F, .seed = 1}, logits, 500).size(), 3U);
  // Of what top_k leaves: 0.5 of 0.8 is more than 0.6.
  EXPECT_EQ(draws({.top_k = 2, .top_p = 0.6F, .seed = 1}, logits, 500).size(), 1U);
}

TEST(Sampler, MinPKeepsWhatIsNotFarBehindTheBest) {
  const Logits logits{std::log(0.5F), std::log(0.3F), std::log(0.2F)};
  EXPECT_EQ(draws({.min_p = 0.5F, .seed = 1}, logits, 500).size(), 2U);
  EXPECT_EQ(draws({.min_p = 0.7F, .seed = 1}, logits, 500).size(), 1U);
  EXPECT_EQ(draws({.min_p = 1.0F, .seed = 1}, logits, 500).size(), 1U);
}

TEST(Sampler, LogitBiasForcesAndForbids) {
  Sampler forced({.temperature = 0.0F, .logit_bias = {{3, 100.0F}}}, {});
  EXPECT_EQ(sample(forced, {9, 1, 2, 0}).token, 3U);
  Sampler forbidden({.temperature = 0.0F, .logit_bias = {{0, -100.0F}, {77, 100.0F}}}, {});
  EXPECT_EQ(sample(forbidden, {9, 1, 2, 0}).token, 2U);
}

TEST(Sampler, PresenceAndFrequencyCountTheAnswerAndRepetitionThePromptToo) {
  Sampler presence({.temperature = 0.0F, .presence_penalty = 1.5F}, std::vector<TokenId>{0});
  EXPECT_EQ(sample(presence, {3, 2}).token, 0U);  // the prompt does not count
  EXPECT_EQ(sample(presence, {3, 2}).token, 1U);
  EXPECT_EQ(sample(presence, {3, 2}).token, 0U);  // both have been used now

  Sampler frequency({.temperature = 0.0F, .frequency_penalty = 0.6F}, {});
  EXPECT_EQ(sample(frequency, {3, 2}).token, 0U);
  EXPECT_EQ(sample(frequency, {3, 2}).token, 0U);  // 2.4
  EXPECT_EQ(sample(frequency, {3, 2}).token, 1U);  // 1.8

  Sampler repetition({.temperature = 0.0F, .repetition_penalty = 2.0F}, std::vector<TokenId>{0, 2});
  EXPECT_EQ(sample(repetition, {3, 2, 1}).token, 1U);
  Sampler negative({.temperature = 0.0F, .repetition_penalty = 2.0F}, std::vector<TokenId>{0});
  EXPECT_EQ(sample(negative, {-1, -1.5F}).token, 1U);
}

TEST(Sampler, LogprobsAreOfTheRawLogits) {
  Sampler sampler({.temperature = 0.0F, .logit_bias = {{1, 50.0F}}, .logprobs = 2}, {});
  const Logits logits{std::log(0.5F), std::log(0.2F), std::log(0.3F)};
  const Sampled sampled = sample(sampler, logits);
  EXPECT_EQ(sampled.token, 1U);
  EXPECT_NEAR(*sampled.logprob, std::log(0.2), 1e-6);
  ASSERT_EQ(sampled.top.size(), 2U);
  EXPECT_EQ(sampled.top[0].token_id, 0U);
  EXPECT_EQ(sampled.top[0].rank, 1U);
  EXPECT_NEAR(sampled.top[0].logprob, std::log(0.5), 1e-6);
  EXPECT_EQ(sampled.top[1].token_id, 2U);

  Sampler chosen_only({.temperature = 0.0F, .logprobs = 0}, {});
  EXPECT_TRUE(sample(chosen_only, logits).top.empty());
  Sampler none({.temperature = 0.0F}, {});
  EXPECT_FALSE(sample(none, logits).logprob);
}

TEST(Sampler, TopLogprobsEqualASort) {
  Logits logits(1000);
  for (std::size_t i = 0; i < logits.size(); ++i) {
    logits[i] = static_cast<float>((i * 7919) % 101) / 10.0F;
  }
  const double log_sum = log_sum_exp(logits);
  const auto top = top_logprobs(logits, log_sum, 20);
  std::vector<std::pair<float, TokenId>> sorted;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    sorted.emplace_back(-logits[i], static_cast<TokenId>(i));
  }
  std::ranges::sort(sorted);
  ASSERT_EQ(top.size(), 20U);
  for (std::size_t i = 0; i < top.size(); ++i) EXPECT_EQ(top[i].token_id, sorted[i].second) << i;
  EXPECT_EQ(top_logprobs(std::span(logits).first(3), 0, 20).size(), 3U);
  double sum = 0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - log_sum);
  EXPECT_NEAR(sum, 1.0, 1e-6);
}

/// Allows even tokens.
class Even final : public Grammar {
 public:
  Result<bool> allows(TokenId token) override { return token % 2 == 0; }
  Result<void> mask(std::span<float> logits) override {
    ++masked;
    for (std::size_t i = 1; i < logits.size(); i += 2) {
      logits[i] = -std::numeric_limits<float>::infinity();
    }
    return {};
  }
  Result<void> accept(TokenId token) override {
    accepted.push_back(token);
    return {};
  }
  int masked = 0;
  std::vector<TokenId> accepted;
};

TEST(Sampler, AGrammarMasksOnlyWhenTheFirstChoiceDoesNotFit) {
  Even grammar;
  std::vector<float> scratch;
  Sampler sampler({.temperature = 0.0F}, {});
  EXPECT_EQ((*sampler.sample(Logits{1, 0, 3, 2}, {}, &grammar, scratch))->token, 2U);
  EXPECT_EQ(grammar.masked, 0);
  EXPECT_EQ((*sampler.sample(Logits{1, 0, 0, 2}, {}, &grammar, scratch))->token, 0U);
  EXPECT_EQ(grammar.masked, 1);
  EXPECT_EQ(grammar.accepted, (std::vector<TokenId>{2, 0}));
  const std::vector<TokenId> everything_even{0, 2};
  EXPECT_FALSE(*sampler.sample(Logits{1, 0, 0, 2}, everything_even, &grammar, scratch));
}

TEST(Sampler, LogitsThatAreNoNumbersAreAnError) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  Sampler sampler({}, {});
  std::vector<float> scratch;
  EXPECT_EQ(sampler.sample(Logits{nan, nan}, {}, nullptr, scratch).error().code(), Errc::internal);
  EXPECT_EQ(sample(sampler, {nan, 1}).token, 1U);
}

TEST(Sampler, ParametersOutOfRangeNameTheirField) {
  const auto field_of = [](auto change) {
    llm::PreprocessedRequest request;
    change(request.sampling_options);
    const auto parameters = sampling_parameters(request, 1);
    return parameters ? std::string("-") : parameters.error().param();
  };
  EXPECT_EQ(field_of([](auto&) {}), "-");
  EXPECT_EQ(field_of([](auto& o) { o.temperature = -1.0F; }), "temperature");
  EXPECT_EQ(field_of([](auto& o) { o.temperature = NAN; }), "temperature");
  EXPECT_EQ(field_of([](auto& o) { o.top_p = 0.0F; }), "top_p");
  EXPECT_EQ(field_of([](auto& o) { o.top_p = NAN; }), "top_p");
  EXPECT_EQ(field_of([](auto& o) { o.min_p = 2.0F; }), "min_p");
  EXPECT_EQ(field_of([](auto& o) { o.top_k = -2; }), "top_k");
  EXPECT_EQ(field_of([](auto& o) { o.top_k = -1; }), "-");
  EXPECT_EQ(field_of([](auto& o) { o.repetition_penalty = 0.0F; }), "repetition_penalty");
  EXPECT_EQ(field_of([](auto& o) { o.presence_penalty = INFINITY; }), "presence_penalty");
  EXPECT_EQ(field_of([](auto& o) { o.frequency_penalty = -101.0F; }), "frequency_penalty");

  llm::PreprocessedRequest request;
  request.sampling_options.seed = -5;
  EXPECT_EQ(sampling_parameters(request, 1)->seed, static_cast<std::uint64_t>(-5));
  EXPECT_FLOAT_EQ(sampling_parameters(request, 1)->temperature, 1.0F);
  request.output_options.logprobs = 1000;
  EXPECT_EQ(sampling_parameters(request, 1).error().param(), "logprobs");
  request.output_options.logprobs.reset();
  request.logit_bias[1] = 101.0F;
  EXPECT_EQ(sampling_parameters(request, 1).error().param(), "logit_bias");
}

}  // namespace
}  // namespace sampler_test
}  // namespace dynamo::engines::batching
