// SPDX-License-Identifier: Apache-2.0
// Cases of the KV router: hash_vectors.json and indexer_scenarios.json. An index scenario runs on
// the naive model and on the exact index.
#include <dynamo/kv_router/naive_index.h>
#include <dynamo/kv_router/prefix_index.h>
#include <dynamo/tokens/hash.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "kinds.h"

namespace dynamo::conformance {
namespace {

using namespace kv_router;

/// "0x" and 16 hex digits; a malformed one is 0, which no case file contains by accident.
std::uint64_t hash_of(const Json* value) {
  if (value == nullptr || value->if_string() == nullptr) return 0;
  const std::string& text = *value->if_string();
  std::uint64_t hash = 0;
  if (text.starts_with("0x")) std::from_chars(text.data() + 2, text.data() + text.size(), hash, 16);
  return hash;
}

std::uint64_t number_of(const Json& object, std::string_view name, std::uint64_t otherwise = 0) {
  const Json* value = object.find(name);
  return value == nullptr ? otherwise : value->as_uint64().value_or(otherwise);
}

std::string text_of(const Json& object, std::string_view name) {
  const Json* value = object.find(name);
  return value == nullptr || value->if_string() == nullptr ? std::string() : *value->if_string();
}

const Json::Array& list_of(const Json& object, std::string_view name) {
  static const Json::Array empty;
  const Json* value = object.find(name);
  return value == nullptr || value->if_array() == nullptr ? empty : *value->if_array();
}

Result<const Json::Array*> member(const Json& file, const std::string& path, const char* name) {
  const Json* value = file.find(name);
  if (value == nullptr || value->if_array() == nullptr)
    return fail(Errc::invalid_argument, path + ": expected an array \"" + name + "\"");
  return value->if_array();
}

std::string shown(const std::vector<std::uint64_t>& hashes) {
  std::string out;
  for (const std::uint64_t hash : hashes) out += fmt::format("{:#018x} ", hash);
  return out;
}

void run_hashes(const Json& vector, Tally& tally) {
  const std::string name = text_of(vector, "name");
  std::vector<tokens::Token> prompt;
  for (const Json& token : list_of(vector, "tokens"))
    prompt.push_back(static_cast<tokens::Token>(token.as_uint64().value_or(0)));
  std::vector<tokens::BlockMmHashes> mm_hashes;
  for (const Json& info : list_of(vector, "block_mm_infos")) {
    mm_hashes.emplace_back();
    for (const Json& object : list_of(info, "mm_objects"))
      mm_hashes.back().push_back(hash_of(object.find("mm_hash")));
  }
  const Json* eagle = vector.find("is_eagle");
  const tokens::BlockHashOptions options{
      .salt =
          tokens::request_salt(text_of(vector, "lora_name"), text_of(vector, "cache_namespace")),
      .eagle = eagle != nullptr && eagle->if_bool() != nullptr && *eagle->if_bool(),
      .mm_hashes = mm_hashes};
  const auto blocks = tokens::hash_blocks(prompt, number_of(vector, "block_size"), options);
  std::vector<std::uint64_t> expected{hash_of(vector.find("seed"))};
  for (const Json& hash : list_of(vector, "block_hashes")) expected.push_back(hash_of(&hash));
  for (const Json& hash : list_of(vector, "sequence_hashes")) expected.push_back(hash_of(&hash));
  std::vector<std::uint64_t> got{std::to_underlying(options.salt)};
  for (const tokens::BlockHash hash : blocks) got.push_back(std::to_underlying(hash));
  for (const tokens::SequenceHash hash : tokens::sequence_hashes(blocks))
    got.push_back(std::to_underlying(hash));
  if (got == expected) {
    tally.pass();
  } else {
    tally.fail(name, shown(expected), shown(got));
  }
}

std::string label(WorkerKey worker) {
  return fmt::format("{}:{}", static_cast<std::uint64_t>(worker.worker),
                     static_cast<std::uint32_t>(worker.rank));
}

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
    const Json* early = op.find("early_exit");
    const bool early_exit = early != nullptr && early->if_bool() != nullptr && *early->if_bool();
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

Result<void> run_kv(const Options& options, Tally& tally) {
  for (const std::string& path : options.files) {
    DYN_TRY(const Json file, read_json(path));
    if (file.find("scenarios") != nullptr) {
      DYN_TRY(const Json::Array* scenarios, member(file, path, "scenarios"));
      for (const Json& scenario : *scenarios) {
        run_scenario<NaiveIndex>(scenario, "model", tally);
        run_scenario<PrefixIndex>(scenario, "index", tally);
      }
    } else {
      DYN_TRY(const Json::Array* cases, member(file, path, "cases"));
      for (const Json& vector : *cases) run_hashes(vector, tally);
    }
  }
  return {};
}

}  // namespace dynamo::conformance
