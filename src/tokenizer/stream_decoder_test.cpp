// SPDX-License-Identifier: Apache-2.0
#include <dynamo/tokenizer/stream_decoder.h>
#include <dynamo/tokenizer/tokenizer.h>

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace dynamo::tokenizer::stream_decoder_test {
namespace {

using Ids = std::vector<TokenId>;

/// Tokens of a SentencePiece kind: words, and the bytes E4, BD, A0 and FF.
std::shared_ptr<const Tokenizer> sentencepiece() {
  auto loaded = Tokenizer::from_json_text(R"({
    "added_tokens": [{"id": 8, "content": "</s>", "special": true}],
    "decoder": {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
      {"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
    "model": {"type": "BPE", "byte_fallback": true, "merges": [], "vocab": {"▁Hello": 0, "▁world": 1, "!": 2,
      "<0xE4>": 3, "<0xBD>": 4, "<0xA0>": 5, "<0xFF>": 6, "▁": 7}}})");
  EXPECT_TRUE(loaded) << loaded.error().message();
  return *loaded;
}

/// Byte-level: letters, and the bytes E4, BD, A0 and FF.
std::shared_ptr<const Tokenizer> byte_level() {
  auto loaded = Tokenizer::from_json_text(R"({
    "added_tokens": [{"id": 7, "content": "<e>", "special": true}],
    "decoder": {"type": "ByteLevel"},
    "model": {"type": "BPE", "merges": [], "vocab": {"a": 0, "ab": 1, "Ġc": 2, "ä": 3, "½": 4, "ł": 5, "ÿ": 6}}})");
  EXPECT_TRUE(loaded) << loaded.error().message();
  return *loaded;
}

std::vector<std::string> steps(StreamDecoder decoder, const Ids& ids) {
  std::vector<std::string> out;
  for (const TokenId id : ids) out.emplace_back(decoder.step(id));
  out.emplace_back(decoder.finish());
  return out;
}
using Texts = std::vector<std::string>;

TEST(StreamDecoder, StripsTheFirstSpaceOnly) {
  EXPECT_EQ(steps(StreamDecoder(sentencepiece()), {0, 1, 2}), (Texts{"Hello", " world", "!", ""}));
}

TEST(StreamDecoder, KeepsTheSpaceBehindAPrompt) {
  EXPECT_EQ(steps(StreamDecoder(sentencepiece(), Ids{0}), {1, 2}), (Texts{" world", "!", ""}));
}

TEST(StreamDecoder, WaitsForWholeCharacters) {
  EXPECT_EQ(steps(StreamDecoder(sentencepiece()), {0, 3, 4, 5, 2}),
            (Texts{"Hello", "", "", "\u4f60", "!", ""}));
  EXPECT_EQ(steps(StreamDecoder(byte_level()), {0, 3, 4, 5, 1}),
            (Texts{"a", "", "", "\u4f60", "ab", ""}));
}

TEST(StreamDecoder, GivesInvalidBytesOutWithTheNextText) {
  EXPECT_EQ(steps(StreamDecoder(byte_level()), {6, 0}), (Texts{"", "\uFFFDa", ""}));
  EXPECT_EQ(steps(StreamDecoder(sentencepiece()), {0, 6, 2}), (Texts{"Hello", "", "\uFFFD!", ""}));
}

TEST(StreamDecoder, FlushesAtTheEnd) {
  EXPECT_EQ(steps(StreamDecoder(byte_level()), {0, 3, 4}), (Texts{"a", "", "", "\uFFFD"}));
  EXPECT_EQ(steps(StreamDecoder(sentencepiece()), {0, 3}), (Texts{"Hello", "", "\uFFFD"}));
}

TEST(StreamDecoder, CompletesACharacterThatThePromptBegan) {
  EXPECT_EQ(steps(StreamDecoder(byte_level(), Ids{0, 3}), {4, 5, 0}),
            (Texts{"", "\u4f60", "a", ""}));
}

TEST(StreamDecoder, SkipsSpecialTokensWhenAsked) {
  EXPECT_EQ(steps(StreamDecoder(byte_level(), {}, true), {0, 7, 0}), (Texts{"a", "", "a", ""}));
  EXPECT_EQ(steps(StreamDecoder(byte_level(), {}, false), {0, 7, 0}), (Texts{"a", "<e>", "a", ""}));
  EXPECT_EQ(steps(StreamDecoder(sentencepiece(), {}, true), {0, 8, 1}),
            (Texts{"Hello", "", " world", ""}));
}

TEST(StreamDecoder, IgnoresUnknownIds) {
  EXPECT_EQ(steps(StreamDecoder(byte_level()), {0, 4'000'000'000U, 0}), (Texts{"a", "", "a", ""}));
  EXPECT_EQ(steps(StreamDecoder(sentencepiece()), {0, 4'000'000'000U, 2}),
            (Texts{"Hello", "", "!", ""}));
}

TEST(StreamDecoder, DoesNotWithholdAStreamOfInvalidBytesForEver) {
  for (const auto& tokenizer : {byte_level(), sentencepiece()}) {
    StreamDecoder decoder(tokenizer);
    std::size_t given = 0;
    for (int i = 0; i < 10'000; ++i) given += decoder.step(6).size();
    EXPECT_GT(given, 25'000U);
    given += decoder.finish().size();
    EXPECT_EQ(given, 30'000U);
  }
}

}  // namespace
}  // namespace dynamo::tokenizer::stream_decoder_test
