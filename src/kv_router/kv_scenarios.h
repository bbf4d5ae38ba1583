// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/kv_router/index_types.h>

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "kv_router/kv_cases.h"

namespace dynamo::kv_router {

inline WorkerKey scenario_worker(const Json& op) {
  const Json* rank = op.find("dp_rank");
  return {WorkerId{*op.find("worker_id")->as_uint64()},
          DpRank{rank == nullptr ? 0 : static_cast<std::uint32_t>(*rank->as_uint64())}};
}

inline KvStored scenario_store(const Json& op) {
  KvStored out;
  if (const Json* parent = op.find("parent_hash"); parent != nullptr && !parent->is_null())
    out.parent_hash = EngineHash{hash_of(*parent)};
  for (const Json& block : *op.find("blocks")->if_array()) {
    out.blocks.push_back({EngineHash{hash_of(*block.find("block_hash"))},
                          LocalHash{hash_of(*block.find("tokens_hash"))}, std::nullopt});
  }
  return out;
}

inline OverlapScores scenario_scores(const Json& scores) {
  OverlapScores out;
  for (const auto& [name, depth] : *scores.if_object()) {
    const std::size_t colon = name.find(':');
    out[{WorkerId{std::stoull(name.substr(0, colon))},
         DpRank{static_cast<std::uint32_t>(std::stoul(name.substr(colon + 1)))}}] =
        static_cast<std::uint32_t>(*depth.as_uint64());
  }
  return out;
}

/// Runs every recorded scenario on a new `Index`; `find(index, sequence, early_exit)` gives its
/// scores. Returns the number of lookups compared.
template <class Index, class Find>
std::size_t run_scenarios(const Json& cases, Find&& find) {
  std::size_t looked = 0;
  for (const Json& scenario : *cases.find("scenarios")->if_array()) {
    SCOPED_TRACE(*scenario.find("name")->if_string());
    Index index;
    for (const Json& op : *scenario.find("ops")->if_array()) {
      const std::string& kind = *op.find("op")->if_string();
      if (kind == "store") {
        static_cast<void>(index.store(scenario_worker(op), scenario_store(op)));
      } else if (kind == "remove") {
        std::vector<EngineHash> hashes;
        for (const Json& hash : *op.find("block_hashes")->if_array())
          hashes.push_back(EngineHash{hash_of(hash)});
        static_cast<void>(index.remove(scenario_worker(op), hashes));
      } else if (kind == "clear") {
        index.clear(scenario_worker(op));
      } else if (kind == "remove_worker") {
        index.remove_worker(WorkerId{*op.find("worker_id")->as_uint64()});
      } else if (kind == "find") {
        std::vector<LocalHash> sequence;
        for (const Json& hash : *op.find("sequence")->if_array())
          sequence.push_back(LocalHash{hash_of(hash)});
        const OverlapScores expected = scenario_scores(*op.find("expect"));
        EXPECT_EQ(find(index, sequence, false), expected);
        const Json* early = op.find("early_exit");
        if (early != nullptr && early->if_bool() != nullptr && *early->if_bool()) {
          const OverlapScores scores = find(index, sequence, true);
          EXPECT_EQ(scores.size(), expected.size());
          for (const auto& [worker, depth] : scores) {
            EXPECT_GE(depth, 1u);
            EXPECT_LE(depth, expected.at(worker));
          }
        }
        ++looked;
      } else {
        ADD_FAILURE() << "unknown operation " << kind;
      }
    }
  }
  return looked;
}

}  // namespace dynamo::kv_router
