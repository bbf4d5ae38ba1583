// SPDX-License-Identifier: Apache-2.0
#include <dynamo/kv_router/naive_index.h>

#include <vector>

#include <gtest/gtest.h>

#include "kv_router/kv_cases.h"
#include "kv_router/kv_scenarios.h"

namespace dynamo::kv_router::naive_index_test {
namespace {

TEST(NaiveIndex, AgreesWithTheRecordedScenarios) {
  const auto cases = kv_cases("indexer_scenarios.json");
  if (!cases) GTEST_SKIP() << cases.error().message();
  const std::size_t looked = run_scenarios<NaiveIndex>(
      *cases, [](const NaiveIndex& index, const std::vector<LocalHash>& sequence, bool) {
        return index.find_matches(sequence);
      });
  EXPECT_GT(looked, 60u);
}

TEST(NaiveIndex, AStoreThatNamesItsOwnParentIsRefused) {
  NaiveIndex index;
  const WorkerKey worker{};
  EXPECT_EQ(index.store(worker, {.parent_hash = {},
                                 .start_position = {},
                                 .blocks = {{EngineHash{1}, LocalHash{1}, {}}}}),
            ApplyStatus::applied);
  EXPECT_EQ(index.store(worker, {.parent_hash = EngineHash{1},
                                 .start_position = {},
                                 .blocks = {{EngineHash{1}, LocalHash{2}, {}}}}),
            ApplyStatus::malformed);
  EXPECT_EQ(index.store(worker, {.parent_hash = EngineHash{9},
                                 .start_position = {},
                                 .blocks = {{EngineHash{2}, LocalHash{2}, {}}}}),
            ApplyStatus::parent_not_found);
  EXPECT_EQ(index.store(worker, {.parent_hash = {},
                                 .start_position = {},
                                 .blocks = {{EngineHash{1}, LocalHash{1}, {}}}}),
            ApplyStatus::duplicate);
  EXPECT_EQ(index.blocks(worker), 1u);
}

TEST(NaiveIndex, AChainOf65536BlocksIsBuiltFoundAndForgotten) {
  NaiveIndex index;
  const WorkerKey worker{};
  KvStored chain;
  std::vector<LocalHash> sequence;
  for (std::uint64_t i = 1; i <= 65536; ++i) {
    chain.blocks.push_back({EngineHash{i << 20}, LocalHash{i}, {}});
    sequence.push_back(LocalHash{i});
  }
  EXPECT_EQ(index.store(worker, chain), ApplyStatus::applied);
  EXPECT_EQ(index.find_matches(sequence).at(worker), 65536u);
  const std::vector<EngineHash> head{EngineHash{std::uint64_t{1} << 20}};
  EXPECT_EQ(index.remove(worker, head), ApplyStatus::applied);
  EXPECT_TRUE(index.find_matches(sequence).empty());
  EXPECT_TRUE(index.dump().empty());
}

}  // namespace
}  // namespace dynamo::kv_router::naive_index_test
