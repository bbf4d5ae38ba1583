// SPDX-License-Identifier: Apache-2.0
#include "engines/batching/grammar/gbnf_follower.h"

#include <dynamo/base/rng.h>
#include <dynamo/base/utf8.h>

#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "engines/batching/grammar/earley_matcher.h"

namespace dynamo::engines::batching {
namespace gbnf_follower_test {
namespace {

using grammar::EarleyMatcher;

std::shared_ptr<const grammar::GbnfGrammar> parsed(std::string_view gbnf) {
  auto grammar = grammar::parse_gbnf(gbnf);
  EXPECT_TRUE(grammar) << gbnf << ": " << grammar.error().message();
  return std::make_shared<const grammar::GbnfGrammar>(*std::move(grammar));
}

bool feed(EarleyMatcher& matcher, std::string_view text) {
  for (const char c : text) {
    if (!matcher.feed(static_cast<unsigned char>(c))) return false;
  }
  return true;
}
bool matches(std::string_view gbnf, std::string_view text) {
  EarleyMatcher matcher(parsed(gbnf));
  return feed(matcher, text) && matcher.complete();
}

TEST(EarleyMatcher, FollowsRecursionOnEitherSideAndInTheMiddle) {
  for (const char* gbnf : {"root ::= \"\" | root \"a\"", "root ::= \"\" | \"a\" root",
                           "root ::= \"a\"*", "root ::= (\"a\"*)*", "root ::= \"a\"{0,7}"}) {
    EXPECT_TRUE(matches(gbnf, "")) << gbnf;
    EXPECT_TRUE(matches(gbnf, "aaaaa")) << gbnf;
    EXPECT_FALSE(matches(gbnf, "aab")) << gbnf;
  }
  EXPECT_TRUE(matches("root ::= \"(\" root \")\" | \"\"", "((()))"));
  EXPECT_FALSE(matches("root ::= \"(\" root \")\" | \"\"", "((())"));
  EXPECT_TRUE(matches("root ::= a b c\na ::= b?\nb ::= c*\nc ::= \"x\"?", "xx"));
}

TEST(EarleyMatcher, ListsCostTheSameForEachCharacterWhicheverWayTheyRecur) {
  for (const char* gbnf :
       {"root ::= [a-z] root | \"\"", "root ::= [a-z] | [a-z] root", "root ::= root [a-z] | \"\"",
        "root ::= word (\" \" word)*\nword ::= [a-z] word | [a-z]"}) {
    EarleyMatcher matcher(parsed(gbnf));
    ASSERT_TRUE(feed(matcher, std::string(1'000, 'a'))) << gbnf;
    const std::uint64_t work = matcher.work();
    const std::size_t items = matcher.items();
    ASSERT_TRUE(feed(matcher, std::string(9'000, 'a'))) << gbnf;
    EXPECT_TRUE(matcher.complete()) << gbnf;
    EXPECT_LE(matcher.work(), 11 * work) << gbnf;
    EXPECT_LE(matcher.items(), 11 * items) << gbnf;
  }
}

/// Which texts a grammar has, by its definition: which rules give which part of the text, found
/// again and again until nothing is added.
bool by_definition(const grammar::GbnfGrammar& grammar, std::string_view text) {
  using Kind = grammar::GbnfGrammar::Symbol::Kind;
  const std::size_t n = text.size() + 1;
  std::vector<bool> gives(grammar.rules.size() * n * n);
  const auto at = [n](std::size_t rule, std::size_t i, std::size_t j) {
    return (rule * n + i) * n + j;
  };
  for (bool added = true; std::exchange(added, false);) {
    for (std::size_t rule = 0; rule < grammar.rules.size(); ++rule) {
      for (const std::uint32_t alternative : grammar.rules[rule].alternatives) {
        for (std::size_t i = 0; i < n; ++i) {
          std::vector<bool> ends(n);
          ends[i] = true;
          for (std::uint32_t s = alternative; grammar.symbols[s].kind != Kind::end; ++s) {
            const auto symbol = grammar.symbols[s];
            std::vector<bool> next(n);
            for (std::size_t k = 0; k < n; ++k) {
              if (!ends[k]) continue;
              if (symbol.kind == Kind::set) {
                if (k + 1 < n &&
                    grammar.sets[symbol.value].contains(static_cast<unsigned char>(text[k])))
                  next[k + 1] = true;
              } else {
                for (std::size_t j = k; j < n; ++j) {
                  if (gives[at(symbol.value, k, j)]) next[j] = true;
                }
              }
            }
            ends = std::move(next);
          }
          for (std::size_t j = i; j < n; ++j) {
            if (!ends[j] || gives[at(rule, i, j)]) continue;
            gives[at(rule, i, j)] = true;
            added = true;
          }
        }
      }
    }
  }
  return gives[at(grammar.root, 0, text.size())];
}

TEST(EarleyMatcher, AgreesWithTheDefinitionOnRandomGrammars) {
  Rng rng(7);
  const std::vector<std::string> names = {"root", "x", "y", "z"};
  std::size_t grammars = 0;
  std::size_t matched = 0;
  for (int round = 0; round < 600; ++round) {
    std::string gbnf;
    for (const std::string& name : names) {
      gbnf += name + " ::= ";
      const std::uint64_t alternatives = 1 + rng.below(3);
      for (std::uint64_t a = 0; a < alternatives; ++a) {
        if (a > 0) gbnf += " | ";
        gbnf += "\"\"";
        for (std::uint64_t k = rng.below(4); k > 0; --k) {
          gbnf += ' ';
          gbnf += rng.below(2) == 0   ? names[rng.below(names.size())]
                  : rng.below(2) == 0 ? std::string("\"a\"")
                                      : "\"b\"";
          if (rng.below(8) == 0) gbnf += "*?+"[rng.below(3)];
        }
      }
      gbnf += '\n';
    }
    auto read = grammar::parse_gbnf(gbnf);
    if (!read) continue;  // without any text
    ++grammars;
    const auto shared = std::make_shared<const grammar::GbnfGrammar>(*std::move(read));
    for (int i = 0; i < 8; ++i) {
      std::string text;
      for (std::uint64_t k = rng.below(7); k > 0; --k) text += "ab"[rng.below(2)];
      EarleyMatcher matcher(shared);
      bool fits = true;
      for (const char c : text) {
        fits = fits && feed(matcher, std::string_view(&c, 1));
        if (rng.below(3) == 0) matcher.forget_the_past();
      }
      fits = fits && matcher.complete();
      matched += fits ? 1U : 0U;
      ASSERT_EQ(fits, by_definition(*shared, text)) << gbnf << "text: " << text;
    }
  }
  EXPECT_GT(grammars, 200U);
  EXPECT_GT(matched, 200U);
}

TEST(EarleyMatcher, AClassMayHaveManyRanges) {
  std::string many = "root ::= [";
  for (char32_t c = 0x10000; c < 0x1C000; c += 2) base::append_utf8(many, c);
  const auto grammar = parsed(many + "]*");
  EXPECT_EQ(grammar->sets.front().ranges().size(), 0x6000U);
  EarleyMatcher matcher(grammar);
  EXPECT_TRUE(feed(matcher, "\U00010000\U0001BFFE\U00010002"));
  EXPECT_FALSE(feed(matcher, "\U00010001"));
}

TEST(EarleyMatcher, CountsRepetitions) {
  const std::string gbnf = "root ::= (\"ab\"){2,4} [0-9]{3} \"z\"{2,}";
  EXPECT_TRUE(matches(gbnf, "abab123zz"));
  EXPECT_TRUE(matches(gbnf, "abababab123zzzzz"));
  for (const char* bad : {"ab123zz", "ababababab123zz", "abab12zz", "abab123z"})
    EXPECT_FALSE(matches(gbnf, bad)) << bad;
}

TEST(EarleyMatcher, ReadsCodePointsByteByByte) {
  EXPECT_TRUE(matches("root ::= [à-ü]+ \"\\U0001F600\" .", "éü😀€"));
  EarleyMatcher matcher(parsed("root ::= [\\u4e00-\\u9fff]"));
  const auto start = matcher.mark();
  EXPECT_TRUE(feed(matcher, "\xE4\xB8"));  // of 一
  EXPECT_FALSE(matcher.complete());
  EXPECT_TRUE(feed(matcher, "\x80"));
  EXPECT_TRUE(matcher.complete());
  matcher.go_back(start);
  EXPECT_FALSE(feed(matcher, "\xF0"));  // nothing there has four bytes
  matcher.go_back(start);
  EXPECT_FALSE(feed(matcher, "\x80"));  // no beginning
  EarleyMatcher any(parsed("root ::= .*"));
  const auto here = any.mark();
  for (const char* bad : {"\xC0", "\xE0\x80", "\xED\xA0", "\xF4\x90", "\xF5", "\xFF"}) {
    EXPECT_FALSE(feed(any, bad));
    any.go_back(here);
  }
}

TEST(EarleyMatcher, WhatCannotMatterIsForgotten) {
  EarleyMatcher matcher(parsed("root ::= \"\\\"\" [^\"]* \"\\\"\""));
  ASSERT_TRUE(feed(matcher, "\""));
  for (int i = 0; i < 10'000; ++i) {
    ASSERT_TRUE(matcher.feed('a'));
    if (i % 100 == 0) matcher.forget_the_past();
  }
  EXPECT_LT(matcher.items(), 2000U);
  EXPECT_TRUE(feed(matcher, "\""));
  EXPECT_TRUE(matcher.complete());
}

// A list of stacks, one for each way to go on, would double with every letter here.
TEST(EarleyMatcher, AmbiguityCostsNoMoreThanTheTextIsLong) {
  EarleyMatcher matcher(parsed("root ::= \"a\" root \"b\" | \"a\" root \"c\" | \"a\""));
  ASSERT_TRUE(feed(matcher, std::string(1000, 'a')));
  EXPECT_LT(matcher.work(), 100'000U);
  EXPECT_TRUE(feed(matcher, "bcb"));
}

TEST(GbnfGrammar, WithoutAnyTextIsRefused) {
  for (const char* gbnf :
       {"root ::= root \"a\"", "root ::= a\na ::= \"x\" b\nb ::= a", "root ::= []"})
    EXPECT_EQ(grammar::parse_gbnf(gbnf).error().code(), Errc::invalid_argument) << gbnf;
}

TEST(GbnfGrammar, RepetitionsOfRepetitionsAreBounded) {
  std::string gbnf = "root ::= ";
  for (int i = 0; i < 40; ++i) gbnf += "(";
  gbnf += "\"a\"";
  for (int i = 0; i < 40; ++i) gbnf += "){2000}";
  EXPECT_TRUE(grammar::parse_gbnf(gbnf));  // each level costs 2000 symbols, not 2000 times the last
  std::string many = "root ::=";
  for (int i = 0; i < 1000; ++i) many += " \"a\"{2000}";
  EXPECT_NE(grammar::parse_gbnf(many).error().message().find("too large"), std::string::npos);
}

/// Tokens 0 … n-1 with these texts, then one that ends the answer.
std::shared_ptr<const Vocabulary> vocabulary(std::vector<std::string> texts) {
  const auto end = static_cast<TokenId>(texts.size());
  texts.emplace_back("<end>");
  return std::make_shared<const Vocabulary>(std::move(texts), std::vector<TokenId>{end});
}

std::vector<TokenId> allowed(Grammar& grammar, std::size_t tokens) {
  std::vector<float> logits(tokens, 1.0F);
  const auto masked = grammar.mask(logits);
  EXPECT_TRUE(masked) << masked.error().message();
  std::vector<TokenId> out;
  for (TokenId id = 0; id < tokens; ++id) {
    const auto one = grammar.allows(id);
    EXPECT_TRUE(one);
    EXPECT_EQ(*one, !std::isinf(logits[id])) << id;
    if (!std::isinf(logits[id])) out.push_back(id);
  }
  return out;
}

TEST(GbnfFollower, MaskAndAllowsAgree) {
  const auto words = vocabulary({"a", "ab", "abc", "b", "", "ac", "\xC3", "\xA9", "é", "z"});
  auto grammar = make_gbnf_grammar("root ::= \"a\" [b-cé]*", words);
  ASSERT_TRUE(grammar);
  using Ids = std::vector<TokenId>;
  EXPECT_EQ(allowed(**grammar, 11), (Ids{0, 1, 2, 5}));
  ASSERT_TRUE((*grammar)->accept(1));
  EXPECT_EQ(allowed(**grammar, 11), (Ids{3, 6, 8, 10}));
  ASSERT_TRUE((*grammar)->accept(6));  // half of é
  EXPECT_EQ(allowed(**grammar, 11), (Ids{7}));
  EXPECT_EQ((*grammar)->accept(3).error().code(), Errc::internal);
}

TEST(GbnfFollower, MasksAgreeWithTokensOneByOneOnManyWords) {
  std::vector<std::string> texts;
  for (char a = 'a'; a <= 'j'; ++a) {
    texts.emplace_back(1, a);
    for (char b = 'a'; b <= 'j'; ++b) {
      texts.push_back({a, b});
      texts.push_back({a, b, static_cast<char>(a ^ b ^ 'c')});
    }
  }
  const auto words = vocabulary(std::move(texts));
  auto grammar =
      make_gbnf_grammar("root ::= ([a-e] x | [c-g]{2,3})+\nx ::= [f-j] | \"\" | x \"a\"", words);
  ASSERT_TRUE(grammar);
  for (int step = 0; step < 12; ++step) {
    const auto ids = allowed(**grammar, words->size());
    ASSERT_FALSE(ids.empty());
    const TokenId next = ids[static_cast<std::size_t>(step * 37) % ids.size()];
    if (next + 1 == words->size()) continue;
    ASSERT_TRUE((*grammar)->accept(next));
  }
}

TEST(GbnfFollower, AGrammarThatTakesTooLongSaysSo) {
  const auto words = vocabulary({std::string(400, 'a'), "a"});
  // Every way to cut the text in two, at every level: its cost grows with the text's cube.
  auto grammar = make_gbnf_grammar("root ::= root root | \"a\"", words);
  ASSERT_TRUE(grammar);
  const auto done = (*grammar)->accept(0);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code(), Errc::invalid_argument);
  EXPECT_NE(done.error().message().find("too costly"), std::string::npos) << done.error().message();

  auto small = make_gbnf_grammar("root ::= [ab]*", vocabulary({"a", "b", "ab"}), {.mask_work = 3});
  std::vector<float> logits(4);
  EXPECT_NE((*small)->mask(logits).error().message().find("too costly"), std::string::npos);
}

TEST(GbnfFollower, AStateThatGrowsTooLargeSaysSo) {
  auto grammar = make_gbnf_grammar("root ::= \"a\" root \"b\" | \"\"", vocabulary({"aaaaaaaa"}),
                                   {.items = 5000});
  Result<void> done;
  int accepted = 0;
  while (done && accepted < 100'000) {
    done = (*grammar)->accept(0);
    ++accepted;
  }
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().message().find("too much memory"), std::string::npos);
}

}  // namespace
}  // namespace gbnf_follower_test
}  // namespace dynamo::engines::batching
