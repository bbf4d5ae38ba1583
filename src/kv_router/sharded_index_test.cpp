// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/rng.h>
#include <dynamo/kv_router/naive_index.h>
#include <dynamo/kv_router/sharded_index.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace dynamo::kv_router::sharded_index_test {
namespace {

OverlapScores scores_of(ShardedIndex::Reader& reader, std::span<const LocalHash> sequence) {
  OverlapScores scores;
  for (const WorkerOverlap& overlap : reader.find_matches(sequence))
    EXPECT_TRUE(scores.emplace(overlap.worker, overlap.blocks).second) << "reported twice";
  return scores;
}

/// Random events of some workers over a small tree of paths; names are proper: one for each prefix.
class World {
 public:
  World(std::uint64_t seed, std::uint64_t workers, std::size_t depth)
      : rng_(seed), known_(workers), depth_(depth), own_names_(seed % 3 == 0) {}

  RouterEvent next(std::uint64_t worker) {
    RouterEvent event;
    event.worker_id = WorkerId{worker};
    std::vector<Known>& known = known_[worker];
    const std::uint64_t dice = rng_.below(50);
    if (dice == 0) {
      event.event.data = KvCleared{};
      known.clear();
    } else if (dice < 32 || known.empty()) {
      KvStored stored;
      Known at;
      if (!known.empty() && rng_.below(4) != 0) {
        at = known[rng_.below(known.size())];
        stored.parent_hash = at.name;
      }
      for (std::size_t i = rng_.below(6) + 1; i != 0 && at.depth < depth_; --i) {
        const LocalHash local{1 + rng_.below(2)};
        at = {.name = name(worker, at.path * 4 + std::to_underlying(local)),
              .path = at.path * 4 + std::to_underlying(local),
              .depth = at.depth + 1};
        stored.blocks.push_back({at.name, local, std::nullopt});
        known.push_back(at);
      }
      event.event.data = std::move(stored);
    } else {
      KvRemoved removed;
      for (std::size_t i = rng_.below(4) + 1; i != 0; --i)
        removed.block_hashes.push_back(known[rng_.below(known.size())].name);
      event.event.data = std::move(removed);
    }
    if (known.size() > 500) known.erase(known.begin(), known.begin() + 250);
    return event;
  }
  std::vector<LocalHash> query() {
    std::vector<LocalHash> sequence(rng_.below(depth_ + 1));
    for (LocalHash& local : sequence) local = LocalHash{1 + rng_.below(2)};
    return sequence;
  }
  void forget(std::uint64_t worker) { known_[worker].clear(); }
  Rng& rng() { return rng_; }

 private:
  struct Known {
    EngineHash name{};
    std::uint64_t path = 0;
    std::size_t depth = 0;
  };
  EngineHash name(std::uint64_t worker, std::uint64_t path) const {
    std::uint64_t x = (path + (own_names_ ? worker << 48 : 0)) * 0x9e3779b97f4a7c15u;
    return EngineHash{x ^ x >> 29};
  }
  Rng rng_;
  std::vector<std::vector<Known>> known_;
  std::size_t depth_;
  bool own_names_;
};

TEST(ShardedIndex, EqualsTheModelOnceItsQueuesAreEmpty) {
  for (std::uint64_t seed = 0; seed < 12; ++seed) {
    SCOPED_TRACE(seed);
    World world(seed, 5, 12);
    ShardedIndex index({.shards = 1 + seed % 4, .route_blocks = 1 + seed % 6});
    ShardedIndex::Reader reader(index);
    NaiveIndex model;
    index.start();
    for (int burst = 0; burst < 8; ++burst) {
      for (int step = 0; step < 40; ++step) {
        const std::uint64_t worker = world.rng().below(5);
        if (world.rng().below(100) == 0) {
          index.worker_left(WorkerId{worker});
          model.remove_worker(WorkerId{worker});
          world.forget(worker);
          continue;
        }
        const RouterEvent event = world.next(worker);
        static_cast<void>(model.apply(event));
        ASSERT_TRUE(index.publish(event));
      }
      index.flush();
      for (int i = 0; i < 20; ++i) {
        const std::vector<LocalHash> sequence = world.query();
        ASSERT_EQ(scores_of(reader, sequence), model.find_matches(sequence));
      }
    }
  }
}

TEST(ShardedIndex, RefusesWhatItsQueuesCannotHoldAndSaysHowFarBehindItIs) {
  ShardedIndex index({.shards = 2, .queue_events_max = 3});
  const auto event = [](std::uint64_t block) {
    RouterEvent stored;
    stored.worker_id = WorkerId{1};
    stored.event.data = KvStored{{}, {}, {{EngineHash{block}, LocalHash{block}, std::nullopt}}};
    return stored;
  };
  for (std::uint64_t i = 1; i <= 3; ++i) EXPECT_TRUE(index.publish(event(i)));
  EXPECT_FALSE(index.publish(event(4)));
  EXPECT_EQ(index.stats().refused_events, 1u);
  EXPECT_EQ(index.stats().lag.at(1).events, 3u);
  EXPECT_EQ(index.stats().lag.at(1).blocks, 3u);
  index.start();
  index.flush();
  EXPECT_TRUE(index.publish(event(4)));
  index.stop();
  EXPECT_EQ(index.stats().lag.at(0).events, 0u);
  EXPECT_EQ(index.stats().stores.at(static_cast<std::size_t>(ApplyStatus::applied)), 4u);
  ShardedIndex::Reader reader(index);
  for (std::uint64_t i = 1; i <= 4; ++i)
    EXPECT_EQ(scores_of(reader, std::vector{LocalHash{i}}).size(), 1u);
}

TEST(ShardedIndex, WhatIsStillQueuedWhenItDiesIsApplied) {
  ShardedIndex index({.shards = 3});
  RouterEvent unknown;
  unknown.event.data = KvStored{EngineHash{7}, {}, {{EngineHash{8}, LocalHash{8}, std::nullopt}}};
  EXPECT_TRUE(index.publish(unknown));
  index.start();
  index.stop();
  EXPECT_EQ(index.stats().stores.at(static_cast<std::size_t>(ApplyStatus::parent_not_found)), 1u);
}

// Four producers, four writers, eight readers. Each lookup is recorded with the events of each
// worker that were surely applied before it began and may have been when it ended; afterwards the
// model says what the worker held at each of those moments.
TEST(ShardedIndexConcurrency, LookupsShowWhatWasHeldAtSomeMomentOfTheLookup) {
  constexpr std::uint64_t kWorkers = 4;
  constexpr std::size_t kReaders = 8;
  constexpr std::size_t kDepth = 6;
  constexpr int kEvents = 120;
  constexpr std::size_t kRecordsMost = 400;
  ShardedIndex index({.shards = 4, .route_blocks = 3, .queue_events_max = 64});
  index.start();

  struct alignas(64) Progress {
    std::atomic<std::uint32_t> published{0};
    std::atomic<std::uint32_t> applied{0};
  };
  std::array<Progress, kWorkers> progress;
  std::array<std::vector<RouterEvent>, kWorkers> history;
  for (std::uint64_t w = 0; w < kWorkers; ++w) {
    World world(100 + w, kWorkers, kDepth);
    for (int i = 0; i < kEvents; ++i) history[w].push_back(world.next(w));
  }
  struct Record {
    std::vector<LocalHash> sequence;
    std::array<std::uint32_t, kWorkers> from, to, found;
  };
  std::array<std::vector<Record>, kReaders> records;
  std::atomic<bool> done{false};

  std::vector<std::thread> readers;
  for (std::size_t r = 0; r < kReaders; ++r) {
    readers.emplace_back([&, r] {
      ShardedIndex::Reader reader(index);
      World world(r, 1, kDepth);
      while (!done.load(std::memory_order_acquire)) {
        Record record{.sequence = world.query(), .from = {}, .to = {}, .found = {}};
        for (std::uint64_t w = 0; w < kWorkers; ++w)
          record.from[w] = progress[w].applied.load(std::memory_order_acquire);
        for (const WorkerOverlap& overlap : reader.find_matches(record.sequence))
          record.found[std::to_underlying(overlap.worker.worker)] = overlap.blocks;
        for (std::uint64_t w = 0; w < kWorkers; ++w)
          record.to[w] = progress[w].published.load(std::memory_order_acquire);
        if (records[r].size() < kRecordsMost) records[r].push_back(std::move(record));
        std::this_thread::yield();
      }
    });
  }
  std::vector<std::thread> producers;
  for (std::uint64_t w = 0; w < kWorkers; ++w) {
    producers.emplace_back([&, w] {
      for (std::uint32_t i = 0; i < kEvents; ++i) {
        progress[w].published.store(i + 1, std::memory_order_release);
        while (!index.publish(history[w][i])) std::this_thread::yield();
        if (i % 4 != 0) continue;
        index.flush();
        progress[w].applied.store(i + 1, std::memory_order_release);
      }
    });
  }
  for (std::thread& producer : producers) producer.join();
  index.flush();
  done.store(true, std::memory_order_release);
  for (std::thread& reader : readers) reader.join();
  index.stop();

  // Scores of every possible query after every event, by worker.
  std::size_t checked = 0;
  for (std::uint64_t w = 0; w < kWorkers; ++w) {
    NaiveIndex model;
    std::vector<std::map<std::vector<LocalHash>, std::uint32_t>> held(1);
    std::vector<std::vector<LocalHash>> asked;
    for (const auto& of_reader : records)
      for (const Record& record : of_reader) asked.push_back(record.sequence);
    std::sort(asked.begin(), asked.end());
    asked.erase(std::unique(asked.begin(), asked.end()), asked.end());
    for (const RouterEvent& event : history[w]) {
      static_cast<void>(model.apply(event));
      auto& now = held.emplace_back();
      for (const auto& sequence : asked) {
        const OverlapScores scores = model.find_matches(sequence);
        if (!scores.empty()) now[sequence] = scores.begin()->second;
      }
    }
    for (const auto& of_reader : records) {
      for (const Record& record : of_reader) {
        std::uint32_t most = 0;
        for (std::uint32_t k = record.from[w]; k <= record.to[w]; ++k)
          if (const auto at = held[k].find(record.sequence); at != held[k].end())
            most = std::max(most, at->second);
        ASSERT_LE(record.found[w], most);
        ++checked;
      }
    }
  }
  EXPECT_GT(checked, 1000u);

  NaiveIndex model;
  for (std::uint64_t w = 0; w < kWorkers; ++w)
    for (const RouterEvent& event : history[w]) static_cast<void>(model.apply(event));
  ShardedIndex::Reader reader(index);
  World world(1, 1, kDepth);
  for (int i = 0; i < 300; ++i) {
    const std::vector<LocalHash> sequence = world.query();
    ASSERT_EQ(scores_of(reader, sequence), model.find_matches(sequence));
  }
}

}  // namespace
}  // namespace dynamo::kv_router::sharded_index_test
