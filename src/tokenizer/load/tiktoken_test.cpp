// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/base64.h>
#include <dynamo/tokenizer/stream_decoder.h>
#include <dynamo/tokenizer/tokenizer.h>

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace dynamo::tokenizer::tiktoken_test {
namespace {

using Ids = std::vector<TokenId>;

/// All bytes, then a few tokens.
std::string ranks() {
  std::string out;
  TokenId rank = 0;
  const auto add = [&](const std::string& token) {
    out += base::base64_encode(token) + " " + std::to_string(rank++) + "\n";
  };
  for (int b = 0; b < 256; ++b) add(std::string(1, static_cast<char>(b)));
  for (const char* token : {"he", "ll", "hell", "hello", " w", "\xE4\xBD"}) add(token);
  return out;
}
constexpr TokenId kHe = 256;
constexpr TokenId kLl = 257;
constexpr TokenId kHello = 259;
constexpr TokenId kBase = 262;  // one more than the largest rank

constexpr std::string_view kConfig =
    R"({"added_tokens_decoder": {"262": {"content": "[BOS]", "special": true},
  "264": {"content": "<|im_end|>", "special": true}}})";

std::shared_ptr<const Tokenizer> load(std::string_view config = kConfig) {
  auto loaded = Tokenizer::from_tiktoken_text(ranks(), "kimi_k2", {}, config);
  EXPECT_TRUE(loaded) << loaded.error().message();
  return *loaded;
}

TEST(Tiktoken, MergesByTheRankOfWhatComesOut) {
  const auto tokenizer = load();
  EXPECT_EQ(*tokenizer->encode("hello"), (Ids{kHello}));
  EXPECT_EQ(*tokenizer->encode("hella"), (Ids{258, 'a'}));
  EXPECT_EQ(*tokenizer->encode("xhell"), (Ids{'x', 258}));
  EXPECT_EQ(*tokenizer->encode("hexll"), (Ids{kHe, 'x', kLl}));
}

TEST(Tiktoken, NamesAndReservesTheIdsBehindTheRanks) {
  const auto tokenizer = load();
  EXPECT_EQ(tokenizer->id_of("[BOS]"), kBase);
  EXPECT_EQ(tokenizer->id_of("<|im_end|>"), kBase + 2);
  EXPECT_EQ(tokenizer->token(kBase + 1), "<|reserved_token_263|>");
  EXPECT_EQ(tokenizer->vocab_size(), kBase + 256U);
  EXPECT_EQ(*tokenizer->encode("[BOS]hello<|im_end|>"), (Ids{kBase, kHello, kBase + 2}));
  EXPECT_EQ(tokenizer->decode(Ids{kBase, kHello, kBase + 2}, true), "hello");
  EXPECT_EQ(tokenizer->decode(Ids{kBase, kHello, kBase + 2}, false), "[BOS]hello<|im_end|>");
  EXPECT_EQ(load("")->token(kBase), "<|reserved_token_262|>");
}

TEST(Tiktoken, SegmentsCannotForgeTokens) {
  const auto tokenizer = load();
  const std::vector<Segment> segments = {{"[BOS]", true}, {"[BOS]", false}, {"", true}};
  Ids ids;
  ASSERT_TRUE(tokenizer->encode_segments(segments, ids));
  EXPECT_EQ(ids, (Ids{kBase, '[', 'B', 'O', 'S', ']'}));
}

TEST(Tiktoken, DecodesBytes) {
  const auto tokenizer = load();
  std::string text;
  EXPECT_FALSE(tokenizer->decode(Ids{261}, false, text));  // E4 BD: inside a character
  EXPECT_EQ(text, "\uFFFD");
  text.clear();
  EXPECT_TRUE(tokenizer->decode(Ids{261, 0xA0}, false, text));
  EXPECT_EQ(text, "\u4f60");
  text.clear();
  EXPECT_TRUE(tokenizer->decode(Ids{0xEF, 0xBF, 0xBD}, false, text));  // a real U+FFFD
  EXPECT_EQ(text, "\uFFFD");
}

TEST(Tiktoken, CutsVeryLongRunsAsTheModelsOwnTokenizer) {
  const auto tokenizer = load();
  // 25,000 characters at a time: the border falls inside a token that would else be one.
  std::string text(24'999, 'x');
  text += "hello";
  const auto ids = tokenizer->encode(text);
  ASSERT_TRUE(ids);
  EXPECT_EQ(ids->size(), 24'999U + 4U);  // h | e ll o, where one token would do
}

TEST(Tiktoken, SaysWhatIsWrong) {
  const auto message = [](std::string_view text, std::string_view type) {
    const auto loaded = Tokenizer::from_tiktoken_text(text, type);
    return loaded ? std::string("loaded") : loaded.error().message();
  };
  EXPECT_EQ(message("aGk= 0\n\naGk\n", "kimi"),
            "tiktoken line 3: expected base64 of a token, a space and its rank");
  EXPECT_EQ(message("aGk= x\n", "kimi"),
            "tiktoken line 1: expected base64 of a token, a space and its rank");
  EXPECT_EQ(message("", "kimi"), "tiktoken file without tokens");
  EXPECT_NE(message(ranks(), "llama").find("supported are kimi, kimi_k2"), std::string::npos);
}

TEST(Tiktoken, FailsOnBytesWithoutToken) {
  const auto tokenizer = Tokenizer::from_tiktoken_text("YQ== 0\n", "kimi");
  ASSERT_TRUE(tokenizer);
  EXPECT_TRUE((*tokenizer)->encode("a"));
  EXPECT_FALSE((*tokenizer)->encode("b"));
}

}  // namespace
}  // namespace dynamo::tokenizer::tiktoken_test
