// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/hash.h>
#include <dynamo/tokenizer/prefix_cache.h>
#include <dynamo/tokenizer/tokenizer.h>

#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace dynamo::tokenizer::prefix_cache_test {
namespace {

/// Letters as tokens, two merges, and two special tokens; `flags` go to the first special token.
std::shared_ptr<const Tokenizer> small(const std::string& flags = R"("lstrip": false)",
                                       const std::string& pre_tokenizer = "null") {
  auto loaded = Tokenizer::from_json_text(R"({
    "added_tokens": [
      {"id": 6, "content": "<s>", "special": true, "normalized": false, )" +
                                          flags + R"(},
      {"id": 7, "content": "<e>", "special": true, "normalized": false}],
    "pre_tokenizer": )" + pre_tokenizer + R"(,
    "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "c": 2, " ": 3, "ab": 4, "abc": 5},
              "merges": ["a b", "ab c"]}})");
  EXPECT_TRUE(loaded) << loaded.error().message();
  return *loaded;
}

std::vector<TokenId> through(PrefixCache& cache, std::string_view text) {
  std::vector<TokenId> ids;
  EXPECT_TRUE(cache.encode(text, ids));
  return ids;
}

TEST(PrefixCache, GivesTheIdsOfTheTokenizer) {
  const auto tokenizer = small();
  PrefixCache cache(tokenizer);
  ASSERT_TRUE(cache.active());
  std::string conversation;
  for (int turn = 0; turn < 30; ++turn) {
    conversation += "<s>abc ab" + std::string(static_cast<std::size_t>(turn), 'c') + "<e>";
    EXPECT_EQ(through(cache, conversation + "<s>"), *tokenizer->encode(conversation + "<s>"))
        << turn;
  }
  const PrefixCacheStats stats = cache.stats();
  EXPECT_EQ(stats.misses, 1U);
  EXPECT_EQ(stats.hits, 29U);
  EXPECT_GT(stats.tokens_cached, stats.tokens_uncached);
}

TEST(PrefixCache, TextsOfEqualHashKeepTheirOwnIds) {
  // XXH3 is public, so such texts can be made: these differ in two letters.
  std::string one(1'100, 'x');
  one.replace(448, 8, "ayz\xC2\x81:&L");
  one.replace(896, 8, "byzw\xCD\xB4Y1");
  std::string other = one;
  std::swap(other[448], other[896]);
  ASSERT_EQ(base::xxh3_128(one + "<s>"), base::xxh3_128(other + "<s>"));
  const auto tokenizer = small();
  for (const std::string& behind : {std::string("<s>a"), std::string("<s>")}) {
    PrefixCache cache(tokenizer);
    through(cache, "<s>" + one + behind);
    EXPECT_EQ(through(cache, "<s>" + other + behind), *tokenizer->encode("<s>" + other + behind));
    EXPECT_NE(through(cache, "<s>" + one + behind), through(cache, "<s>" + other + behind));
  }
}

TEST(PrefixCache, TextWithoutBoundariesIsAMiss) {
  PrefixCache cache(small());
  EXPECT_EQ(through(cache, "abc"), (std::vector<TokenId>{5}));
  EXPECT_EQ(through(cache, "abc<e>"), (std::vector<TokenId>{5, 7}));
  EXPECT_EQ(cache.stats().misses, 2U);
  EXPECT_EQ(cache.stats().entries, 0U);
}

TEST(PrefixCache, StaysWithinItsBytes) {
  PrefixCacheOptions options;
  options.bytes_limit = 64 * 1024;
  PrefixCache cache(small(), options);
  for (int i = 0; i < 500; ++i) {
    through(cache, "<s>" + std::string(static_cast<std::size_t>(i + 1), 'a') + "<e>b");
  }
  EXPECT_LE(cache.stats().bytes, options.bytes_limit);
  EXPECT_GT(cache.stats().entries, 0U);
}

TEST(PrefixCache, WithoutExtendRemembersMissesOnly) {
  PrefixCacheOptions options;
  options.extend = false;
  PrefixCache cache(small(), options);
  through(cache, "<s>a<e>b");
  const std::uint64_t entries = cache.stats().entries;
  through(cache, "<s>a<e>b<e>c");
  EXPECT_EQ(cache.stats().entries, entries);
}

TEST(PrefixCache, RefusesTokenizersWhoseTokensLookAround) {
  EXPECT_FALSE(PrefixCache(small(R"("lstrip": true)")).active());
  EXPECT_FALSE(PrefixCache(small(R"("rstrip": true)")).active());
  EXPECT_FALSE(PrefixCache(small(R"("single_word": true)")).active());
  EXPECT_FALSE(
      PrefixCache(
          small(
              R"("lstrip": false)",
              R"({"type": "Metaspace", "replacement": "a", "prepend_scheme": "first", "split": false})"))
          .active());
  PrefixCacheOptions off;
  off.enabled = false;
  PrefixCache disabled(small(), off);
  EXPECT_FALSE(disabled.active());
  EXPECT_EQ(through(disabled, "abc"), (std::vector<TokenId>{5}));
}

TEST(PrefixCache, ServesManyThreads) {
  const auto tokenizer = small();
  PrefixCacheOptions options;
  options.bytes_limit = 32 * 1024;
  PrefixCache cache(tokenizer, options);
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      std::string text;
      for (int i = 0; i < 100; ++i) {
        text += i % 7 == t ? "<s>ab" : "<e>abc";
        std::vector<TokenId> ids;
        EXPECT_TRUE(cache.encode(text, ids));
        EXPECT_EQ(ids, *tokenizer->encode(text));
      }
    });
  }
}

}  // namespace
}  // namespace dynamo::tokenizer::prefix_cache_test
