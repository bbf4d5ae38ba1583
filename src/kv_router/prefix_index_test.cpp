// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/rng.h>
#include <dynamo/kv_router/naive_index.h>
#include <dynamo/kv_router/prefix_index.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "kv_router/kv_cases.h"
#include "kv_router/kv_scenarios.h"

namespace dynamo::kv_router::prefix_index_test {
namespace {

OverlapScores scores_of(PrefixIndex& index, std::span<const LocalHash> sequence,
                        bool early_exit = false) {
  PrefixIndex::Reader reader(index);
  OverlapScores scores;
  for (const WorkerOverlap& overlap : reader.find_matches(sequence, early_exit)) {
    EXPECT_TRUE(scores.emplace(overlap.worker, overlap.blocks).second) << "reported twice";
  }
  return scores;
}

WorkerKey worker(std::uint64_t id, std::uint32_t rank = 0) {
  return {WorkerId{id}, DpRank{rank}};
}

KvStored chain(std::optional<EngineHash> parent, std::uint64_t first, std::size_t count,
               std::uint64_t name_offset = 0) {
  KvStored stored;
  stored.parent_hash = parent;
  for (std::uint64_t i = first; i < first + count; ++i)
    stored.blocks.push_back({EngineHash{i + name_offset}, LocalHash{i}, std::nullopt});
  return stored;
}

std::vector<LocalHash> locals(std::uint64_t first, std::size_t count) {
  std::vector<LocalHash> out;
  for (std::uint64_t i = first; i < first + count; ++i) out.push_back(LocalHash{i});
  return out;
}

TEST(PrefixIndex, AgreesWithTheRecordedScenarios) {
  const auto cases = kv_cases("indexer_scenarios.json");
  if (!cases) GTEST_SKIP() << cases.error().message();
  const std::size_t looked = run_scenarios<PrefixIndex>(
      *cases, [](PrefixIndex& index, const std::vector<LocalHash>& sequence, bool early_exit) {
        return scores_of(index, sequence, early_exit);
      });
  EXPECT_GT(looked, 60u);
}

/// Random events in a small world, so that prefixes, names and workers meet often.
class World {
 public:
  explicit World(std::uint64_t seed) : rng_(seed) {
    workers_ = 1 + rng_.below(seed % 7 == 0 ? 80 : 5);
    alphabet_ = 1 + rng_.below(4);
    names_ = seed % 3 == 0 ? 20 + rng_.below(200) : std::uint64_t{1} << 40;
    chain_max_ = seed % 40 == 0 ? 600 : 1 + rng_.below(24);
    sequential_ = seed % 2 == 0;
    index_name_bits_ = seed % 4;
  }

  RouterEvent next() {
    RouterEvent event;
    event.worker_id = WorkerId{rng_.below(workers_)};
    event.event.dp_rank = DpRank{static_cast<std::uint32_t>(rng_.below(2))};
    const WorkerKey key = event.key();
    auto& known = known_[key];
    const std::uint64_t dice = rng_.below(100);
    if (dice < 60 || known.empty()) {
      KvStored stored;
      std::uint64_t path = 0;
      if (!known.empty() && rng_.below(3) != 0) {
        const Known& parent = known[rng_.below(known.size())];
        stored.parent_hash = parent.name;
        path = parent.path;
        if (rng_.below(40) == 0) stored.parent_hash = EngineHash{rng_()};
      }
      const std::uint64_t count = rng_.below(chain_max_ + 1);
      for (std::uint64_t i = 0; i < count; ++i) {
        const std::uint64_t local = 1 + rng_.below(alphabet_);
        path = path * 0x9e3779b97f4a7c15u + local;
        stored.blocks.push_back({name_for(key, path), LocalHash{local}, std::nullopt});
        known.push_back({stored.blocks.back().block_hash, path});
      }
      event.event.data = std::move(stored);
    } else if (dice < 97) {
      KvRemoved removed;
      for (std::uint64_t i = 1 + rng_.below(3); i != 0; --i) {
        const std::size_t at = rng_.below(known.size());
        const std::size_t run = std::min<std::size_t>(known.size() - at, 1 + rng_.below(6));
        for (std::size_t k = 0; k < run; ++k)
          removed.block_hashes.push_back(known[at + (i % 2 == 0 ? k : run - 1 - k)].name);
      }
      event.event.data = std::move(removed);
    } else {
      event.event.data = KvCleared{};
      known.clear();
    }
    if (known.size() > 2000) known.erase(known.begin(), known.begin() + 1000);
    return event;
  }

  std::vector<LocalHash> query() {
    std::vector<LocalHash> sequence(rng_.below(chain_max_ * 2 + 2));
    for (LocalHash& local : sequence) local = LocalHash{1 + rng_.below(alphabet_)};
    return sequence;
  }

  Rng& rng() { return rng_; }
  std::uint64_t workers() const { return workers_; }

 private:
  struct Known {
    EngineHash name;
    std::uint64_t path;
  };
  EngineHash name_for(WorkerKey key, std::uint64_t path) {
    // Most engines agree on names, some have their own, some number their blocks.
    std::uint64_t name = path;
    if (index_name_bits_ == 1) name += static_cast<std::uint64_t>(key.worker) % 2 * 77;
    if (index_name_bits_ == 2) name += static_cast<std::uint64_t>(key.worker) * 1000003;
    if (sequential_ && index_name_bits_ == 3) name = ++counter_;
    return EngineHash{(name ^ name >> 31) % names_};
  }

  Rng rng_;
  std::uint64_t workers_, alphabet_, names_, chain_max_, index_name_bits_;
  bool sequential_;
  std::uint64_t counter_ = 0;
  std::map<WorkerKey, std::vector<Known>> known_;
};

void expect_equal(PrefixIndex& index, const NaiveIndex& model, World& world) {
  ASSERT_EQ(index.dump(), model.dump());
  for (int i = 0; i < 4; ++i) {
    const std::vector<LocalHash> sequence = world.query();
    ASSERT_EQ(scores_of(index, sequence), model.find_matches(sequence));
    const OverlapScores exact = model.find_matches(sequence);
    for (const auto& [key, blocks] : scores_of(index, sequence, true)) {
      ASSERT_TRUE(exact.contains(key));
      ASSERT_LE(blocks, exact.at(key));
    }
  }
  for (std::uint64_t id = 0; id < world.workers(); ++id)
    ASSERT_EQ(index.blocks(worker(id)), model.blocks(worker(id)));
}

void run_seed(std::uint64_t seed) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  World world(seed);
  PrefixIndex index;
  NaiveIndex model;
  const std::uint64_t bursts = 2 + world.rng().below(4);
  for (std::uint64_t burst = 0; burst < bursts; ++burst) {
    for (int step = 0; step < 25; ++step) {
      if (world.rng().below(60) == 0) {
        const WorkerId gone{world.rng().below(world.workers())};
        index.remove_worker(gone);
        model.remove_worker(gone);
        continue;
      }
      const RouterEvent event = world.next();
      const ApplyStatus expected = model.apply(event);
      ASSERT_EQ(index.apply(event), expected) << "burst " << burst << " step " << step;
    }
    expect_equal(index, model, world);
    if (testing::Test::HasFatalFailure()) return;
    if (burst == 1) index.settle();
  }
  // A snapshot rebuilds the index.
  PrefixIndex restored;
  for (const RouterEvent& event : index.snapshot())
    ASSERT_EQ(restored.apply(event), ApplyStatus::applied);
  expect_equal(restored, model, world);
  // Nothing is left of workers that left.
  for (std::uint64_t id = 0; id < world.workers(); ++id) index.remove_worker(WorkerId{id});
  index.settle();
  const PrefixIndexStats stats = index.stats();
  ASSERT_EQ(stats.nodes, 0u);
  ASSERT_EQ(stats.distinct_blocks, 0u);
  ASSERT_EQ(stats.workers, 0u);
}

class PrefixIndexSeeds : public testing::TestWithParam<std::uint64_t> {};

// A thousand seeds in four parts; DYNAMO_KV_SEEDS=100000 for as many in each part.
TEST_P(PrefixIndexSeeds, EqualTheModelAfterRandomEvents) {
  const char* wanted = std::getenv("DYNAMO_KV_SEEDS");
  const std::uint64_t seeds = wanted == nullptr ? 250 : std::stoull(wanted);
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    run_seed(seed * 4 + GetParam());
    if (HasFatalFailure()) return;
  }
}
INSTANTIATE_TEST_SUITE_P(Parts, PrefixIndexSeeds, testing::Range<std::uint64_t>(0, 4));

TEST(PrefixIndex, AChainOf65536BlocksIsBuiltFoundAndForgotten) {
  PrefixIndex index;
  EXPECT_EQ(index.store(worker(1), chain({}, 1, 65536)), ApplyStatus::applied);
  EXPECT_EQ(index.store(worker(2), chain({}, 1, 65536, 1 << 20)), ApplyStatus::applied);
  const auto sequence = locals(1, 65536);
  EXPECT_EQ(scores_of(index, sequence), (OverlapScores{{worker(1), 65536}, {worker(2), 65536}}));
  const std::vector<EngineHash> head{EngineHash{1}};
  EXPECT_EQ(index.remove(worker(1), head), ApplyStatus::applied);
  EXPECT_EQ(scores_of(index, sequence), (OverlapScores{{worker(2), 65536}}));
  index.clear(worker(2));
  EXPECT_TRUE(index.dump().empty());
  index.settle();
  EXPECT_EQ(index.stats().distinct_blocks, 0u);
}

TEST(PrefixIndex, ManyThousandChildrenOfOneBlockComeAndGo) {
  PrefixIndex index;
  ASSERT_EQ(index.store(worker(1), chain({}, 1, 1)), ApplyStatus::applied);
  for (std::uint64_t i = 0; i < 30000; ++i)
    ASSERT_EQ(index.store(worker(1), chain(EngineHash{1}, 1000 + i, 1)), ApplyStatus::applied);
  EXPECT_EQ(index.blocks(worker(1)), 30001u);
  EXPECT_EQ(scores_of(index, std::vector{LocalHash{1}, LocalHash{20000}}).at(worker(1)), 2u);
  for (std::uint64_t i = 0; i < 29990; ++i)
    ASSERT_EQ(index.remove(worker(1), std::vector{EngineHash{1000 + i}}), ApplyStatus::applied);
  EXPECT_EQ(scores_of(index, std::vector{LocalHash{1}, LocalHash{20000}}).at(worker(1)), 1u);
  EXPECT_EQ(scores_of(index, std::vector{LocalHash{1}, LocalHash{30995}}).at(worker(1)), 2u);
}

TEST(PrefixIndex, ADecodingSequenceGrowsBlockByBlock) {
  PrefixIndex index;
  ASSERT_EQ(index.store(worker(1), chain({}, 1, 1)), ApplyStatus::applied);
  for (std::uint64_t i = 2; i <= 1000; ++i)
    ASSERT_EQ(index.store(worker(1), chain(EngineHash{i - 1}, i, 1)), ApplyStatus::applied);
  EXPECT_EQ(index.stats().nodes, 4u);  // of at most 256 blocks
  EXPECT_EQ(scores_of(index, locals(1, 1000)).at(worker(1)), 1000u);
}

TEST(PrefixIndex, AWorkersOwnNameSurvivesTheDump) {
  PrefixIndex index;
  ASSERT_EQ(index.store(worker(1), chain({}, 1, 4)), ApplyStatus::applied);
  ASSERT_EQ(index.store(worker(2), chain({}, 1, 4, 100)), ApplyStatus::applied);
  PrefixIndex restored;
  for (const RouterEvent& event : index.snapshot()) static_cast<void>(restored.apply(event));
  EXPECT_EQ(restored.remove(worker(2), std::vector{EngineHash{103}}), ApplyStatus::applied);
  EXPECT_EQ(scores_of(restored, locals(1, 4)), (OverlapScores{{worker(1), 4}, {worker(2), 2}}));
  // One worker's name is not another's.
  EXPECT_EQ(restored.remove(worker(2), std::vector{EngineHash{1}}), ApplyStatus::block_not_found);
}

TEST(PrefixIndex, AReturningWorkerStartsEmptyAlthoughItsBitsLinger) {
  PrefixIndex index;
  for (std::uint64_t id = 1; id <= 3; ++id)
    for (std::uint64_t i = 0; i < 200; ++i)
      ASSERT_EQ(index.store(worker(id), chain({}, 1000 * i + 1, 8)), ApplyStatus::applied);
  index.clear(worker(1));
  EXPECT_EQ(index.blocks(worker(1)), 0u);
  ASSERT_EQ(index.store(worker(1), chain({}, 1, 2)), ApplyStatus::applied);
  EXPECT_EQ(scores_of(index, locals(1, 8)),
            (OverlapScores{{worker(1), 2}, {worker(2), 8}, {worker(3), 8}}));
  EXPECT_EQ(scores_of(index, locals(5001, 8)), (OverlapScores{{worker(2), 8}, {worker(3), 8}}));
}

TEST(PrefixIndex, SlotsOfWorkersThatLeftAreUsedAgain) {
  PrefixIndex index;
  ASSERT_EQ(index.store(worker(0), chain({}, 1, 4)), ApplyStatus::applied);
  for (std::uint64_t id = 1; id < 66000; ++id) {
    ASSERT_EQ(index.store(worker(id), chain({}, 1, 4)), ApplyStatus::applied);
    index.remove_worker(WorkerId{id});
  }
  EXPECT_EQ(scores_of(index, locals(1, 4)), (OverlapScores{{worker(0), 4}}));
  EXPECT_LT(index.stats().memory_bytes, 200000u);
}

TEST(PrefixIndex, StaysInItsMemoryBudgetAndKeepsWhatIsUsed) {
  constexpr std::size_t kBudget = 2 << 20;
  PrefixIndex index({.memory_bytes_max = kBudget});
  PrefixIndex::Reader reader(index);
  ASSERT_EQ(index.store(worker(9), chain({}, 1, 16)), ApplyStatus::applied);
  const auto hot = locals(1, 16);
  Rng rng(7);
  std::uint64_t next = 1000;
  for (int i = 0; i < 4000; ++i) {
    const std::size_t count = 1 + rng.below(i % 1000 == 0 ? 5000 : 40);
    const auto parent = rng.below(3) == 0 ? std::optional(EngineHash{1}) : std::nullopt;
    static_cast<void>(index.store(worker(parent ? 9 : rng.below(8)), chain(parent, next, count)));
    next += count;
    ASSERT_LE(index.stats().memory_bytes, kBudget + kBudget / 50) << i;
    if (i % 100 == 0) static_cast<void>(reader.find_matches(hot));
  }
  EXPECT_GT(index.stats().evicted_blocks, 20000u);
  EXPECT_GT(index.stats().distinct_blocks, 20000u);
  EXPECT_EQ(index.stats().refused_stores, 0u);
  EXPECT_EQ(scores_of(index, hot), (OverlapScores{{worker(9), 16}}));
  // A store that can never fit is refused, not half done.
  EXPECT_EQ(index.store(worker(1), chain({}, next, 1 << 20)), ApplyStatus::over_budget);
  EXPECT_EQ(index.stats().refused_stores, 1u);
}

TEST(PrefixIndex, ChurnEndsAtTheMemoryItBeganWith) {
  PrefixIndex index;
  Rng rng(3);
  const auto fill = [&](std::uint64_t generation) {
    for (std::uint64_t i = 0; i < 2000; ++i)
      ASSERT_EQ(index.store(worker(i % 4), chain({}, (generation * 2000 + i) * 64 + 1, 24)),
                ApplyStatus::applied);
  };
  fill(0);
  index.settle();
  const std::size_t before = index.stats().memory_bytes;
  for (std::uint64_t generation = 1; generation <= 3; ++generation) {
    fill(generation);
    for (std::uint64_t i = 0; i < 2000; ++i) {
      std::vector<EngineHash> names;
      for (std::uint64_t k = 24; k-- != 0;)
        names.push_back(EngineHash{((generation - 1) * 2000 + i) * 64 + 1 + k});
      if (rng.below(2) == 0) std::reverse(names.begin(), names.end());
      const ApplyStatus status = index.remove(worker(i % 4), names);
      ASSERT_TRUE(status == ApplyStatus::applied || status == ApplyStatus::block_not_found);
    }
  }
  index.settle();
  EXPECT_EQ(index.stats().distinct_blocks, 48000u);
  EXPECT_LT(index.stats().memory_bytes, before + before / 4);
}

}  // namespace
}  // namespace dynamo::kv_router::prefix_index_test
