// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/rng.h>
#include <dynamo/kv_router/prefix_index.h>

#include <cstdlib>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "kv_router/lru_engine.h"

namespace dynamo::kv_router::prefix_index_budget_test {
namespace {

// Streams that grow one table each: children of one block, names of one's own, nodes of one block,
// workers, long chains. DYNAMO_KV_SEEDS=100 for more of them.
TEST(PrefixIndexBudget, IsKeptOnEveryStreamThatTriesToBreakIt) {
  const char* wanted = std::getenv("DYNAMO_KV_SEEDS");
  const std::uint64_t seeds = wanted == nullptr ? 5 : std::stoull(wanted);
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    SCOPED_TRACE(seed);
    const std::size_t budget = (std::size_t{1} << 19) + seed * 37777;
    PrefixIndex index({.memory_bytes_max = budget, .seed = seed});
    Rng rng(seed);
    std::uint64_t next = 1;
    const auto store = [&](std::uint64_t worker, std::optional<EngineHash> parent,
                           std::uint64_t first, std::uint64_t count, std::uint64_t naming) {
      KvStored stored{parent, {}, {}};
      for (std::uint64_t i = 0; i < count; ++i)
        stored.blocks.push_back({EngineHash{(first + i) ^ naming}, LocalHash{first + i}, {}});
      static_cast<void>(index.store({WorkerId{worker}, DpRank{0}}, stored));
    };
    store(0, {}, next++, 1, 0);
    for (int step = 0; step < 1500; ++step) {
      switch (seed % 5) {
        case 0:
          store(0, EngineHash{1}, next++, 1, 0);
          break;
        case 1:
          store(1, {}, next, 20, 0);
          store(2, {}, next, 20, std::uint64_t{1} << 63);
          next += 20;
          break;
        case 2:
          store(rng.below(3), {}, next++, 1, 0);
          break;
        case 3:
          store(rng.below(500), {}, 1 + rng.below(400), 30, 0);
          break;
        default:
          store(0, {}, next, 1 + rng.below(700), 0);
          next += 700;
      }
      ASSERT_LE(index.stats().memory_bytes, budget + budget / 50) << step;
    }
  }
}

// Conversations that come, grow and are evicted. DYNAMO_KV_SOAK_HOURS=24 for a day of them.
TEST(PrefixIndexSoak, HoursOfChurnEndAtTheMemoryTheyBeganWith) {
  constexpr std::uint64_t kWorkers = 4;
  constexpr std::uint64_t kRequestsPerHour = 4 * 3600;
  constexpr std::size_t kBlocksOfWorker = 4000;
  const char* wanted = std::getenv("DYNAMO_KV_SOAK_HOURS");
  const double hours = wanted == nullptr ? 0.25 : std::stod(wanted);
  PrefixIndex index;
  std::vector<workload::LruEngine> engines;
  for (std::uint64_t w = 0; w < kWorkers; ++w)
    engines.emplace_back(WorkerKey{WorkerId{w}, DpRank{0}}, kBlocksOfWorker);
  Rng rng(5);
  std::uint64_t conversations = 0;
  const auto serve = [&] {
    // Mostly the continuation of a recent conversation, by one or several turns.
    const std::uint64_t conversation =
        rng.below(3) == 0 || conversations < 200 ? ++conversations : conversations - rng.below(200);
    const std::uint64_t length = 8 + rng.below(60);
    std::vector<LocalHash> path;
    std::vector<EngineHash> names;
    for (std::uint64_t i = 0; i < length; ++i) {
      const std::uint64_t content = i < 6 ? i + 1 : conversation << 20 | i;
      path.push_back(LocalHash{content});
      names.push_back(EngineHash{content * 0x9e3779b97f4a7c15u});
    }
    engines[conversation % kWorkers].serve(path, names, [&](RouterEvent&& event) {
      ASSERT_EQ(index.apply(event), ApplyStatus::applied);
    });
  };
  for (int i = 0; i < 2000; ++i) serve();  // until all caches are full
  index.settle();
  const PrefixIndexStats before = index.stats();
  for (std::uint64_t i = 0; i < static_cast<std::uint64_t>(hours * kRequestsPerHour); ++i) serve();
  index.settle();
  const PrefixIndexStats after = index.stats();
  const double per_block_before =
      static_cast<double>(before.memory_bytes) / static_cast<double>(before.distinct_blocks);
  const double per_block_after =
      static_cast<double>(after.memory_bytes) / static_cast<double>(after.distinct_blocks);
  EXPECT_NEAR(static_cast<double>(after.distinct_blocks),
              static_cast<double>(before.distinct_blocks), 0.02 * kWorkers * kBlocksOfWorker);
  EXPECT_LT(per_block_after, per_block_before * 1.05);
  for (std::uint64_t w = 0; w < kWorkers; ++w) index.remove_worker(WorkerId{w});
  index.settle();
  EXPECT_EQ(index.stats().distinct_blocks, 0u);
  EXPECT_LT(index.stats().memory_bytes, before.memory_bytes / 20);
}

}  // namespace
}  // namespace dynamo::kv_router::prefix_index_budget_test
