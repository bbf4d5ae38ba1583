// SPDX-License-Identifier: Apache-2.0
// indexer_scenarios.json: each scenario runs on the naive model and on the exact index.
#include <dynamo/kv_router/naive_index.h>
#include <dynamo/kv_router/prefix_index.h>

#include <algorithm>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "kv_cases.h"

namespace dynamo::conformance {
namespace {

using namespace kv_router;

std::string shown(const OverlapScores& scores) {
  std::string out;
  for (const auto& [worker, blocks] : scores) out += fmt::format("{}={} ", label(worker), blocks);
  return out;
}

OverlapScores find(const NaiveIndex& index, const std::vector<LocalHash>& sequence, bool) {
  return index.find_matches(sequence);
}
OverlapScores find(PrefixIndex& index, const std::vector<LocalHash>& sequence, bool early_exit) {
  PrefixIndex::Reader reader(index);
  OverlapScores scores;
  for (const WorkerOverlap& overlap : reader.find_matches(sequence, early_exit))
    scores[overlap.worker] = overlap.blocks;
  return scores;
}

// With an early exit any depth from 1 to the exact one will do.
bool agrees(const OverlapScores& got, const Json& expect, bool early_exit) {
  const JsonObject* expected = expect.if_object();
  if (expected == nullptr || got.size() != expected->size()) return false;
  return std::all_of(got.begin(), got.end(), [&](const auto& entry) {
    const Json* depth = expected->find(label(entry.first));
    if (depth == nullptr) return false;
    const std::uint64_t exact = depth->as_uint64().value_or(0);
    return early_exit ? entry.second >= 1 && entry.second <= exact : entry.second == exact;
  });
}

std::vector<std::string> dump_lines(const std::vector<DumpedBlock>& dump) {
  std::vector<std::string> lines;
  for (const DumpedBlock& block : dump)
    lines.push_back(fmt::format("{} {:#018x} {:#018x} {:#018x}", label(block.worker),
                                block.parent ? std::to_underlying(*block.parent) : 0,
                                std::to_underlying(block.tokens_hash),
                                std::to_underlying(block.block_hash)));
  std::sort(lines.begin(), lines.end());
  return lines;
}

template <class Index>
void apply(Index& index, const Json& op, const std::string& kind) {
  const WorkerKey worker{WorkerId{number_of(op, "worker_id")},
                         DpRank{static_cast<std::uint32_t>(number_of(op, "dp_rank"))}};
  if (kind == "store") {
    KvStored stored;
    if (const Json* parent = op.find("parent_hash"); parent != nullptr && !parent->is_null())
      stored.parent_hash = EngineHash{hash_of(parent)};
    for (const Json& block : list_of(op, "blocks"))
      stored.blocks.push_back({EngineHash{hash_of(block.find("block_hash"))},
                               LocalHash{hash_of(block.find("tokens_hash"))}, std::nullopt});
    static_cast<void>(index.store(worker, stored));
  } else if (kind == "remove") {
    std::vector<EngineHash> hashes;
    for (const Json& hash : list_of(op, "block_hashes"))
      hashes.push_back(EngineHash{hash_of(&hash)});
    static_cast<void>(index.remove(worker, hashes));
  } else if (kind == "clear") {
    index.clear(worker);
  } else {
    index.remove_worker(worker.worker);
  }
}

template <class Index>
void run_scenario(const Json& scenario, std::string_view index_name, Tally& tally) {
  const std::string name = fmt::format("{} {}", index_name, text_of(scenario, "name"));
  Index index;
  std::size_t step = 0;
  for (const Json& op : list_of(scenario, "ops")) {
    ++step;
    const std::string kind = text_of(op, "op");
    if (kind != "find") {
      apply(index, op, kind);
      continue;
    }
    std::vector<LocalHash> sequence;
    for (const Json& hash : list_of(op, "sequence")) sequence.push_back(LocalHash{hash_of(&hash)});
    const bool early_exit = flag_of(op, "early_exit");
    const OverlapScores scores = find(index, sequence, early_exit);
    const Json* expect = op.find("expect");
    if (expect == nullptr || !agrees(scores, *expect, early_exit))
      return tally.fail(fmt::format("{}, operation {}", name, step),
                        expect == nullptr ? "(nothing)" : expect->dump(), shown(scores));
  }
  // The reference's dump gives every worker the first reporter's names; ours keeps their own.
  if (text_of(scenario, "name") != "workers_disagree_on_engine_hash") {
    std::vector<std::string> expected;
    for (const Json& row : list_of(scenario, "final_dump"))
      expected.push_back(fmt::format("{}:{} {:#018x} {:#018x} {:#018x}",
                                     row.at(0)->as_uint64().value_or(0),
                                     row.at(1)->as_uint64().value_or(0), hash_of(row.at(2)),
                                     hash_of(row.at(3)), hash_of(row.at(4))));
    std::sort(expected.begin(), expected.end());
    const std::vector<std::string> got = dump_lines(index.dump());
    if (got != expected)
      return tally.fail(name + ", final dump", fmt::format("{}", fmt::join(expected, "\n")),
                        fmt::format("{}", fmt::join(got, "\n")));
  }
  tally.pass();
}

}  // namespace

void run_index_scenarios(const Json& file, Tally& tally) {
  for (const Json& scenario : list_of(file, "scenarios")) {
    run_scenario<NaiveIndex>(scenario, "model", tally);
    run_scenario<PrefixIndex>(scenario, "index", tally);
  }
}

}  // namespace dynamo::conformance
