// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/rng.h>
#include <dynamo/kv_router/active_sequences.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "kv_router/kv_cases.h"

namespace dynamo::kv_router::active_sequences_test {
namespace {

using tokens::SequenceHash;

WorkerKey worker(std::uint64_t id) {
  return {WorkerId{id}, DpRank{0}};
}

TEST(ActiveSequences, AgreeWithTheRecordedSteps) {
  const auto cases = kv_cases("scheduler_scenarios.json");
  if (!cases) GTEST_SKIP() << cases.error().message();
  for (const Json& scenario : *cases->find("active_sequences")->if_array()) {
    SCOPED_TRACE(*scenario.find("name")->if_string());
    ActiveSequences active;
    for (const Json& step : *scenario.find("steps")->if_array()) {
      if (const Json* add = step.find("add")) {
        const auto& pair = *add->if_array();
        std::vector<SequenceHash> prompt;
        for (const Json& hash : *pair[1].if_array())
          prompt.push_back(SequenceHash{*hash.as_uint64()});
        static_cast<void>(active.add({.request_id = *pair[0].if_string(),
                                      .worker = worker(1),
                                      .prompt = prompt,
                                      .prefill_tokens = *step.find("prefill_tokens")->as_uint64()},
                                     {}));
      } else if (const Json* free = step.find("free")) {
        static_cast<void>(active.free(*free->if_string()));
      } else if (const Json* complete = step.find("prefill_complete")) {
        static_cast<void>(active.complete_prefill(*complete->if_string()));
      } else {
        static_cast<void>(active.add_output_block(*step.find("output_block")->if_string(),
                                                  *step.find("decay_fraction")->as_double()));
      }
      if (const Json* expect = step.find("expect")) {
        EXPECT_EQ(active.load(worker(1)).decode_blocks, *(*expect->if_array())[0].as_uint64());
        EXPECT_EQ(active.load(worker(1)).prefill_tokens, *(*expect->if_array())[1].as_uint64());
      }
    }
  }
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
        ASSERT_EQ(active.free(id), model.erase(id) == 1);
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
    for (const auto& [name, request] : model) ASSERT_TRUE(active.free(name));
    for (std::uint64_t w = 0; w < 5; ++w) {
      ASSERT_EQ(active.load(worker(w)).decode_blocks, 0u);
      ASSERT_EQ(active.load(worker(w)).requests, 0u);
    }
  }
}

}  // namespace
}  // namespace dynamo::kv_router::active_sequences_test
