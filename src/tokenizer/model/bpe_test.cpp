// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/model/bpe.h"

#include <dynamo/base/rng.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tokenizer/model/merge_word.h"

namespace dynamo::tokenizer::bpe_test {
namespace {

using detail::BpeModel;
using detail::BpeOptions;
using detail::ModelScratch;
using detail::Range;
using detail::Vocabulary;
using Ids = std::vector<TokenId>;
using Merge = std::pair<std::string, std::string>;

/// A random model over a few letters: every letter a token, then merges of what is there.
struct RandomModel {
  std::vector<std::string> tokens;
  std::vector<Merge> merges;
};
RandomModel random_model(Rng& rng, std::string_view letters, std::size_t merge_count) {
  RandomModel model;
  for (const char c : letters) model.tokens.emplace_back(1, c);
  while (model.merges.size() < merge_count) {
    const std::string a = model.tokens[rng.below(model.tokens.size())];
    const std::string b = model.tokens[rng.below(model.tokens.size())];
    const std::string product = a + b;
    if (product.size() > 8) continue;
    if (std::find(model.merges.begin(), model.merges.end(), Merge(a, b)) != model.merges.end())
      continue;
    if (std::find(model.tokens.begin(), model.tokens.end(), product) == model.tokens.end())
      model.tokens.push_back(product);
    model.merges.emplace_back(a, b);
  }
  return model;
}

std::unique_ptr<BpeModel> build(const RandomModel& model, BpeOptions options = {}) {
  Vocabulary vocabulary;
  for (TokenId id = 0; id < model.tokens.size(); ++id)
    EXPECT_TRUE(vocabulary.add(model.tokens[id], id));
  auto bpe = std::make_unique<BpeModel>(std::move(vocabulary), std::move(options));
  for (const auto& [a, b] : model.merges) EXPECT_TRUE(bpe->add_merge(a, b));
  bpe->finish();
  return bpe;
}

/// The definition, word for word: again and again the pair of the lowest rank, of these the
/// leftmost.
Ids merged_by_definition(const RandomModel& model, std::string_view word) {
  std::map<Merge, std::size_t> rank;
  for (std::size_t i = 0; i < model.merges.size(); ++i) rank[model.merges[i]] = i;
  std::vector<std::string> symbols;
  for (const char c : word) symbols.emplace_back(1, c);
  for (;;) {
    std::optional<std::pair<std::size_t, std::size_t>> best;
    for (std::size_t i = 0; i + 1 < symbols.size(); ++i) {
      const auto found = rank.find({symbols[i], symbols[i + 1]});
      if (found != rank.end() && (!best || found->second < best->first)) best = {found->second, i};
    }
    if (!best) break;
    symbols[best->second] += symbols[best->second + 1];
    symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(best->second) + 1);
  }
  Ids ids;
  for (const std::string& symbol : symbols) {
    ids.push_back(static_cast<TokenId>(std::find(model.tokens.begin(), model.tokens.end(), symbol) -
                                       model.tokens.begin()));
  }
  return ids;
}

Ids encode(const BpeModel& model, std::string_view text, ModelScratch& scratch) {
  scratch.ids.clear();
  const Range whole{0, static_cast<std::uint32_t>(text.size())};
  EXPECT_TRUE(model.encode(text, {&whole, 1}, scratch));
  return {scratch.ids.ids().begin(), scratch.ids.ids().end()};
}

TEST(BpeModel, MergesAsDefinedForAllLengths) {
  Rng rng(7);
  for (int round = 0; round < 20; ++round) {
    const RandomModel model = random_model(rng, "abcd ", 40);
    const auto bpe = build(model);
    ModelScratch scratch;
    for (int i = 0; i < 60; ++i) {
      std::string word;
      const std::uint64_t length = 1 + rng.below(i % 3 == 0 ? 120 : 16);
      for (std::uint64_t k = 0; k < length; ++k) word += "abcd "[rng.below(5)];
      const Ids expected = merged_by_definition(model, word);
      EXPECT_EQ(encode(*bpe, word, scratch), expected) << word;
      EXPECT_EQ(encode(*bpe, word, scratch), expected) << word << " from the cache";
    }
  }
}

TEST(BpeModel, IgnoreMergesTakesWholePiecesOnly) {
  RandomModel model;
  model.tokens = {"a", "b", "c", "abc", "ab"};
  model.merges = {{"a", "b"}};
  ModelScratch scratch;
  EXPECT_EQ(encode(*build(model), "abc", scratch), (Ids{4, 2}));
  BpeOptions options;
  options.ignore_merges = true;
  ModelScratch fresh;
  const auto ignoring = build(model, std::move(options));
  EXPECT_EQ(encode(*ignoring, "abc", fresh), (Ids{3}));
  EXPECT_EQ(encode(*ignoring, "abcabc", fresh), (Ids{4, 2, 4, 2}));
}

TEST(BpeModel, AMergeMakesTheTokenThatIsFoundWhereTwoAreEqual) {
  // "ac" (3) first, so that the next merge's token is looked for right behind it.
  const auto model =
      build({.tokens = {"a", "b", "c", "ac", "ab", "ab"}, .merges = {{"a", "c"}, {"a", "b"}}});
  EXPECT_EQ(model->find("ab"), 5U);
  ModelScratch scratch;
  EXPECT_EQ(encode(*model, "ab", scratch), (Ids{5}));
  EXPECT_EQ(encode(*model, "abac", scratch), (Ids{5, 3}));
}

TEST(BpeModel, FusesUnknownCharactersWhenAsked) {
  RandomModel model;
  model.tokens = {"a", "<unk>"};
  BpeOptions options;
  options.unk_token = "<unk>";
  ModelScratch scratch;
  EXPECT_EQ(encode(*build(model, options), "xya", scratch), (Ids{1, 1, 0}));
  options.fuse_unk = true;
  ModelScratch fresh;
  EXPECT_EQ(encode(*build(model, options), "xya", fresh), (Ids{1, 0}));
}

TEST(BpeModel, LeavesOutUnknownCharactersWithoutAnUnknownToken) {
  RandomModel model;
  model.tokens = {"a"};
  ModelScratch scratch;
  EXPECT_EQ(encode(*build(model), "xax", scratch), (Ids{0}));
}

TEST(BpeModel, SaysWhichMergeIsWrong) {
  Vocabulary vocabulary;
  ASSERT_TRUE(vocabulary.add("a", 0));
  ASSERT_TRUE(vocabulary.add("b", 1));
  BpeModel model(std::move(vocabulary), {});
  const auto added = model.add_merge("a", "b");
  ASSERT_FALSE(added);
  EXPECT_EQ(added.error().message(), "merge 0 ('a' and 'b'): 'ab' is not in the vocabulary");
}

TEST(BpeModel, AffixesMarkTheFirstAndTheLastSymbol) {
  RandomModel model;
  model.tokens = {"a", "##b", "##c</w>", "a</w>", "a##b"};
  BpeOptions options;
  options.continuing_prefix = "##";
  options.end_suffix = "</w>";
  ModelScratch scratch;
  const auto bpe = build(model, options);
  EXPECT_EQ(encode(*bpe, "abc", scratch), (Ids{0, 1, 2}));
  EXPECT_EQ(encode(*bpe, "a", scratch), (Ids{3}));
}

TEST(MergeTable, KeepsTheLastRankOfARepeatedPair) {
  detail::MergeTable table;
  ASSERT_TRUE(table.add(1, 2, 3));
  ASSERT_TRUE(table.add(4, 5, 6));
  ASSERT_TRUE(table.add(1, 2, 3));
  EXPECT_EQ(table.find(1, 2), 2U);
  EXPECT_EQ(table.find(4, 5), 1U);
  EXPECT_EQ(table.find(2, 1), detail::kNoRank);
  EXPECT_FALSE(table.add(detail::kTokenIdLimit, 0, 0));
}

TEST(CutTable, NeverCutsWhereATokenReachesAcross) {
  detail::CutTable cuts(4);
  cuts.add("ab");
  cuts.add("\u65e5\u672c");
  cuts.add("\xA5\xE4");  // ends of characters: anything between such bytes may merge
  EXPECT_FALSE(cuts.can_cut("ab", 1));
  EXPECT_TRUE(cuts.can_cut("ba", 1));
  EXPECT_FALSE(cuts.can_cut("\u65e5\u672c", 3));
  EXPECT_TRUE(cuts.can_cut("\u672c\u65e5", 3));
  EXPECT_FALSE(cuts.can_cut("\u65e5\u4e00", 3));  // E6 97 A5 | E4 B8 80
}

}  // namespace
}  // namespace dynamo::tokenizer::bpe_test
