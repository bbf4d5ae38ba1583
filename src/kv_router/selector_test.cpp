// SPDX-License-Identifier: Apache-2.0
#include <dynamo/kv_router/selector.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "kv_router/kv_cases.h"

namespace dynamo::kv_router::selector_test {
namespace {

double number(const Json& object, const char* name, double otherwise) {
  const Json* value = object.find(name);
  return value == nullptr || value->is_null() ? otherwise : *value->as_double();
}
std::uint64_t whole(const Json& object, const char* name, std::uint64_t otherwise = 0) {
  const Json* value = object.find(name);
  return value == nullptr || value->is_null() ? otherwise : *value->as_uint64();
}
std::vector<std::string> texts(const Json& object, const char* name) {
  std::vector<std::string> out;
  if (const Json* list = object.find(name))
    for (const Json& text : *list->if_array()) out.push_back(*text.if_string());
  std::sort(out.begin(), out.end());
  return out;
}
std::string label(WorkerKey worker) {
  return std::to_string(static_cast<std::uint64_t>(worker.worker)) + ":" +
         std::to_string(static_cast<std::uint32_t>(worker.rank));
}

SelectorConfig config_of(const Json& json) {
  SelectorConfig config;
  const auto read = [&](const char* name, double& field) { field = number(json, name, field); };
  read("overlap_score_credit", config.overlap_score_credit);
  read("overlap_score_credit_decay", config.overlap_score_credit_decay);
  read("prefill_load_scale", config.prefill_load_scale);
  read("decode_active_request_weight", config.decode_active_request_weight);
  read("host_cache_hit_weight", config.host_cache_hit_weight);
  read("disk_cache_hit_weight", config.disk_cache_hit_weight);
  read("shared_cache_multiplier", config.shared_cache_multiplier);
  read("router_temperature", config.router_temperature);
  return config;
}

TEST(Selector, AgreesWithTheRecordedCosts) {
  const auto cases = kv_cases("scheduler_scenarios.json");
  if (!cases) GTEST_SKIP() << cases.error().message();
  std::size_t compared = 0;
  for (const Json& scenario : *cases->find("cost_scenarios_v1_5")->if_array()) {
    SCOPED_TRACE(*scenario.find("name")->if_string());
    const Json& json = *scenario.find("request");
    SelectionRequest request;
    request.block_size_tokens = static_cast<std::uint32_t>(whole(json, "block_size"));
    request.isl_tokens = whole(json, "isl_tokens");
    if (const Json* track = json.find("track_prefill_tokens"))
      request.track_prefill_tokens = *track->if_bool();
    if (*scenario.find("worker_type")->if_string() == "decode") request.pool = WorkerPool::decode;
    std::vector<std::pair<std::uint32_t, std::uint32_t>> ranges;
    if (const Json* list = json.find("shared_cache_ranges")) {
      for (const Json& range : *list->if_array()) {
        const auto& ends = *range.if_array();
        ranges.emplace_back(static_cast<std::uint32_t>(*ends[0].as_uint64()),
                            static_cast<std::uint32_t>(*ends[1].as_uint64()));
      }
    }
    request.shared_cache_ranges = ranges;
    const std::vector<std::string> required = texts(json, "required_taints");
    request.required_taints = required;
    std::vector<std::pair<std::string, double>> preferred;
    if (const Json* weights = json.find("preferred_taints"))
      for (const auto& [taint, weight] : *weights->if_object())
        preferred.emplace_back(taint, *weight.as_double());
    request.preferred_taints = preferred;
    std::set<std::uint64_t> overloaded;
    if (const Json* list = json.find("overloaded_worker_ids"))
      for (const Json& id : *list->if_array()) overloaded.insert(*id.as_uint64());

    std::vector<Candidate> candidates;
    std::vector<std::vector<std::string>> taints;
    for (const Json& worker : *json.find("workers")->if_array()) {
      Candidate candidate;
      candidate.worker = {WorkerId{whole(worker, "worker_id")},
                          DpRank{static_cast<std::uint32_t>(whole(worker, "dp_rank"))}};
      if (const Json* load = worker.find("load")) {
        candidate.load =
            WorkerLoad{whole(*load, "active_prefill_tokens"), whole(*load, "active_decode_blocks"),
                       whole(*load, "additional_active_blocks"), whole(*load, "active_requests")};
      }
      if (worker.find("device_blocks") || worker.find("host_blocks") ||
          worker.find("disk_blocks")) {
        candidate.overlap =
            TierOverlap{static_cast<std::uint32_t>(whole(worker, "device_blocks")),
                        static_cast<std::uint32_t>(whole(worker, "host_blocks")),
                        static_cast<std::uint32_t>(whole(worker, "disk_blocks")), 0};
      }
      candidate.effective_overlap_blocks = number(worker, "effective_overlap_blocks", 0);
      candidate.effective_cached_tokens = whole(worker, "effective_cached_tokens");
      candidate.overloaded = overloaded.contains(whole(worker, "worker_id"));
      taints.push_back(texts(worker, "taints"));
      candidates.push_back(candidate);
    }
    for (std::size_t i = 0; i < candidates.size(); ++i) candidates[i].taints = taints[i];

    Selector selector(config_of(*scenario.find("config")));
    std::set<std::string> chosen;
    Result<Selection> selection = selector.select(request, candidates);
    for (int i = 0; i < 60 && selection; ++i) {
      chosen.insert(label(candidates[selection->candidate].worker));
      selection = selector.select(request, candidates);
    }
    const auto& costs = *scenario.find("costs")->if_object();
    std::size_t priced = 0;
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      const Json* cost = scenario.find("costs")->find(label(candidates[i].worker));
      ASSERT_EQ(selector.costs()[i].has_value(), cost != nullptr);
      if (cost == nullptr) continue;
      EXPECT_NEAR(*selector.costs()[i], *cost->as_double(), 1e-12);
      ++priced;
    }
    EXPECT_EQ(priced, costs.size());
    if (const Json* minimum = scenario.find("minimum_cost_workers")) {
      std::set<std::string> expected;
      for (const Json& worker : *minimum->if_array()) expected.insert(*worker.if_string());
      EXPECT_EQ(chosen, expected);
    } else {
      ASSERT_FALSE(selection);
      const std::string& kind = *scenario.find("reference_expect")->find("error")->if_string();
      EXPECT_EQ(selection.error().code(),
                kind == "all_eligible_workers_overloaded" ? Errc::overloaded : Errc::unavailable);
    }
    ++compared;
  }
  EXPECT_GE(compared, 28u);
}

TEST(Selector, The09CostAndTieBreakAgreeWithTheRecordedCases) {
  const auto cases = kv_cases("scheduler_scenarios.json");
  if (!cases) GTEST_SKIP() << cases.error().message();
  Rng rng(1);
  for (const Json& scenario : *cases->find("cost_scenarios_v0_9")->if_array()) {
    SCOPED_TRACE(*scenario.find("name")->if_string());
    std::vector<double> costs;
    std::vector<std::size_t> trees;
    std::vector<std::string> names;
    const auto maybe = [](const Json& worker, const char* name) -> std::optional<std::uint64_t> {
      const Json* value = worker.find(name);
      return value == nullptr ? std::nullopt : std::optional(*value->as_uint64());
    };
    for (const Json& worker : *scenario.find("workers")->if_array()) {
      names.push_back(std::to_string(whole(worker, "worker_id")) + ":0");
      costs.push_back(cost_v0_9(number(scenario, "overlap_score_weight", 1),
                                static_cast<std::uint32_t>(whole(scenario, "block_size")),
                                whole(scenario, "isl_tokens"), maybe(worker, "prefill_tokens"),
                                maybe(worker, "decode_blocks")));
      trees.push_back(whole(worker, "tree_size"));
      EXPECT_NEAR(costs.back(), *scenario.find("costs")->find(names.back())->as_double(), 1e-12);
    }
    std::set<std::string> expected;
    for (const Json& worker : *scenario.find("selected_one_of")->if_array())
      expected.insert(*worker.if_string());
    EXPECT_TRUE(expected.contains(names[pick_v0_9(costs, trees, 0, rng)]));
  }
}

TEST(Selector, SoftmaxAgreesWithTheRecordedProbabilities) {
  const auto cases = kv_cases("scheduler_scenarios.json");
  if (!cases) GTEST_SKIP() << cases.error().message();
  for (const Json& sample : *cases->find("softmax")->if_array()) {
    std::vector<double> costs;
    for (const Json& cost : *sample.find("costs")->if_array()) costs.push_back(*cost.as_double());
    std::vector<double> probabilities(costs.size());
    softmax(costs, number(sample, "temperature", 1), probabilities);
    const auto& expected = *sample.find("probabilities")->if_array();
    for (std::size_t i = 0; i < costs.size(); ++i)
      EXPECT_NEAR(probabilities[i], *expected[i].as_double(), 1e-12);
  }
}

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

TEST(Selector, AConfigurationErrorNamesTheField) {
  EXPECT_TRUE(SelectorConfig{}.validate());
  const auto checked = SelectorConfig{.prefill_load_scale = -1}.validate();
  ASSERT_FALSE(checked);
  EXPECT_NE(checked.error().message().find("prefill_load_scale"), std::string::npos);
}

}  // namespace
}  // namespace dynamo::kv_router::selector_test
