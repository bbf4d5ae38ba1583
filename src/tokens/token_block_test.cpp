// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/file.h>
#include <dynamo/base/json.h>
#include <dynamo/base/rng.h>
#include <dynamo/tokens/positional_hash.h>
#include <dynamo/tokens/positional_radix_tree.h>
#include <dynamo/tokens/request_hash.h>
#include <dynamo/tokens/token_block.h>

#include <charconv>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace dynamo::tokens {
namespace token_block_test {
namespace {

using Tokens = std::vector<Token>;

std::uint64_t hex64(std::string_view text) {
  std::uint64_t out = 0;
  std::from_chars(text.data(), text.data() + text.size(), out, 16);
  return out;
}
std::uint64_t hex(const Json* value) {
  return hex64(std::string_view(*value->if_string()).substr(2));
}
Uint128 hex128(const Json* value) {
  const auto text = std::string_view(*value->if_string()).substr(2);
  return Uint128{hex64(text.substr(0, 16))} << 64 | hex64(text.substr(16));
}

Json vectors() {
  auto text =
      base::read_file(DYNAMO_SOURCE_DIR "/tests/conformance/cases/kv/token_block_vectors.json");
  EXPECT_TRUE(text) << text.error().message();
  auto json = parse_json(text.value_or("{}"));
  EXPECT_TRUE(json);
  return json.value_or(Json::object());
}

Tokens tokens_of(const Json* array) {
  Tokens out;
  for (const Json& token : *array->if_array())
    out.push_back(static_cast<Token>(*token.as_uint64()));
  return out;
}
std::vector<MmRun> runs_of(const Json* array) {
  std::vector<MmRun> out;
  for (const Json& run : *array->if_array()) {
    out.push_back({.mm_hash = hex(run.find("mm_hash")),
                   .offset = *run.find("offset")->as_uint64(),
                   .length = *run.find("length")->as_uint64()});
  }
  return out;
}

TEST(TokenBlockSequence, BlocksEqualTheReference) {
  const Json json = vectors();
  for (const Json& row : *json.find("sequences")->if_array()) {
    SCOPED_TRACE(*row.find("name")->if_string());
    const SaltHash salt{hex(row.find("salt_hash"))};
    const auto sequence =
        TokenBlockSequence::with_mm(tokens_of(row.find("tokens")), runs_of(row.find("mm_runs")),
                                    *row.find("block_size")->as_uint64(), salt);
    ASSERT_TRUE(sequence);
    const Json::Array& expected = *row.find("blocks")->if_array();
    ASSERT_EQ(sequence->blocks(), expected.size());
    std::optional<SequenceHash> v09;
    for (std::size_t i = 0; i < expected.size(); ++i) {
      const TokenBlockView block = sequence->block(i);
      const Json& want = expected[i];
      EXPECT_EQ(block.position, i);
      EXPECT_EQ(std::to_underlying(block.block_hash), hex(want.find("block_hash"))) << i;
      EXPECT_EQ(std::to_underlying(block.sequence_hash), hex(want.find("sequence_hash_v1_5")));
      EXPECT_TRUE(block.positional_sequence_hash().value == hex128(want.find("psh_v1_5"))) << i;
      EXPECT_TRUE(block.positional_lineage_hash().value == hex128(want.find("plh_v1_5"))) << i;
      EXPECT_EQ(block.positional_lineage_hash().to_string(),
                *want.find("plh_v1_5_display")->if_string());
      // v0.9: the salt seeds the chain, and the lineage layout is another.
      const auto parent = v09;
      v09 = parent ? next_sequence_hash(*parent, block.block_hash, salt)
                   : first_sequence_hash(block.block_hash);
      EXPECT_EQ(std::to_underlying(*v09), hex(want.find("sequence_hash_v0_9"))) << i;
      EXPECT_TRUE(PositionalLineageHashV09::make(*v09, parent, i).value ==
                  hex128(want.find("plh_v0_9")))
          << i;
    }
    const Tokens partial = tokens_of(row.find("partial_tokens"));
    EXPECT_TRUE(std::ranges::equal(sequence->current_block().tokens(), partial));
  }
}

TEST(TokenBlockSequence, MultimodalFramesEqualTheReference) {
  const Json json = vectors();
  for (const Json& row : *json.find("sequences")->if_array()) {
    const auto runs = runs_of(row.find("mm_runs"));
    if (runs.empty()) continue;
    const Tokens tokens = tokens_of(row.find("tokens"));
    const std::size_t size = *row.find("block_size")->as_uint64();
    const Json::Array& blocks = *row.find("blocks")->if_array();
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      std::string found;
      for (const std::byte byte :
           block_bytes(std::span(tokens).subspan(i * size, size), i * size, runs)) {
        constexpr std::string_view kDigits = "0123456789abcdef";
        found += kDigits[std::to_integer<unsigned>(byte) >> 4];
        found += kDigits[std::to_integer<unsigned>(byte) & 15];
      }
      EXPECT_EQ(found, *blocks[i].find("block_bytes_hex")->if_string()) << i;
    }
  }
}

TEST(PositionalHash, PackingEqualsTheReference) {
  const Json json = vectors();
  for (const Json& row : *json.find("packing")->if_array()) {
    SCOPED_TRACE(row.dump());
    const std::uint64_t position = *row.find("position")->as_uint64();
    const SequenceHash current{hex(row.find("current"))};
    const auto parent =
        position > 0 ? std::optional(SequenceHash{hex(row.find("parent"))}) : std::nullopt;
    const auto psh =
        PositionalSequenceHash::make(current, position, BlockHash{hex(row.find("lbh"))});
    EXPECT_TRUE(psh.value == hex128(row.find("psh")));
    EXPECT_EQ(psh.mode(), *row.find("mode")->as_uint64());
    EXPECT_EQ(psh.position(), position);
    EXPECT_EQ(psh.sequence_hash(), current);
    if (!row.find("plh_v1_5")->is_string()) continue;
    const PositionalLineageHash plh = position > 0
                                          ? PositionalLineageHash::make(current, parent, position)
                                          : PositionalLineageHash{hex128(row.find("plh_v1_5"))};
    EXPECT_TRUE(plh.value == hex128(row.find("plh_v1_5")));
    EXPECT_EQ(plh.position(), position);
    EXPECT_EQ(plh.current(), current);
    EXPECT_EQ(plh.parent_fragment(), hex(row.find("parent_fragment_v1_5")));
    const auto old =
        PositionalLineageHashV09::make(current, SequenceHash{hex(row.find("parent"))}, position);
    EXPECT_TRUE(old.value == hex128(row.find("plh_v0_9")));
    EXPECT_EQ(old.position(), position);
  }
}

TEST(PositionalHash, LineageLinksAcrossTheBordersOfModes) {
  auto hash = PositionalLineageHash::make(SequenceHash{0x123456789abcdef0}, std::nullopt, 0);
  for (std::uint64_t i = 1; i < 70'000; ++i) {
    const auto child = hash.extend(BlockHash{i * 0x9E3779B97F4A7C15});
    ASSERT_EQ(child.position(), i);
    ASSERT_EQ(child.parent_fragment(), hash.parent_fragment_for_child_position(i));
    ASSERT_LT(hash, child);
    hash = child;
  }
  for (const std::uint64_t position : {255ULL, 65'535ULL}) {
    const SequenceHash current{~std::uint64_t{0}};
    const auto parent = PositionalLineageHashV09::make(current, current, position);
    const auto child = PositionalLineageHashV09::make(SequenceHash{1}, current, position + 1);
    EXPECT_EQ(parent.current_fragment(), child.parent_fragment());
  }
}

TEST(PositionalHash, BytesAreBigEndianAndTextIsBase58) {
  const Uint128 value = Uint128{0x0102030405060708} << 64 | 0x090a0b0c0d0e0f10;
  const Bytes128 bytes = to_big_endian(value);
  EXPECT_EQ(bytes[0], 1);
  EXPECT_EQ(bytes[15], 16);
  EXPECT_TRUE(from_big_endian(bytes) == value);
  EXPECT_EQ(base58(0), "11111111");
  EXPECT_EQ(base58(57), "1111111z");
  EXPECT_EQ(base58(58), "111111121");
}

TEST(PositionalRadixTree, FindsTheParentOfABlock) {
  const TokenBlockSequence sequence(Tokens(64, 7), 4, kDefaultSalt);
  PositionalRadixTree<std::size_t> tree;
  for (std::size_t i = 0; i < sequence.blocks(); ++i) {
    const TokenBlockView block = sequence.block(i);
    const auto key = block.positional_lineage_hash();
    tree.prefix(key).emplace(key, block.position);
  }
  EXPECT_EQ(tree.size(), 16U);
  EXPECT_EQ(tree.position(3)->size(), 1U);
  EXPECT_EQ(tree.position(16), nullptr);
  const auto key = sequence.block(5).positional_lineage_hash();
  ASSERT_NE(tree.find_parent(key), nullptr);
  EXPECT_EQ(tree.find_parent(key)->second, 4U);
  EXPECT_EQ(tree.find_parent(sequence.block(0).positional_lineage_hash()), nullptr);
  const TokenBlockSequence other(Tokens(64, 8), 4, kDefaultSalt);
  EXPECT_EQ(tree.find_parent(other.block(5).positional_lineage_hash()), nullptr);
}

TEST(MmRuns, ValidationEqualsTheReference) {
  const Json json = vectors();
  for (const Json& row : *json.find("mm_run_validation")->if_array()) {
    SCOPED_TRACE(row.dump());
    std::vector<MmRun> runs;
    for (const Json& run : *row.find("runs")->if_array()) {
      runs.push_back(
          {.mm_hash = 1, .offset = *run.at(0)->as_uint64(), .length = *run.at(1)->as_uint64()});
    }
    const auto sorted = sorted_runs(runs, *row.find("tokens_len")->as_uint64());
    if (const std::string* name = row.find("error")->if_string()) {
      ASSERT_FALSE(sorted);
      constexpr std::string_view kNames[] = {"empty_run", "offset_overflow", "out_of_bounds",
                                             "overlapping"};
      EXPECT_EQ(kNames[std::to_underlying(sorted.error().kind)], *name);
      if (const Json* position = row.find("position")) {
        EXPECT_EQ(sorted.error().position, *position->as_uint64());
      }
    } else {
      ASSERT_TRUE(sorted);
      const Json::Array& expected = *row.find("sorted")->if_array();
      for (std::size_t i = 0; i < expected.size(); ++i) {
        EXPECT_EQ((*sorted)[i].offset, *expected[i].at(0)->as_uint64());
      }
    }
  }
}

TEST(SequenceHashes, TraceTailsEqualTheReference) {
  const Json json = vectors();
  for (const Json& row : *json.find("request_trace_sequence_hashes")->if_array()) {
    const auto hashes = sequence_hashes_with_tail(
        tokens_of(row.find("tokens")), *row.find("block_size")->as_uint64(), kDefaultSalt);
    const Json::Array& expected = *row.find("sequence_hashes_with_partial")->if_array();
    ASSERT_EQ(hashes.size(), expected.size());
    for (std::size_t i = 0; i < hashes.size(); ++i) {
      EXPECT_EQ(std::to_underlying(hashes[i]), hex(&expected[i])) << *row.find("name")->if_string();
    }
  }
}

bool same_blocks(const TokenBlockSequence& a, const TokenBlockSequence& b) {
  if (a.blocks() != b.blocks()) return false;
  for (std::size_t i = 0; i < a.blocks(); ++i)
    if (TokenBlock(a.block(i)) != TokenBlock(b.block(i))) return false;
  return true;
}

void expect_invariants(const TokenBlockSequence& sequence, const Tokens& tokens) {
  ASSERT_EQ(sequence.total_tokens(), tokens.size());
  EXPECT_EQ(sequence.tokens_at(0, tokens.size()), tokens);
  EXPECT_LT(sequence.current_block().size(), sequence.block_size());
  EXPECT_EQ(sequence.current_block().position(), sequence.blocks());
  std::optional<SequenceHash> parent;
  for (std::size_t i = 0; i < sequence.blocks(); ++i) {
    const TokenBlockView block = sequence.block(i);
    EXPECT_EQ(block.position, i);
    EXPECT_EQ(block.parent_sequence_hash, parent);
    EXPECT_EQ(block.tokens.size(), sequence.block_size());
    parent = block.sequence_hash;
  }
  EXPECT_EQ(sequence.current_block().parent_sequence_hash(), parent);
  const TokenBlockSequence fresh(tokens, sequence.block_size(), sequence.salt_hash());
  EXPECT_TRUE(same_blocks(fresh, sequence));
}

TEST(TokenBlockSequence, KeepsItsInvariantsUnderEveryOperation) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    Rng rng(seed);
    const std::size_t size = 1 + rng.below(5);
    TokenBlockSequence sequence({}, size, SaltHash{seed});
    Tokens tokens;
    for (int step = 0; step < 200; ++step) {
      const std::size_t blocks = tokens.size() / size;
      switch (rng.below(6)) {
        case 0: {
          tokens.push_back(static_cast<Token>(rng.below(9)));
          const auto completed = sequence.append(tokens.back());
          EXPECT_EQ(completed.has_value(), tokens.size() / size > blocks);
          if (completed) {
            EXPECT_EQ(*completed, blocks);
          }
          break;
        }
        case 1:
        case 2: {
          const Tokens more(rng.below(12), static_cast<Token>(rng.below(9)));
          tokens.insert(tokens.end(), more.begin(), more.end());
          const auto completed = sequence.extend(more);
          EXPECT_EQ(completed.has_value(), tokens.size() / size > blocks);
          if (completed) {
            EXPECT_EQ(*completed, std::pair(blocks, tokens.size() / size));
          }
          break;
        }
        case 3: {
          const std::size_t keep = rng.below(tokens.size() + 3);
          EXPECT_TRUE(sequence.truncate(keep));
          tokens.resize(std::min(keep, tokens.size()));
          break;
        }
        case 4: {
          const std::size_t remove = rng.below(6);
          const auto done = sequence.unwind(remove);
          EXPECT_EQ(done.has_value(), remove <= tokens.size());
          if (done) {
            tokens.resize(tokens.size() - remove);
          } else {
            EXPECT_EQ(done.error(), TokenBlockError::insufficient_tokens);
          }
          break;
        }
        default: {
          const auto last = sequence.pop();
          EXPECT_EQ(last.has_value(), !tokens.empty());
          if (last) {
            EXPECT_EQ(*last, tokens.back());
            tokens.pop_back();
          }
        }
      }
      expect_invariants(sequence, tokens);
    }
    sequence.reset();
    expect_invariants(sequence, {});
  }
}

TEST(TokenBlockSequence, PartsAreTheBlocksAndTheRest) {
  TokenBlockSequence sequence(Tokens{1, 2, 3, 4, 5}, 2, kDefaultSalt);
  EXPECT_EQ(sequence.last_complete_block()->position, 1U);
  auto [blocks, partial] = std::move(sequence).into_parts();
  ASSERT_EQ(blocks.size(), 2U);
  EXPECT_TRUE(std::ranges::equal(blocks[1].tokens(), Tokens{3, 4}));
  EXPECT_EQ(partial.parent_sequence_hash(), blocks[1].names().sequence_hash);
  EXPECT_TRUE(partial.push(6));
  const auto third = partial.commit();
  ASSERT_TRUE(third);
  const TokenBlockSequence whole(Tokens{1, 2, 3, 4, 5, 6}, 2, kDefaultSalt);
  EXPECT_EQ(*third, TokenBlock(whole.block(2)));
}

TEST(TokenBlockSequence, TokensAtNeverFails) {
  const TokenBlockSequence sequence(Tokens{1, 2, 3, 4, 5}, 2, kDefaultSalt);
  EXPECT_EQ(sequence.tokens_at(1, 5), (Tokens{2, 3, 4, 5}));
  EXPECT_EQ(sequence.tokens_at(3, 3), Tokens{});
  EXPECT_EQ(sequence.tokens_at(4, 2), Tokens{});
  EXPECT_EQ(sequence.tokens_at(2, 6), Tokens{});
}

TEST(PartialTokenBlock, CommitsWhenExactlyFullAndBecomesTheNext) {
  PartialTokenBlock partial(2, kDefaultSalt);
  EXPECT_TRUE(partial.push(1));
  EXPECT_EQ(partial.commit().error(), TokenBlockError::incomplete);
  EXPECT_TRUE(partial.push(2));
  EXPECT_EQ(partial.push(3).error(), TokenBlockError::full);
  const auto block = partial.commit();
  ASSERT_TRUE(block);
  EXPECT_EQ(partial.position(), 1U);
  EXPECT_EQ(partial.parent_sequence_hash(), block->names().sequence_hash);
  EXPECT_EQ(partial.size(), 0U);
  EXPECT_EQ(block->next_block().position(), 1U);
}

TEST(TokenBlockSequence, RunsBelongToTheirPositionsAndForbidShrinking) {
  const auto whole = TokenBlockSequence::with_mm(
      Tokens{1, 2, 0, 0, 0, 6, 7, 8}, {{.mm_hash = 9, .offset = 2, .length = 3}}, 4, kDefaultSalt);
  ASSERT_TRUE(whole);
  TokenBlockSequence grown({}, 4, kDefaultSalt);
  grown.extend(Tokens{1, 2});
  EXPECT_EQ(grown.push_mm_run(9, 3).value(), (std::pair<std::size_t, std::size_t>(0, 1)));
  grown.extend(Tokens{6, 7, 8});
  EXPECT_TRUE(same_blocks(grown, *whole));
  EXPECT_EQ(grown.truncate(3).error(), TokenBlockError::mm_runs_present);
  EXPECT_EQ(grown.unwind(1).error(), TokenBlockError::mm_runs_present);
  EXPECT_TRUE(grown.truncate(100));  // no change
  EXPECT_EQ(grown.push_mm_run(9, 0).error(), TokenBlockError::bad_mm_runs);
  EXPECT_EQ(grown.extend_with_mm(Tokens{1}, {{.mm_hash = 1, .offset = 0, .length = 2}}).error(),
            TokenBlockError::bad_mm_runs);
  grown.reset();
  EXPECT_TRUE(grown.mm_runs().empty());
  EXPECT_TRUE(grown.extend(Tokens{1, 2, 3, 4}));
  EXPECT_EQ(grown.block(0).block_hash, hash_block(Tokens{1, 2, 3, 4}));
}

TEST(RequestHash, NamesTheCompleteBlocks) {
  const RequestToHash request{.tokens = {1, 2, 3, 4, 5, 6, 7, 8, 9},
                              .lora_name = "my-lora",
                              .cache_salt = "tenant-a",
                              .mm_runs = {}};
  const auto blocks = universal_blocks(request, 4);
  ASSERT_TRUE(blocks);
  ASSERT_EQ(blocks->size(), 2U);
  const SaltHash salt = request_salt("my-lora", "tenant-a");
  EXPECT_EQ((*blocks)[1].block_hash, hash_block(Tokens{5, 6, 7, 8}, salt));
  EXPECT_EQ((*blocks)[1].plh.position(), 1U);
  EXPECT_EQ((*blocks)[0].plh.extend((*blocks)[1].block_hash), (*blocks)[1].plh);
  EXPECT_NE(new_partial_block(), new_partial_block());
}

}  // namespace
}  // namespace token_block_test
}  // namespace dynamo::tokens
