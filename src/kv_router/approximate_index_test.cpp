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

}  // namespace
}  // namespace dynamo::kv_router::approximate_index_test
