// SPDX-License-Identifier: Apache-2.0
#include <dynamo/kv_router/worker_policy.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace dynamo::kv_router::worker_policy_test {
namespace {

std::vector<Candidate> candidates(std::size_t count) {
  std::vector<Candidate> out(count);
  for (std::size_t i = 0; i < count; ++i) out[i].worker.worker = WorkerId{i};
  return out;
}

struct OddWorkers final : WorkerFilter {
  PolicyInputs inputs() const noexcept override { return kRoutingInputs; }
  bool keep(const SelectionRequest&, const Candidate& candidate) override {
    return static_cast<std::uint64_t>(candidate.worker.worker) % 2 == 1;
  }
};
struct Nobody final : WorkerFilter {
  PolicyInputs inputs() const noexcept override { return kNoInputs; }
  bool keep(const SelectionRequest&, const Candidate&) override { return false; }
};
// Costs more the larger the id, or less.
struct ById final : WorkerScorer {
  explicit ById(double weight) : weight(weight) {}
  PolicyInputs inputs() const noexcept override { return kRoutingInputs; }
  void add_costs(const SelectionRequest&, std::span<const Candidate> all,
                 std::span<const std::size_t> rows, std::span<double> costs) override {
    for (std::size_t i = 0; i < rows.size(); ++i)
      costs[i] += weight * static_cast<double>(all[rows[i]].worker.worker);
  }
  double weight;
};
struct BadPicker final : WorkerPicker {
  std::size_t pick(std::span<const double> costs, Rng&) override { return costs.size(); }
};

TEST(PolicySelector, FiltersThenAddsCostsThenPicks) {
  PolicySelector::Parts parts;
  parts.filters.push_back(std::make_unique<OddWorkers>());
  parts.scorers.push_back(std::make_unique<ById>(-1));
  parts.scorers.push_back(std::make_unique<ById>(3));
  PolicySelector selector(std::move(parts));
  EXPECT_EQ(selector.inputs(), kRoutingInputs);
  const auto chosen = selector.select({}, candidates(6));
  ASSERT_TRUE(chosen);
  EXPECT_EQ(chosen->candidate, 1u);
  EXPECT_EQ(chosen->cost, 2.0);
}

TEST(PolicySelector, EligibilityIsTheHosts) {
  PolicySelector::Parts parts;
  parts.scorers.push_back(std::make_unique<ById>(1));
  PolicySelector selector(std::move(parts));
  auto all = candidates(3);
  all[0].overloaded = true;
  EXPECT_EQ(selector.select({}, all)->candidate, 1u);
  const std::vector<WorkerId> allowed{WorkerId{2}};
  EXPECT_EQ(selector.select({.allowed = allowed}, all)->candidate, 2u);
}

TEST(PolicySelector, BrokenPartsAreErrors) {
  PolicySelector::Parts nobody;
  nobody.filters.push_back(std::make_unique<Nobody>());
  EXPECT_EQ(PolicySelector(std::move(nobody)).select({}, candidates(2)).error().message(),
            "all eligible workers were rejected by policy filters");
  PolicySelector::Parts infinite;
  infinite.scorers.push_back(std::make_unique<ById>(std::numeric_limits<double>::infinity()));
  EXPECT_EQ(PolicySelector(std::move(infinite)).select({}, candidates(2)).error().code(),
            Errc::internal);
  PolicySelector::Parts outside;
  outside.picker = std::make_unique<BadPicker>();
  EXPECT_EQ(PolicySelector(std::move(outside)).select({}, candidates(2)).error().code(),
            Errc::internal);
}

TEST(PolicySelector, TheDefaultPartsChooseAsTheSelectorDoes) {
  PolicySelector::Parts parts;
  parts.scorers.push_back(std::make_unique<DefaultScorer>(SelectorConfig{}));
  PolicySelector composed(std::move(parts));
  Selector selector;
  Rng rng(4);
  for (int round = 0; round < 100; ++round) {
    auto all = candidates(5);
    for (Candidate& candidate : all)
      candidate.load = WorkerLoad{.active_prefill_tokens = rng.below(1000),
                                  .active_decode_blocks = rng.below(1u << 20)};
    const SelectionRequest request{.isl_tokens = 500};
    EXPECT_EQ(composed.select(request, all)->candidate, selector.select(request, all)->candidate);
  }
}

TEST(WorkerPolicyRegistry, MakesByTypeAndKeepsTheDefaultsName) {
  WorkerPolicyRegistry registry;
  const WorkerPolicyRegistry::Factory factory =
      [](const Json&, const SelectorConfig&) -> Result<std::unique_ptr<WorkerSelector>> {
    return std::make_unique<PolicySelector>(PolicySelector::Parts{});
  };
  EXPECT_TRUE(registry.add("mine", factory));
  EXPECT_EQ(registry.add("mine", factory).error().code(), Errc::already_exists);
  EXPECT_EQ(registry.add("default", factory).error().code(), Errc::already_exists);
  EXPECT_TRUE(registry.make("mine", {}, {}));
  EXPECT_TRUE(registry.make("default", {}, {}));
  const auto unknown = registry.make("other", {}, {});
  ASSERT_FALSE(unknown);
  EXPECT_NE(unknown.error().message().find("default, mine"), std::string::npos);
}

}  // namespace
}  // namespace dynamo::kv_router::worker_policy_test
