// SPDX-License-Identifier: Apache-2.0
// hash_vectors.json and token_block_vectors.json.
#include <dynamo/base/hash.h>
#include <dynamo/tokens/mm_objects.h>
#include <dynamo/tokens/positional_hash.h>
#include <dynamo/tokens/token_block.h>

#include <string>
#include <vector>

#include <fmt/format.h>

#include "kv_cases.h"

namespace dynamo::conformance {
namespace {

std::string shown(const std::vector<std::uint64_t>& hashes) {
  std::string out;
  for (const std::uint64_t hash : hashes) out += fmt::format("{:#018x} ", hash);
  return out;
}

std::string hex64(std::uint64_t value) {
  return fmt::format("0x{:016x}", value);
}
std::string hex128(tokens::Uint128 value) {
  return fmt::format("0x{:016x}{:016x}", static_cast<std::uint64_t>(value >> 64),
                     static_cast<std::uint64_t>(value));
}

void run_hashes(const Json& vector, Tally& tally) {
  const std::vector<tokens::Token> prompt = tokens_of(vector, "tokens");
  std::vector<tokens::BlockMmHashes> mm_hashes;
  for (const Json& info : list_of(vector, "block_mm_infos")) {
    mm_hashes.emplace_back();
    for (const Json& object : list_of(info, "mm_objects"))
      mm_hashes.back().push_back(hash_of(object.find("mm_hash")));
  }
  const tokens::BlockHashOptions options{
      .salt =
          tokens::request_salt(text_of(vector, "lora_name"), text_of(vector, "cache_namespace")),
      .eagle = flag_of(vector, "is_eagle"),
      .mm_hashes = mm_hashes};
  const auto blocks = tokens::hash_blocks(prompt, number_of(vector, "block_size"), options);
  std::vector<std::uint64_t> expected{hash_of(vector.find("seed"))};
  for (const Json& hash : list_of(vector, "block_hashes")) expected.push_back(hash_of(&hash));
  for (const Json& hash : list_of(vector, "sequence_hashes")) expected.push_back(hash_of(&hash));
  std::vector<std::uint64_t> got{std::to_underlying(options.salt)};
  for (const tokens::BlockHash hash : blocks) got.push_back(std::to_underlying(hash));
  for (const tokens::SequenceHash hash : tokens::sequence_hashes(blocks))
    got.push_back(std::to_underlying(hash));
  expect_equal(tally, text_of(vector, "name"), shown(expected), shown(got));
}

std::vector<tokens::MmRun> runs_of(const Json& row) {
  std::vector<tokens::MmRun> out;
  for (const Json& run : list_of(row, "mm_runs"))
    out.push_back({.mm_hash = hash_of(run.find("mm_hash")),
                   .offset = number_of(run, "offset"),
                   .length = number_of(run, "length")});
  return out;
}

// A whole sequence at once, or token by token where no run stands in the way.
void run_sequence(const Json& row, bool token_by_token, Tally& tally) {
  const tokens::SaltHash salt{hash_of(row.find("salt_hash"))};
  const std::vector<tokens::Token> prompt = tokens_of(row, "tokens");
  const std::size_t size = number_of(row, "block_size");
  const auto runs = runs_of(row);
  if (token_by_token && !runs.empty()) return;
  auto sequence = tokens::TokenBlockSequence::with_mm(
      token_by_token ? std::vector<tokens::Token>() : prompt, runs, size, salt);
  if (!sequence) return tally.fail(text_of(row, "name"), "a sequence", "an error");
  if (token_by_token)
    for (const tokens::Token token : prompt) sequence->append(token);
  std::string expected;
  std::string got;
  std::optional<tokens::SequenceHash> old;
  const Json::Array& blocks = list_of(row, "blocks");
  for (const Json& want : blocks) {
    for (const char* field : {"block_hash", "sequence_hash_v1_5", "psh_v1_5", "plh_v1_5",
                              "plh_v1_5_display", "sequence_hash_v0_9", "plh_v0_9"})
      expected += text_of(want, field) + " ";
  }
  for (std::size_t i = 0; i < sequence->blocks(); ++i) {
    const tokens::TokenBlockView block = sequence->block(i);
    const auto parent = old;
    old = parent ? tokens::next_sequence_hash(*parent, block.block_hash, salt)
                 : tokens::first_sequence_hash(block.block_hash);
    got += hex64(std::to_underlying(block.block_hash)) + " " +
           hex64(std::to_underlying(block.sequence_hash)) + " " +
           hex128(block.positional_sequence_hash().value) + " " +
           hex128(block.positional_lineage_hash().value) + " " +
           block.positional_lineage_hash().to_string() + " " + hex64(std::to_underlying(*old)) +
           " " + hex128(tokens::PositionalLineageHashV09::make(*old, parent, i).value) + " ";
  }
  for (const tokens::Token token : tokens_of(row, "partial_tokens"))
    expected += std::to_string(token) + " ";
  for (const tokens::Token token : sequence->current_block().tokens())
    got += std::to_string(token) + " ";
  expect_equal(tally, text_of(row, "name"), expected, got);
}

void run_packing(const Json& row, Tally& tally) {
  const std::uint64_t position = number_of(row, "position");
  const tokens::SequenceHash current{hash_of(row.find("current"))};
  const tokens::SequenceHash parent{hash_of(row.find("parent"))};
  const auto psh = tokens::PositionalSequenceHash::make(
      current, position, tokens::BlockHash{hash_of(row.find("lbh"))});
  std::string expected = text_of(row, "psh");
  std::string got = hex128(psh.value);
  if (position < tokens::PositionalLineageHash::kPositions) {
    expected += " " + text_of(row, "plh_v0_9");
    got += " " + hex128(tokens::PositionalLineageHashV09::make(current, parent, position).value);
    // The file packs a parent into position 0 too, where a block has none.
    if (position > 0) {
      const auto plh = tokens::PositionalLineageHash::make(current, parent, position);
      expected += " " + text_of(row, "plh_v1_5") + " " + text_of(row, "parent_fragment_v1_5");
      got += " " + hex128(plh.value) + " " + hex64(plh.parent_fragment());
    }
  }
  expect_equal(tally, fmt::format("packing at {}", position), expected, got);
}

void run_mm_runs(const Json& row, Tally& tally) {
  std::vector<tokens::MmRun> runs;
  for (const Json& run : list_of(row, "runs"))
    runs.push_back({.mm_hash = 1,
                    .offset = run.at(0)->as_uint64().value_or(0),
                    .length = run.at(1)->as_uint64().value_or(0)});
  const auto sorted = tokens::sorted_runs(std::move(runs), number_of(row, "tokens_len"));
  std::string expected = text_of(row, "error");
  for (const Json& run : list_of(row, "sorted")) expected += run.dump();
  std::string got;
  if (sorted) {
    for (const tokens::MmRun& run : *sorted) got += fmt::format("[{},{}]", run.offset, run.length);
  } else {
    constexpr std::string_view kNames[] = {"empty_run", "offset_overflow", "out_of_bounds",
                                           "overlapping"};
    got = kNames[std::to_underlying(sorted.error().kind)];
    if (row.find("position") != nullptr) {
      expected += fmt::format(" at {}", number_of(row, "position"));
      got += fmt::format(" at {}", sorted.error().position);
    }
  }
  expect_equal(tally, "runs " + row.dump(), expected, got);
}

}  // namespace

void run_hash_vectors(const Json& file, Tally& tally) {
  for (const Json& row : list_of(file, "xxh3_raw")) {
    std::string bytes(number_of(row, "len"), '\0');
    for (std::size_t i = 0; i < bytes.size(); ++i)
      bytes[i] = static_cast<char>((i * std::uint64_t{2654435761}) >> 13 & 0xff);
    std::vector<std::uint64_t> expected;
    std::vector<std::uint64_t> got;
    for (const auto& [field, seed] :
         {std::pair{"seed0", std::uint64_t{0}}, std::pair{"seed1", std::uint64_t{1}},
          std::pair{"seed1337", std::uint64_t{1337}},
          std::pair{"seed_hi", std::uint64_t{0x9E3779B185EBCA87}}}) {
      expected.push_back(hash_of(row.find(field)));
      got.push_back(base::xxh3_64(bytes, seed));
    }
    expect_equal(tally, fmt::format("{} bytes", bytes.size()), shown(expected), shown(got));
  }
  for (const Json& row : list_of(file, "xxh3_strings")) {
    const std::string text = text_of(row, "text");
    expect_equal(
        tally, "text " + text,
        text_of(row, "xxh3_seed0") + text_of(row, "xxh3_seed1") + text_of(row, "xxh3_seed1337"),
        hex64(base::xxh3_64(text, 0)) + hex64(base::xxh3_64(text, 1)) +
            hex64(base::xxh3_64(text, 1337)));
  }
  for (const Json& row : list_of(file, "salt_hashes"))
    expect_equal(tally, "salt " + row.dump(), text_of(row, "salt_hash"),
                 hex64(std::to_underlying(
                     tokens::request_salt(text_of(row, "lora_name"), text_of(row, "salt")))));
  for (const Json& row : list_of(file, "mm_pad_values"))
    expect_equal(tally, "pad " + row.dump(), std::to_string(number_of(row, "pad_value")),
                 std::to_string(tokens::mm_pad_token(hash_of(row.find("mm_hash")))));
  for (const Json& row : list_of(file, "vllm_extra_keys_mm_hash")) {
    const auto hash = tokens::mm_hash_of_extra_key(text_of(row, "extra_key"));
    expect_equal(tally, "extra key " + row.dump(), text_of(row, "mm_hash"),
                 hash ? hex64(*hash) : "");
  }
  for (const Json& vector : list_of(file, "cases")) run_hashes(vector, tally);
}

void run_token_block_vectors(const Json& file, Tally& tally) {
  for (const Json& row : list_of(file, "sequences")) {
    run_sequence(row, false, tally);
    run_sequence(row, true, tally);
    const auto runs = runs_of(row);
    if (runs.empty()) continue;
    const std::vector<tokens::Token> prompt = tokens_of(row, "tokens");
    const std::size_t size = number_of(row, "block_size");
    std::size_t first = 0;
    for (const Json& block : list_of(row, "blocks")) {
      const auto bytes = tokens::block_bytes(std::span(prompt).subspan(first, size), first, runs);
      std::string got;
      for (const std::byte byte : bytes) got += fmt::format("{:02x}", std::to_integer<int>(byte));
      expect_equal(tally, fmt::format("{}, bytes at {}", text_of(row, "name"), first),
                   text_of(block, "block_bytes_hex"), got);
      first += size;
    }
  }
  for (const Json& row : list_of(file, "packing")) run_packing(row, tally);
  for (const Json& row : list_of(file, "mm_run_validation")) run_mm_runs(row, tally);
  for (const Json& row : list_of(file, "request_trace_sequence_hashes")) {
    std::vector<std::uint64_t> expected;
    std::vector<std::uint64_t> got;
    for (const Json& hash : list_of(row, "sequence_hashes_with_partial"))
      expected.push_back(hash_of(&hash));
    for (const tokens::SequenceHash hash : tokens::sequence_hashes_with_tail(
             tokens_of(row, "tokens"), number_of(row, "block_size"), tokens::kDefaultSalt))
      got.push_back(std::to_underlying(hash));
    expect_equal(tally, "tail of " + text_of(row, "name"), shown(expected), shown(got));
  }
}

}  // namespace dynamo::conformance
