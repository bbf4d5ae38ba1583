// SPDX-License-Identifier: Apache-2.0
#include <dynamo/kv_router/worker_caches.h>

#include <vector>

#include <gtest/gtest.h>

namespace dynamo::kv_router::worker_caches_test {
namespace {

using std::chrono::seconds;
constexpr WorkerKey kFirst{WorkerId{0}, DpRank{0}};
constexpr WorkerKey kSecond{WorkerId{1}, DpRank{0}};
constexpr PublisherId kPublisher{5};

struct Fixture : testing::Test {
  Fixture() {
    for (std::uint64_t i = 1; i <= 8; ++i) blocks.push_back(LocalHash{i});
    sequence = tokens::sequence_hashes(blocks);
    candidates[0].worker = kFirst;
    candidates[1].worker = kSecond;
  }
  // The worker stores the first `count` blocks.
  static RouterEvent stored(WorkerKey worker, std::uint64_t id, std::size_t count,
                            StorageTier tier = StorageTier::device) {
    KvStored data;
    for (std::uint64_t i = 1; i <= count; ++i)
      data.blocks.push_back({EngineHash{i * 1000}, LocalHash{i}, std::nullopt});
    RouterEvent out;
    out.worker_id = worker.worker;
    out.storage_tier = tier;
    out.event = {.event_id = id, .data = std::move(data), .dp_rank = worker.rank};
    return out;
  }
  const Candidate& look(WorkerCaches& caches, std::size_t which) {
    caches.fill(blocks, sequence, {}, 16, candidates);
    return candidates[which];
  }
  std::vector<LocalHash> blocks;
  std::vector<tokens::SequenceHash> sequence;
  std::vector<Candidate> candidates{2};
  base::SteadyTime now{seconds(1)};
};
using WorkerCachesTest = Fixture;

TEST_F(WorkerCachesTest, EventsBecomeOverlap) {
  WorkerCaches caches;
  caches.on_event(kPublisher, stored(kFirst, 1, 3), now);
  EXPECT_EQ(look(caches, 0).overlap->device_blocks, 3u);
  EXPECT_EQ(candidates[0].effective_cached_tokens, 48u);
  EXPECT_FALSE(candidates[0].approximate());
  EXPECT_EQ(candidates[1].overlap->device_blocks, 0u);
  EXPECT_TRUE(candidates[1].approximate());  // nothing was ever heard of it
  caches.remove_worker(kFirst.worker);
  EXPECT_EQ(look(caches, 0).overlap->device_blocks, 0u);
}

TEST_F(WorkerCachesTest, AWorkerWithAGapCountsApproximatelyUntilItIsRecovered) {
  WorkerCaches caches({.routed = ApproximateIndexOptions{}});
  caches.add_source(kFirst, kPublisher, true, now);
  auto questions = caches.take_questions();
  ASSERT_EQ(questions.size(), 1u);
  caches.answer(kFirst, questions[0].id, QueriedDump{{stored(kFirst, 0, 2)}, 10}, now);
  EXPECT_EQ(look(caches, 0).overlap->device_blocks, 2u);
  EXPECT_FALSE(candidates[0].approximate());

  // What is routed there does not count while its events are complete.
  caches.routed(kFirst, blocks, sequence, now);
  EXPECT_EQ(look(caches, 0).overlap->device_blocks, 2u);

  caches.on_event(kPublisher, stored(kFirst, 13, 4), now);
  EXPECT_EQ(look(caches, 0).freshness, Freshness::recovering);
  EXPECT_EQ(candidates[0].overlap->device_blocks, 8u);
  EXPECT_TRUE(candidates[0].predicted);
  Selector selector;
  const Selection chosen =
      selector.select({.isl_tokens = 128, .pinned = kFirst}, candidates).value();
  EXPECT_TRUE(chosen.approximate);

  questions = caches.take_questions();
  ASSERT_EQ(questions.size(), 1u);
  EXPECT_EQ(questions[0].from, 11u);
  caches.answer(kFirst, questions[0].id,
                QueriedEvents{{stored(kFirst, 11, 3), stored(kFirst, 12, 1)}, 12}, now);
  EXPECT_EQ(look(caches, 0).overlap->device_blocks, 4u);
  EXPECT_FALSE(candidates[0].approximate());
}

TEST_F(WorkerCachesTest, ALostSourceKeepsCountingAndSaysSo) {
  WorkerCaches caches;
  caches.on_event(kPublisher, stored(kFirst, 1, 3), now);
  caches.lose_source(kFirst, now);
  EXPECT_EQ(look(caches, 0).overlap->device_blocks, 3u);
  EXPECT_EQ(candidates[0].freshness, Freshness::lost);
}

TEST_F(WorkerCachesTest, PredictionsCountForEveryoneWhenAskedFor) {
  WorkerCaches caches(
      {.routed = ApproximateIndexOptions{.ttl = seconds(2)}, .predict_on_route = true});
  caches.on_event(kPublisher, stored(kFirst, 1, 3), now);
  caches.routed(kFirst, std::span(blocks).first(5), sequence, now);
  EXPECT_EQ(look(caches, 0).overlap->device_blocks, 5u);
  EXPECT_TRUE(candidates[0].predicted);
  now = *caches.next_deadline();
  caches.on_time(now);
  EXPECT_EQ(look(caches, 0).overlap->device_blocks, 3u);
  EXPECT_FALSE(candidates[0].predicted);
}

TEST_F(WorkerCachesTest, LowerTiersAreFollowedWhenAskedFor) {
  WorkerCaches without;
  without.on_event(kPublisher, stored(kFirst, 1, 3, StorageTier::host_pinned), now);
  EXPECT_EQ(look(without, 0).overlap->host_blocks, 0u);
  EXPECT_EQ(without.stats().other_tiers, 1u);

  WorkerCaches caches({.lower_tiers = LowerTierIndex::Options{}});
  caches.on_event(kPublisher, stored(kFirst, 1, 2), now);
  caches.on_event(kPublisher, stored(kFirst, 2, 6, StorageTier::host_pinned), now);
  EXPECT_EQ(look(caches, 0).overlap->device_blocks, 2u);
  EXPECT_EQ(candidates[0].overlap->host_blocks, 4u);
  EXPECT_EQ(candidates[0].effective_cached_tokens, 80u);  // 16 * (2 + 0.75 * 4)
}

TEST_F(WorkerCachesTest, OfOwnersOfCachesNothingIsFollowed) {
  WorkerCaches caches;
  RouterEvent event = stored(kFirst, 1, 3);
  event.residency_domain = ResidencyDomain::cache_owner;
  caches.on_event(kPublisher, event, now);
  EXPECT_EQ(caches.stats().unsupported_domains, 1u);
  EXPECT_EQ(look(caches, 0).overlap->device_blocks, 0u);
}

TEST_F(WorkerCachesTest, AStreamThatWentBackIsTakenAnew) {
  WorkerCaches caches;
  caches.add_source(kFirst, kPublisher, true, now);
  caches.answer(kFirst, caches.take_questions().at(0).id, QueriedDump{{stored(kFirst, 0, 2)}, 10},
                now);
  caches.on_event(kPublisher, stored(kFirst, 12, 1), now);
  caches.answer(kFirst, caches.take_questions().at(0).id, QueryTooNew{11, 11, 3}, now);
  EXPECT_EQ(look(caches, 0).overlap->device_blocks, 0u);
  const auto questions = caches.take_questions();
  ASSERT_EQ(questions.size(), 1u);
  EXPECT_FALSE(questions[0].from);
}

}  // namespace
}  // namespace dynamo::kv_router::worker_caches_test
