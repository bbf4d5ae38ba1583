// SPDX-License-Identifier: Apache-2.0
#include <dynamo/kv_router/selector.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace dynamo::kv_router::selector_test {
namespace {

TEST(Selector, SoftmaxStaysFiniteAtTheEndsOfTheRange) {
  std::array<double, 3> probabilities{};
  softmax(std::array{-1.7e308, 0.0, 1.7e308}, 0.5, probabilities);
  EXPECT_NEAR(probabilities[0] + probabilities[1] + probabilities[2], 1.0, 1e-12);
  EXPECT_GT(probabilities[0], probabilities[1]);
  softmax(std::array{0.0, 1e-320, 1.0}, 1e-300, probabilities);
  EXPECT_NEAR(probabilities[0] + probabilities[1] + probabilities[2], 1.0, 1e-12);
}

std::vector<Candidate> loaded(std::initializer_list<std::uint64_t> decode_blocks) {
  std::vector<Candidate> out;
  for (const std::uint64_t blocks : decode_blocks) {
    Candidate candidate;
    candidate.worker.worker = WorkerId{out.size()};
    candidate.load = WorkerLoad{.active_decode_blocks = blocks};
    out.push_back(candidate);
  }
  return out;
}

double chi_square(const std::vector<double>& expected, const std::vector<int>& seen, int draws) {
  double sum = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double mean = expected[i] * draws;
    sum += (seen[i] - mean) * (seen[i] - mean) / mean;
  }
  return sum;
}

TEST(Selector, TiesAreFair) {
  const auto candidates = loaded({3, 3, 9, 3, 3});
  Selector selector;
  std::vector<int> seen(5, 0);
  for (int i = 0; i < 8000; ++i) ++seen[selector.select({}, candidates)->candidate];
  EXPECT_EQ(seen[2], 0);
  seen.erase(seen.begin() + 2);
  EXPECT_LT(chi_square({0.25, 0.25, 0.25, 0.25}, seen, 8000), 16.3);  // p = 0.001, 3 degrees
}

TEST(Selector, ATemperatureDrawsAsOftenAsTheProbabilitiesSay) {
  const auto candidates = loaded({5, 3, 7, 4});
  Selector selector({.router_temperature = 0.7});
  std::vector<int> seen(4, 0);
  for (int i = 0; i < 8000; ++i) ++seen[selector.select({}, candidates)->candidate];
  std::vector<double> probabilities(4);
  softmax(std::array{5.0, 3.0, 7.0, 4.0}, 0.7, probabilities);
  EXPECT_LT(chi_square(probabilities, seen, 8000), 16.3);
}

TEST(Selector, APinnedWorkerHasNoCompetitionButMustBeEligible) {
  auto candidates = loaded({9, 1});
  Selector selector;
  SelectionRequest request;
  request.pinned = WorkerKey{WorkerId{0}, DpRank{0}};
  EXPECT_EQ(selector.select(request, candidates)->candidate, 0u);
  candidates[0].overloaded = true;
  EXPECT_EQ(selector.select(request, candidates).error().message(),
            "pinned worker 0 is overloaded");
  const std::vector<WorkerId> allowed{WorkerId{1}};
  request.allowed = allowed;
  EXPECT_EQ(selector.select(request, candidates).error().message(),
            "pinned worker 0 is not in allowed worker set");
  request.pinned.reset();
  EXPECT_EQ(selector.select(request, candidates)->candidate, 1u);
  EXPECT_EQ(selector.select(request, {}).error().code(), Errc::unavailable);
}

TEST(Selector, TheGenerationOf09BreaksTiesByTheSmallestTree) {
  auto candidates = loaded({3, 3, 3});
  candidates[0].tree_size_blocks = 10;
  candidates[1].tree_size_blocks = 7;
  candidates[2].tree_size_blocks = 9;
  Selector selector({.generation = CostGeneration::v0_9});
  for (int i = 0; i < 20; ++i) EXPECT_EQ(selector.select({}, candidates)->candidate, 1u);
}

TEST(Selector, AnInexactCacheIsSaidInTheResult) {
  auto candidates = loaded({5, 3, 7});
  candidates[0].freshness = Freshness::degraded;
  Selector selector;
  const Selection exact = selector.select({}, candidates).value();
  EXPECT_FALSE(exact.approximate);
  EXPECT_EQ(exact.approximate_candidates, 1u);
  candidates[1].freshness = Freshness::recovering;
  const Selection stale = selector.select({}, candidates).value();
  EXPECT_EQ(stale.candidate, 1u);
  EXPECT_TRUE(stale.approximate);
  EXPECT_EQ(stale.cost, exact.cost);
}

TEST(Selector, OverridesReplaceWhatTheyName) {
  const SelectorConfig config{.overlap_score_credit = 0.5, .prefill_load_scale = 2};
  const SelectorConfig changed =
      config.with({.router_temperature = 1.0, .shared_cache_multiplier = 0.5});
  EXPECT_EQ(changed.overlap_score_credit, 0.5);
  EXPECT_EQ(changed.router_temperature, 1.0);
  EXPECT_EQ(changed.shared_cache_multiplier, 0.5);
  // The alias of 0.9 sets the scale; 0 takes the credit as well.
  EXPECT_EQ(config.with({.overlap_score_weight = 3.0}).prefill_load_scale, 3.0);
  EXPECT_EQ(config.with({.overlap_score_weight = 0.0}).overlap_score_credit, 0.0);
  EXPECT_EQ(
      config.with({.prefill_load_scale = 4.0, .overlap_score_weight = 3.0}).prefill_load_scale,
      4.0);
}

TEST(Selector, AConfigurationErrorNamesTheField) {
  EXPECT_TRUE(SelectorConfig{}.validate());
  const auto checked = SelectorConfig{.prefill_load_scale = -1}.validate();
  ASSERT_FALSE(checked);
  EXPECT_NE(checked.error().message().find("prefill_load_scale"), std::string::npos);
}

}  // namespace
}  // namespace dynamo::kv_router::selector_test
