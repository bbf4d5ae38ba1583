// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/rng.h>
#include <dynamo/kv_router/active_sequences.h>

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace dynamo::kv_router::active_sequences_test {
namespace {

using tokens::SequenceHash;

WorkerKey worker(std::uint64_t id) {
  return {WorkerId{id}, DpRank{0}};
}

TEST(ActiveSequences, AdditionalBlocksCountFromTheFirstThatIsNotInUse) {
  ActiveSequences active;
  const std::vector<SequenceHash> prompt{SequenceHash{1}, SequenceHash{2}, SequenceHash{3}};
  const std::vector<SequenceHash> tail{SequenceHash{2}, SequenceHash{3}};
  active.add_worker(worker(1));
  EXPECT_TRUE(active.add({.request_id = "a", .worker = worker(2), .prompt = prompt}, {}));
  EXPECT_TRUE(active.add({.request_id = "b", .worker = worker(3), .prompt = tail}, {}));
  EXPECT_TRUE(active.add(
      {.request_id = "c", .worker = worker(4), .prompt = std::span(prompt).first(2)}, {}));
  const auto additional = active.additional_blocks(prompt);
  EXPECT_EQ(std::vector<std::uint32_t>(additional.begin(), additional.end()),
            (std::vector<std::uint32_t>{3, 0, 3, 1}));
}

TEST(ActiveSequences, ForgottenRequestsExpire) {
  ActiveSequences active;
  const base::SteadyTime start{};
  for (int i = 0; i < 10; ++i)
    EXPECT_TRUE(active.add({.request_id = std::to_string(i),
                            .worker = worker(1),
                            .prompt = {},
                            .private_blocks = 2,
                            .prefill_tokens = 5},
                           start + std::chrono::seconds(i)));
  EXPECT_EQ(active.load(worker(1)).decode_blocks, 20u);
  EXPECT_EQ(active.expire(start + std::chrono::seconds(304)), 4u);
  EXPECT_EQ(active.load(worker(1)).prefill_tokens, 30u);
  EXPECT_EQ(active.load(worker(1)).requests, 6u);
}

struct PrefillFixture : testing::Test {
  void add(const char* id, std::uint64_t tokens, std::optional<std::chrono::milliseconds> takes) {
    ASSERT_TRUE(active.add({.request_id = id,
                            .worker = worker(1),
                            .prompt = {},
                            .prefill_tokens = tokens,
                            .prefill_duration = takes},
                           now));
  }
  std::uint64_t owed(int after_ms) {
    return active.load(worker(1), now + std::chrono::milliseconds(after_ms)).prefill_tokens;
  }
  ActiveSequences active;
  base::SteadyTime now{std::chrono::seconds(5)};
};
using ActivePrefill = PrefillFixture;

TEST_F(ActivePrefill, IsComputedOneRequestAfterTheOther) {
  add("a", 100, std::chrono::milliseconds(10));
  add("b", 300, std::chrono::milliseconds(20));
  EXPECT_EQ(owed(0), 400u);
  EXPECT_EQ(owed(5), 350u);
  EXPECT_EQ(owed(10), 300u);
  EXPECT_EQ(owed(20), 150u);  // spills over
  EXPECT_EQ(owed(100), 0u);
  EXPECT_EQ(active.load(worker(1)).prefill_tokens, 400u);
}

TEST_F(ActivePrefill, OnlyTheOldestDecaysWhileOneHasNoDuration) {
  add("a", 100, std::chrono::milliseconds(10));
  add("b", 300, std::nullopt);
  EXPECT_EQ(owed(5), 350u);
  EXPECT_EQ(owed(100), 300u);
}

TEST_F(ActivePrefill, TheNextBeginsWhenTheOldestIsDone) {
  add("a", 100, std::chrono::milliseconds(10));
  add("b", 300, std::chrono::milliseconds(20));
  now += std::chrono::milliseconds(15);
  EXPECT_TRUE(active.complete_prefill("a", now));
  EXPECT_EQ(owed(0), 300u);
  EXPECT_EQ(owed(10), 150u);
  EXPECT_TRUE(active.complete_prefill("a", now));  // again, harmless
  EXPECT_TRUE(active.free("b", now));
  EXPECT_EQ(owed(0), 0u);
}

TEST_F(ActivePrefill, WhatAYoungerOneTookIsNotTheOldestOnesTime) {
  add("a", 100, std::chrono::milliseconds(10));
  add("b", 300, std::chrono::milliseconds(4));
  now += std::chrono::milliseconds(6);
  EXPECT_TRUE(active.complete_prefill("b", now));
  EXPECT_EQ(owed(0), 80u);
  EXPECT_EQ(owed(4), 40u);
}

TEST(ActiveSequences, AnyOrderOfAddsAndFreesLeavesNothing) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    Rng rng(seed);
    ActiveSequences active;
    std::map<std::string, std::pair<std::uint64_t, std::set<std::uint64_t>>> model;
    for (int step = 0; step < 400; ++step) {
      const std::string id = "r" + std::to_string(rng.below(30));
      const std::uint64_t dice = rng.below(10);
      if (dice < 4) {
        const std::uint64_t w = rng.below(5);
        std::vector<SequenceHash> prompt;
        std::set<std::uint64_t> blocks;
        for (std::uint64_t i = rng.below(8); i != 0; --i) {
          prompt.push_back(SequenceHash{rng.below(12)});
          blocks.insert(static_cast<std::uint64_t>(prompt.back()));
        }
        const bool added =
            active.add({.request_id = id, .worker = worker(w), .prompt = prompt}, {});
        ASSERT_EQ(added, !model.contains(id));
        if (added) model[id] = {w, blocks};
      } else if (dice < 8) {
        ASSERT_EQ(active.free(id, {}), model.erase(id) == 1);
      } else if (dice == 8) {
        const std::uint64_t w = rng.below(5);
        active.remove_worker(worker(w));
        std::erase_if(model, [&](const auto& entry) { return entry.second.first == w; });
      }
      for (std::uint64_t w = 0; w < 5; ++w) {
        std::set<std::uint64_t> distinct;
        for (const auto& [name, request] : model)
          if (request.first == w) distinct.insert(request.second.begin(), request.second.end());
        ASSERT_EQ(active.load(worker(w)).decode_blocks, distinct.size());
      }
    }
    // Fractions come and go without a remainder.
    for (const auto& [name, request] : model)
      for (double part : {0.7, 0.31, 1.0 / 3}) ASSERT_TRUE(active.add_output_block(name, part));
    for (const auto& [name, request] : model) ASSERT_TRUE(active.free(name, {}));
    for (std::uint64_t w = 0; w < 5; ++w) {
      ASSERT_EQ(active.load(worker(w)).decode_blocks, 0u);
      ASSERT_EQ(active.load(worker(w)).requests, 0u);
    }
  }
}

}  // namespace
}  // namespace dynamo::kv_router::active_sequences_test
