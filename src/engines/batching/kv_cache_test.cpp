// SPDX-License-Identifier: Apache-2.0
#include "engines/batching/kv_cache.h"

#include <dynamo/base/rng.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <set>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "engines/batching/testing/stub_backend.h"

namespace dynamo::engines::batching {
namespace kv_cache_test {
namespace {

using testing::StubBackend;
using Tokens = std::vector<TokenId>;

BlockNames names(tokens::SaltHash salt, std::optional<tokens::SequenceHash> parent,
                 std::span<const TokenId> block) {
  const auto local = tokens::hash_block(block, salt);
  return {.local = local,
          .sequence = parent ? tokens::next_sequence_hash(*parent, local)
                             : tokens::first_sequence_hash(local)};
}

Tokens numbers(TokenId first, std::size_t count) {
  Tokens out(count);
  for (std::size_t i = 0; i < count; ++i) {
    out[i] = (first + static_cast<TokenId>(i)) % StubBackend::kVocabulary;
  }
  return out;
}

/// A cache over a stub, in blocks of 4, with a copy of the index kept from the events alone.
struct World {
  explicit World(StubBackend::Options options = {}, NameBlock name = names)
      : backend(options),
        cache(backend, {.block_size_tokens = 4,
                        .prefix_caching = true,
                        .name_block = std::move(name),
                        .on_event = [this](KvEvent event) { replay(event); }}) {}

  void replay(const KvEvent& event) {
    EXPECT_EQ(event.id, events++);
    if (const auto* stored = std::get_if<KvStored>(&event.data)) {
      if (stored->parent) {
        EXPECT_TRUE(index.contains(*stored->parent)) << "a block before its parent";
      }
      for (const StoredBlock& block : stored->blocks) {
        EXPECT_TRUE(index.insert(block.sequence_hash).second) << "stored twice";
        EXPECT_EQ(block.tokens.size(), 4U);
      }
    } else if (const auto* removed = std::get_if<KvRemoved>(&event.data)) {
      for (const auto hash : removed->blocks) EXPECT_EQ(index.erase(hash), 1U);
    } else {
      index.clear();
    }
  }

  /// Computes the tokens of a running sequence that are not in memory yet.
  void compute(SequenceId sequence, const Tokens& tokens) {
    std::vector<BatchToken> batch;
    for (std::size_t i = backend.history(sequence).size(); i < tokens.size(); ++i) {
      batch.push_back({.token = tokens[i],
                       .position = static_cast<std::uint32_t>(i),
                       .sequence = sequence,
                       .wants_logits = false});
    }
    if (batch.empty()) return;
    ASSERT_TRUE(cache.make_room(static_cast<std::uint32_t>(batch.size())));
    ASSERT_EQ(backend.decode(batch), DecodeStatus::ok);
    cache.advance(sequence, tokens);
  }
  /// Opens, computes and closes; returns what was reused.
  std::uint32_t serve(const Tokens& tokens, tokens::SaltHash salt = tokens::kDefaultSalt) {
    const auto opened = cache.open(salt, tokens);
    EXPECT_TRUE(opened);
    compute(opened->sequence, tokens);
    EXPECT_EQ(backend.history(opened->sequence), tokens);
    cache.close(opened->sequence);
    check();
    return opened->cached_tokens;
  }
  void check() const {
    EXPECT_EQ(cache.free_cells(), backend.free_cells());
    const auto hashes = cache.block_hashes();
    EXPECT_TRUE(std::ranges::equal(hashes, index));
  }

  StubBackend backend;
  std::set<tokens::SequenceHash> index;
  std::uint64_t events = 0;
  KvCache cache;
};

TEST(KvCache, ReusesFullBlocksButNeverTheLastToken) {
  World world({.cells = 64, .batch_tokens = 64});
  EXPECT_EQ(world.serve(numbers(1, 10)), 0U);
  EXPECT_EQ(world.serve(numbers(1, 10)), 8U);
  EXPECT_EQ(world.serve(numbers(1, 8)), 4U);  // its last token has to be computed
  EXPECT_EQ(world.serve(numbers(1, 9)), 8U);
  EXPECT_EQ(world.serve(numbers(2, 9)), 0U);
}

TEST(KvCache, SaltsDoNotShare) {
  World world({.cells = 64, .batch_tokens = 64});
  world.serve(numbers(1, 10));
  EXPECT_EQ(world.serve(numbers(1, 10), tokens::SaltHash{5}), 0U);
  EXPECT_EQ(world.serve(numbers(1, 10), tokens::SaltHash{5}), 8U);
}

TEST(KvCache, PartialBlocksAreNeverPublished) {
  World world({.cells = 64, .batch_tokens = 64});
  const Tokens prompt = numbers(1, 7);
  const auto opened = world.cache.open(tokens::kDefaultSalt, prompt);
  world.compute(opened->sequence, prompt);
  EXPECT_EQ(world.index.size(), 1U);
  world.compute(opened->sequence, numbers(1, 8));
  EXPECT_EQ(world.index.size(), 2U);
  world.cache.close(opened->sequence);
  world.check();
}

TEST(KvCache, SharesCellsWithARunningSequence) {
  World world({.cells = 24, .batch_tokens = 24});
  const Tokens tokens = numbers(1, 13);
  const auto first = world.cache.open(tokens::kDefaultSalt, tokens);
  world.compute(first->sequence, tokens);
  const auto second = world.cache.open(tokens::kDefaultSalt, tokens);
  EXPECT_EQ(second->cached_tokens, 12U);
  world.compute(second->sequence, tokens);
  EXPECT_EQ(world.cache.free_cells(), 24U - 14U);
  world.cache.close(first->sequence);
  EXPECT_EQ(world.backend.history(second->sequence), tokens);  // its cells stay
  world.cache.close(second->sequence);
  world.check();
}

TEST(KvCache, ABlockComputedTwiceIsHeldOnce) {
  World world({.cells = 64, .batch_tokens = 64});
  const Tokens tokens = numbers(1, 9);
  const auto first = world.cache.open(tokens::kDefaultSalt, tokens);
  const auto second = world.cache.open(tokens::kDefaultSalt, tokens);
  world.compute(first->sequence, tokens);
  world.compute(second->sequence, tokens);
  EXPECT_EQ(world.cache.free_cells(), 64U - 10U);  // 8 shared, one each
  EXPECT_EQ(world.index.size(), 2U);
  EXPECT_EQ(world.backend.history(second->sequence), tokens);
  world.check();
}

TEST(KvCache, TellsWhenARunningSequenceIsAboutToComputeTheNextBlock) {
  World world({.cells = 64, .batch_tokens = 64});
  const Tokens tokens = numbers(1, 13);
  EXPECT_FALSE(world.cache.outlook(tokens::kDefaultSalt, tokens).worth_waiting);
  const auto first = world.cache.open(tokens::kDefaultSalt, tokens);
  EXPECT_TRUE(world.cache.outlook(tokens::kDefaultSalt, tokens).worth_waiting);
  EXPECT_FALSE(world.cache.outlook(tokens::SaltHash{7}, tokens).worth_waiting);
  world.compute(first->sequence, tokens);
  const auto outlook = world.cache.outlook(tokens::kDefaultSalt, tokens);
  EXPECT_FALSE(outlook.worth_waiting);
  EXPECT_EQ(outlook.cached_tokens, 12U);
  EXPECT_EQ(outlook.idle_tokens, 0U);
  world.cache.close(first->sequence);
  EXPECT_EQ(world.cache.outlook(tokens::kDefaultSalt, tokens).idle_tokens, 12U);

  const auto other = world.cache.open(tokens::kDefaultSalt, numbers(30, 9));
  world.cache.withdraw_plan(other->sequence);
  EXPECT_FALSE(world.cache.outlook(tokens::kDefaultSalt, numbers(30, 9)).worth_waiting);
}

TEST(KvCache, EvictsLeastRecentlyUsedFirstAndFromTheEnd) {
  World world({.cells = 32, .batch_tokens = 32});
  world.serve(numbers(1, 13));   // 3 blocks
  world.serve(numbers(20, 13));  // 3 blocks
  world.serve(numbers(1, 5));    // touches the first
  EXPECT_EQ(world.cache.free_cells(), 8U);
  EXPECT_TRUE(world.cache.make_room(16));
  world.check();
  EXPECT_EQ(world.cache.outlook(tokens::kDefaultSalt, numbers(1, 13)).cached_tokens, 12U);
  EXPECT_EQ(world.cache.outlook(tokens::kDefaultSalt, numbers(20, 13)).cached_tokens, 4U);
  EXPECT_TRUE(world.cache.make_room(32));
  EXPECT_TRUE(world.index.empty());
  EXPECT_FALSE(world.cache.make_room(33));
}

TEST(KvCache, EvictionSparesWhatRunningSequencesHold) {
  World world({.cells = 32, .batch_tokens = 32});
  world.serve(numbers(1, 13));
  const Tokens longer = numbers(1, 17);
  const auto running = world.cache.open(tokens::kDefaultSalt, longer);
  EXPECT_EQ(running->cached_tokens, 12U);
  EXPECT_EQ(world.cache.evictable_cells(), 0U);
  EXPECT_FALSE(world.cache.make_room(21));
  EXPECT_TRUE(world.cache.make_room(20));
  world.compute(running->sequence, longer);
  EXPECT_EQ(world.backend.history(running->sequence), longer);
  world.check();
}

TEST(KvCache, ASequenceThatAnotherContainsGivesItsIdBack) {
  World world({.cells = 64, .sequences = 2, .batch_tokens = 64});
  world.serve(numbers(1, 9));
  world.serve(numbers(1, 17));  // contains the first
  world.serve(numbers(1, 13));  // is contained
  EXPECT_EQ(world.index.size(), 4U);
  const auto a = world.cache.open(tokens::kDefaultSalt, numbers(1, 17));
  EXPECT_EQ(a->cached_tokens, 16U);
  EXPECT_EQ(world.index.size(), 4U);
}

TEST(KvCache, RunningOutOfIdsEvictsAndThenRefuses) {
  World world({.cells = 64, .sequences = 2, .batch_tokens = 64});
  world.serve(numbers(1, 9));
  world.serve(numbers(20, 9));
  const auto a = world.cache.open(tokens::kDefaultSalt, numbers(20, 9));
  ASSERT_TRUE(a);
  EXPECT_EQ(a->cached_tokens, 8U);  // the other one made way
  world.check();
  // Now only the donor is left to make way.
  const auto b = world.cache.open(tokens::kDefaultSalt, numbers(20, 9));
  ASSERT_TRUE(b);
  EXPECT_FALSE(world.cache.can_open());
  EXPECT_FALSE(world.cache.open(tokens::kDefaultSalt, numbers(40, 9)));
}

TEST(KvCache, EqualHashesOfDifferentBlocksAreNotMixedUp) {
  const auto all_equal = [](tokens::SaltHash, std::optional<tokens::SequenceHash> parent,
                            std::span<const TokenId>) {
    return BlockNames{
        .local = tokens::BlockHash{1},
        .sequence = tokens::SequenceHash{parent ? std::to_underlying(*parent) + 1 : 1}};
  };
  World world({.cells = 64, .batch_tokens = 64}, all_equal);
  world.serve(numbers(1, 9));
  EXPECT_EQ(world.serve(numbers(20, 9)), 0U);
  EXPECT_EQ(world.serve(numbers(1, 9)), 8U);
  EXPECT_EQ(world.index.size(), 2U);
}

TEST(KvCache, WithoutPrefixCachingNothingStays) {
  StubBackend backend({.can_share_prefixes = false});
  KvCache cache(backend, {.block_size_tokens = 4, .name_block = {}, .on_event = {}});
  const Tokens tokens = numbers(1, 9);
  const auto opened = cache.open(tokens::kDefaultSalt, tokens);
  cache.advance(opened->sequence, tokens);
  EXPECT_EQ(cache.free_cells(), 256U - 9U);
  EXPECT_EQ(cache.active_blocks(), 3U);
  cache.close(opened->sequence);
  EXPECT_EQ(cache.free_cells(), 256U);
}

TEST(KvCache, ClearForgetsEverything) {
  World world({.cells = 64, .batch_tokens = 64});
  world.serve(numbers(1, 9));
  ASSERT_TRUE(world.backend.reset());
  world.cache.clear();
  world.check();
  EXPECT_TRUE(world.index.empty());
  EXPECT_EQ(world.serve(numbers(1, 9)), 0U);
}

/// Many sequences that share prefixes, grow, end and are evicted: the books stay right.
TEST(KvCache, BooksAgreeWithTheMemoryUnderRandomUse) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    Rng rng(seed);
    World world({.cells = 96, .context_length = 48, .sequences = 6, .batch_tokens = 96});
    std::map<SequenceId, Tokens> running;
    for (int step = 0; step < 400 && !HasFailure(); ++step) {
      const auto what = rng.below(10);
      if (what < 3) {
        Tokens prompt = numbers(static_cast<TokenId>(rng.below(2)), 1 + rng.below(24));
        if (rng.below(2) == 0) prompt.push_back(static_cast<TokenId>(rng.below(64)));
        if (running.size() >= 3) continue;
        const auto opened = world.cache.open(tokens::kDefaultSalt, prompt);
        if (!opened) continue;
        const Tokens have = world.backend.history(opened->sequence);
        EXPECT_EQ(have.size(), opened->cached_tokens);
        EXPECT_TRUE(std::equal(have.begin(), have.end(), prompt.begin()));
        running[opened->sequence] = prompt;
      } else if (what < 8 && !running.empty()) {
        auto& [id, tokens] =
            *std::next(running.begin(), static_cast<std::ptrdiff_t>(rng.below(running.size())));
        const std::size_t have = world.backend.history(id).size();
        if (have == tokens.size() && tokens.size() < 30)
          tokens.push_back(static_cast<TokenId>(rng.below(2)));
        const std::size_t until = std::min(tokens.size(), have + 1 + rng.below(6));
        const Tokens part(tokens.begin(), tokens.begin() + static_cast<std::ptrdiff_t>(until));
        if (until > have && world.cache.make_room(static_cast<std::uint32_t>(until - have))) {
          world.compute(id, part);
          EXPECT_EQ(world.backend.history(id), part);
        }
      } else if (!running.empty()) {
        const auto it =
            std::next(running.begin(), static_cast<std::ptrdiff_t>(rng.below(running.size())));
        world.cache.close(it->first);
        running.erase(it);
      }
      world.check();
    }
    for (const auto& [id, tokens] : running) world.cache.close(id);
    EXPECT_TRUE(world.cache.make_room(96));
    world.check();
    EXPECT_TRUE(world.index.empty());
  }
}

}  // namespace
}  // namespace kv_cache_test
}  // namespace dynamo::engines::batching
