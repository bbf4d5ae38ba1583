// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/rng.h>
#include <dynamo/base/utf8.h>

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace dynamo::base::utf8_test {
namespace {

using namespace std::string_literals;

const std::string kR = "\xEF\xBF\xBD";

std::string encode(char32_t scalar) {
  std::string out;
  append_utf8(out, scalar);
  return out;
}

bool survives(char32_t scalar) {
  const std::string text = encode(scalar);
  const Utf8Char decoded = decode_utf8(text);
  bool good = decoded.valid && decoded.scalar == scalar && decoded.length_bytes == text.size() &&
              complete_utf8_prefix(text) == text.size();
  for (std::size_t cut = 1; cut < text.size(); ++cut) {
    good = good && complete_utf8_prefix(std::string_view(text).substr(0, cut)) == 0 &&
           utf8_floor(text, cut) == 0;
  }
  return good;
}

TEST(Utf8, EveryScalarSurvivesEncodingAndDecoding) {
  for (char32_t scalar = 0; scalar <= 0x10FFFF; ++scalar) {
    if (scalar == 0xD800) scalar = 0xE000;
    if (!survives(scalar)) FAIL() << std::hex << static_cast<std::uint32_t>(scalar);
  }
}

TEST(Utf8, LengthsChangeAtTheirBoundaries) {
  EXPECT_EQ(encode(0x7F), "\x7F");
  EXPECT_EQ(encode(0x80), "\xC2\x80");
  EXPECT_EQ(encode(0x7FF), "\xDF\xBF");
  EXPECT_EQ(encode(0x800), "\xE0\xA0\x80");
  EXPECT_EQ(encode(0xFFFF), "\xEF\xBF\xBF");
  EXPECT_EQ(encode(0x10000), "\xF0\x90\x80\x80");
  EXPECT_EQ(encode(0x10FFFF), "\xF4\x8F\xBF\xBF");
}

TEST(Utf8, WhatIsNoScalarIsWrittenAsReplacement) {
  EXPECT_EQ(encode(0xD800), kR);
  EXPECT_EQ(encode(0xDFFF), kR);
  EXPECT_EQ(encode(0x110000), kR);
}

TEST(Utf8, IllFormedSubpartsAreMaximal) {
  struct Case {
    std::string text;
    std::string repaired;
  };
  const std::vector<Case> cases{
      {"\x80", kR},                                  // continuation alone
      {"\xBF\xBF", kR + kR},                         //
      {"\xC0\xAF", kR + kR},                         // overlong lead is no lead
      {"\xC1\xBF", kR + kR},                         //
      {"\xC2", kR},                                  // truncated
      {"\xC2z", kR + "z"},                           //
      {"\xE0\x80\x80", kR + kR + kR},                // overlong: second byte out of range
      {"\xE0\x9F\xBF", kR + kR + kR},                //
      {"\xE0\xA0", kR},                              // one subpart of two bytes
      {"\xE0\xA0z", kR + "z"},                       //
      {"\xED\xA0\x80", kR + kR + kR},                // surrogate
      {"\xED\xBF\xBF", kR + kR + kR},                //
      {"\xED\x9F\xBF", "\xED\x9F\xBF"},              // last before the surrogates
      {"\xEE\x80\x80", "\xEE\x80\x80"},              // first behind them
      {"\xF0\x8F\xBF\xBF", kR + kR + kR + kR},       // overlong
      {"\xF0\x90\x80", kR},                          // one subpart of three bytes
      {"\xF0\x90\x80z", kR + "z"},                   //
      {"\xF0\x90z", kR + "z"},                       //
      {"\xF4\x90\x80\x80", kR + kR + kR + kR},       // above U+10FFFF
      {"\xF4\x8F\xBF\xBF", "\xF4\x8F\xBF\xBF"},      // last scalar
      {"\xF5\x80\x80\x80", kR + kR + kR + kR},       // no lead
      {"\xFE\xFF", kR + kR},                         //
      {"\xE2\x82\xE2\x82\xAC", kR + "\xE2\x82\xAC"}  // a new lead ends a subpart
  };
  for (const Case& c : cases) {
    EXPECT_EQ(to_valid_utf8(c.text), c.repaired) << ::testing::PrintToString(c.text);
    EXPECT_EQ(is_valid_utf8(c.text), c.text == c.repaired) << ::testing::PrintToString(c.text);
  }
  // Unicode Standard 15, table 3-8.
  EXPECT_EQ(to_valid_utf8("\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41"),
            kR + kR + kR + kR + kR + kR + kR + kR + "A");
  // Table 3-11: truncated sequences.
  EXPECT_EQ(to_valid_utf8("\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41"), kR + kR + kR + kR + "A");
}

TEST(Utf8, DecodeTellsTheLengthOfTheSubpart) {
  EXPECT_EQ(decode_utf8("\xF0\x90\x80z").length_bytes, 3);
  EXPECT_EQ(decode_utf8("\xE0\x80").length_bytes, 1);
  EXPECT_FALSE(decode_utf8("\xE0\x80").valid);
  EXPECT_EQ(decode_utf8("\xE0\x80").scalar, char32_t{0xFFFD});
  EXPECT_TRUE(decode_utf8("\xEF\xBF\xBD").valid);
}

TEST(Utf8, ValidPrefixEndsAtTheFirstFault) {
  EXPECT_EQ(valid_utf8_prefix(""), 0u);
  EXPECT_EQ(valid_utf8_prefix("plain ascii of more than eight bytes"), 36u);
  EXPECT_EQ(valid_utf8_prefix("12345678\xFFz"), 8u);
  EXPECT_EQ(valid_utf8_prefix("\xC3\xA9\xE2\x82"), 2u);
}

TEST(Utf8, CompletePrefixHoldsBackOnlyWhatMayBecomeWhole) {
  EXPECT_EQ(complete_utf8_prefix(""), 0u);
  EXPECT_EQ(complete_utf8_prefix("abc"), 3u);
  EXPECT_EQ(complete_utf8_prefix("a\xC3"), 1u);
  EXPECT_EQ(complete_utf8_prefix("a\xC3\xA9"), 3u);
  EXPECT_EQ(complete_utf8_prefix("a\xE2\x82"), 1u);
  EXPECT_EQ(complete_utf8_prefix("a\xF0\x9F\x98"), 1u);
  EXPECT_EQ(complete_utf8_prefix("a\xF0\x9F\x98\x80"), 5u);
  // Ill-formed whatever comes: nothing to wait for.
  EXPECT_EQ(complete_utf8_prefix("a\xE0\x80"), 3u);
  EXPECT_EQ(complete_utf8_prefix("a\xED\xA0"), 3u);
  EXPECT_EQ(complete_utf8_prefix("a\xF4\x90"), 3u);
  EXPECT_EQ(complete_utf8_prefix("a\xFF"), 2u);
  EXPECT_EQ(complete_utf8_prefix("\x80\x80\x80\x80"), 4u);
  EXPECT_EQ(complete_utf8_prefix("\xC3\xA9\xA9"), 3u);
}

TEST(Utf8, FloorNeverCutsACharacter) {
  const std::string text = "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80z";  // a é € 😀 z
  const std::vector<std::size_t> floors{0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11};
  for (std::size_t limit = 0; limit < floors.size(); ++limit)
    EXPECT_EQ(utf8_floor(text, limit), floors[limit]) << limit;
  EXPECT_EQ(utf8_floor(text, 1000), text.size());
  EXPECT_EQ(utf8_floor("\x80\x80\x80\x80\x80", 3), 3u);
}

TEST(Utf8, RepairedBytesAreValidAndHoldNothingMoreBack) {
  Rng rng(7);
  for (int round = 0; round < 20000; ++round) {
    std::string text;
    for (std::uint64_t n = rng.below(12); n > 0; --n)
      text.push_back(static_cast<char>(rng.below(4) == 0 ? rng.below(256) : 0x80 + rng.below(128)));
    const std::string repaired = to_valid_utf8(text);
    ASSERT_TRUE(is_valid_utf8(repaired)) << ::testing::PrintToString(text);
    ASSERT_EQ(complete_utf8_prefix(repaired), repaired.size());
    // What a stream does: emit complete prefixes, keep the rest. The whole must be the same.
    std::string streamed;
    std::string pending;
    for (const char byte : text) {
      pending.push_back(byte);
      const std::size_t ready = complete_utf8_prefix(pending);
      ASSERT_LE(pending.size() - ready, 3u);
      streamed += to_valid_utf8(std::string_view(pending).substr(0, ready));
      pending.erase(0, ready);
    }
    streamed += to_valid_utf8(pending);
    ASSERT_EQ(streamed, repaired) << ::testing::PrintToString(text);
  }
}

}  // namespace
}  // namespace dynamo::base::utf8_test
