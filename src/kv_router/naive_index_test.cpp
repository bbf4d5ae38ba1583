// SPDX-License-Identifier: Apache-2.0
#include <dynamo/kv_router/naive_index.h>

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "kv_router/kv_cases.h"

namespace dynamo::kv_router::naive_index_test {
namespace {

WorkerKey key_of(const Json& op) {
  const Json* rank = op.find("dp_rank");
  return {WorkerId{*op.find("worker_id")->as_uint64()},
          DpRank{rank == nullptr ? 0 : static_cast<std::uint32_t>(*rank->as_uint64())}};
}

KvStored stored_of(const Json& op) {
  KvStored out;
  if (const Json* parent = op.find("parent_hash"); parent != nullptr && !parent->is_null())
    out.parent_hash = EngineHash{hash_of(*parent)};
  for (const Json& block : *op.find("blocks")->if_array()) {
    out.blocks.push_back({EngineHash{hash_of(*block.find("block_hash"))},
                          LocalHash{hash_of(*block.find("tokens_hash"))}, std::nullopt});
  }
  return out;
}

OverlapScores expected_of(const Json& scores) {
  OverlapScores out;
  for (const auto& [name, depth] : *scores.if_object()) {
    const std::size_t colon = name.find(':');
    out[{WorkerId{std::stoull(name.substr(0, colon))},
         DpRank{static_cast<std::uint32_t>(std::stoul(name.substr(colon + 1)))}}] =
        static_cast<std::uint32_t>(*depth.as_uint64());
  }
  return out;
}

TEST(NaiveIndex, AgreesWithTheRecordedScenarios) {
  const auto cases = kv_cases("indexer_scenarios.json");
  if (!cases) GTEST_SKIP() << cases.error().message();
  std::size_t looked = 0;
  for (const Json& scenario : *cases->find("scenarios")->if_array()) {
    SCOPED_TRACE(*scenario.find("name")->if_string());
    NaiveIndex index;
    for (const Json& op : *scenario.find("ops")->if_array()) {
      const std::string& kind = *op.find("op")->if_string();
      if (kind == "store") {
        static_cast<void>(index.store(key_of(op), stored_of(op)));
      } else if (kind == "remove") {
        std::vector<EngineHash> hashes;
        for (const Json& hash : *op.find("block_hashes")->if_array())
          hashes.push_back(EngineHash{hash_of(hash)});
        static_cast<void>(index.remove(key_of(op), hashes));
      } else if (kind == "clear") {
        index.clear(key_of(op));
      } else if (kind == "remove_worker") {
        index.remove_worker(WorkerId{*op.find("worker_id")->as_uint64()});
      } else if (kind == "find") {
        std::vector<LocalHash> sequence;
        for (const Json& hash : *op.find("sequence")->if_array())
          sequence.push_back(LocalHash{hash_of(hash)});
        EXPECT_EQ(index.find_matches(sequence), expected_of(*op.find("expect")));
        ++looked;
      } else {
        ADD_FAILURE() << "unknown operation " << kind;
      }
    }
  }
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
