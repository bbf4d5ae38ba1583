// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/rng.h>

#include <array>
#include <set>

#include <gtest/gtest.h>

namespace dynamo::base::rng_test {
namespace {

TEST(Rng, FollowsTheReferenceSequence) {
  // xoshiro256** whose state is the first four outputs of SplitMix64, computed from the published
  // algorithms; seed 0 is the sequence other implementations document.
  constexpr std::array<std::uint64_t, 5> kSeed0{11091344671253066420u, 13793997310169335082u,
                                                1900383378846508768u, 7684712102626143532u,
                                                13521403990117723737u};
  constexpr std::array<std::uint64_t, 5> kSeed1234567{3504822795582309479u, 1819558768956484042u,
                                                      1250851346055027673u, 16940231675099994102u,
                                                      11585879347611423030u};
  Rng zero(0);
  for (const std::uint64_t expected : kSeed0) EXPECT_EQ(zero(), expected);
  Rng other(1234567);
  for (const std::uint64_t expected : kSeed1234567) EXPECT_EQ(other(), expected);
}

TEST(Rng, BelowStaysBelowAndReachesEverything) {
  Rng rng(1);
  std::array<int, 7> counts{};
  for (int i = 0; i < 7000; ++i) ++counts.at(rng.below(7));
  for (const int count : counts) {
    EXPECT_GT(count, 850);
    EXPECT_LT(count, 1150);
  }
  for (int i = 0; i < 100; ++i) EXPECT_EQ(rng.below(1), 0u);
  const std::uint64_t large = (std::uint64_t{1} << 63) + 1;
  for (int i = 0; i < 100; ++i) EXPECT_LT(rng.below(large), large);
}

TEST(Rng, UniformIsInTheHalfOpenUnitInterval) {
  Rng rng(2);
  double sum = 0;
  for (int i = 0; i < 10000; ++i) {
    const double value = rng.uniform();
    ASSERT_GE(value, 0);
    ASSERT_LT(value, 1);
    sum += value;
  }
  EXPECT_NEAR(sum / 10000, 0.5, 0.02);
}

TEST(Rng, EntropySeedsDiffer) {
  std::set<std::uint64_t> first;
  for (int i = 0; i < 16; ++i) first.insert(Rng::from_entropy()());
  EXPECT_EQ(first.size(), 16u);
}

}  // namespace
}  // namespace dynamo::base::rng_test
