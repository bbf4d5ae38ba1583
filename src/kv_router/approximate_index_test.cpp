// SPDX-License-Identifier: Apache-2.0
#include <dynamo/kv_router/approximate_index.h>

#include <vector>

#include <gtest/gtest.h>

namespace dynamo::kv_router::approximate_index_test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

struct Fixture : testing::Test {
  void route(std::uint64_t worker, std::size_t count) {
    index.routed({WorkerId{worker}, DpRank{0}}, std::span(blocks).first(count),
                 std::span(names).first(count), now);
  }
  std::uint32_t held(std::uint64_t worker) {
    for (const WorkerOverlap& overlap : reader.find_matches(blocks))
      if (overlap.worker.worker == WorkerId{worker}) return overlap.blocks;
    return 0;
  }
  Fixture() {
    for (std::uint64_t i = 1; i <= 8; ++i) blocks.push_back(LocalHash{i});
    names.resize(8);
    tokens::sequence_hashes(blocks, names);
  }
  ApproximateIndex index;
  PrefixIndex::Reader reader{index.index()};
  std::vector<LocalHash> blocks;
  std::vector<tokens::SequenceHash> names;
  base::SteadyTime now = base::SteadyTime{} + milliseconds(50);
};
using ApproximateIndexTest = Fixture;

TEST_F(ApproximateIndexTest, RoutedBlocksAreHeldForTheirTime) {
  route(1, 8);
  EXPECT_EQ(held(1), 8u);
  EXPECT_EQ(index.next_expiry(), base::SteadyTime{} + seconds(120) + milliseconds(100));
  EXPECT_EQ(index.expire(now + seconds(120)), 0u);
  EXPECT_EQ(index.expire(now + seconds(120) + milliseconds(50)), 8u);
  EXPECT_EQ(held(1), 0u);
  EXPECT_FALSE(index.next_expiry());
}

TEST_F(ApproximateIndexTest, RoutingAgainRenewsThePrefixOnly) {
  route(1, 8);
  now += seconds(60);
  route(1, 3);
  EXPECT_EQ(index.expire(now + seconds(61)), 5u);
  EXPECT_EQ(held(1), 3u);
  EXPECT_EQ(index.expire(now + seconds(121)), 3u);
  EXPECT_EQ(held(1), 0u);
}

TEST_F(ApproximateIndexTest, AWorkerThatReturnedIsNotExpiredByItsFormerLife) {
  route(1, 8);
  index.remove_worker(WorkerId{1});
  EXPECT_EQ(held(1), 0u);
  now += seconds(100);
  route(1, 8);
  EXPECT_EQ(index.expire(now + seconds(50)), 0u);
  EXPECT_EQ(held(1), 8u);
}

// Routes a chain of its own for each request; returns how many blocks of it the worker holds.
struct Chains {
  explicit Chains(ApproximateIndexOptions options) : index(options), reader(index.index()) {}
  void route(std::uint64_t chain, std::size_t count, base::SteadyTime now) {
    const auto blocks = blocks_of(chain);
    index.routed({WorkerId{1}, DpRank{0}}, std::span(blocks).first(count),
                 tokens::sequence_hashes(blocks), now);
  }
  std::uint32_t held(std::uint64_t chain) {
    const auto found = reader.find_matches(blocks_of(chain));
    return found.empty() ? 0 : found[0].blocks;
  }
  static std::vector<LocalHash> blocks_of(std::uint64_t chain) {
    std::vector<LocalHash> out;
    for (std::uint64_t i = 0; i < 10; ++i) out.push_back(LocalHash{chain * 100 + i});
    return out;
  }
  ApproximateIndex index;
  PrefixIndex::Reader reader;
};

TEST(ApproximateIndex, AboveItsSizeTheLeastRecentlyRoutedTailsGo) {
  Chains chains({.policy = ApproximatePolicy::lru, .blocks_max = 30, .prune_target_ratio = 0.8});
  base::SteadyTime now{seconds(1)};
  for (std::uint64_t chain = 1; chain <= 3; ++chain) chains.route(chain, 10, now);
  chains.route(1, 4, now);  // the head of the first is used again
  chains.route(4, 10, now);
  // 40 became 24: the rest of the first, and the second; of the third nothing.
  EXPECT_EQ(chains.index.blocks(), 24u);
  EXPECT_EQ(chains.held(1), 4u);
  EXPECT_EQ(chains.held(2), 0u);
  EXPECT_EQ(chains.held(3), 10u);
  EXPECT_EQ(chains.held(4), 10u);
  EXPECT_EQ(chains.index.expire(now + seconds(100000)), 0u);
  EXPECT_FALSE(chains.index.next_expiry());
}

TEST(ApproximateIndex, OfOneRequestTheDeepestBlocksGoFirst) {
  Chains chains({.blocks_max = 15, .prune_target_ratio = 0.8});
  chains.route(1, 10, {});
  chains.route(2, 10, {});
  EXPECT_EQ(chains.index.blocks(), 12u);
  EXPECT_EQ(chains.held(1), 2u);
  EXPECT_EQ(chains.held(2), 10u);
}

TEST(ApproximateIndex, RenewingForeverTakesNoMoreMemory) {
  Chains chains({.policy = ApproximatePolicy::lru});
  base::SteadyTime now{};
  for (int i = 0; i < 20'000; ++i) chains.route(1, 10, now += milliseconds(10));
  EXPECT_EQ(chains.index.blocks(), 10u);
  EXPECT_EQ(chains.held(1), 10u);
}

}  // namespace
}  // namespace dynamo::kv_router::approximate_index_test
