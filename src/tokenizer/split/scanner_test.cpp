// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/split/scanner.h"

#include <dynamo/base/json.h>
#include <dynamo/base/rng.h>
#include <dynamo/base/utf8.h>

#include <array>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace dynamo::tokenizer::scanner_test {
namespace {

using detail::Range;
using detail::RangeList;

/// Characters that tell the alternatives of the patterns apart, beside random ones.
constexpr auto kInteresting = std::to_array<char32_t>(
    {U' ',   U' ',   U' ',    U'\n',   U'\r',   U'\t',   U'\'',  U's',   U't',   U'l',
     U'L',   U'v',   U'e',    U'R',    U'a',    U'Z',    U'0',   U'9',   U'.',   U'/',
     U'(',   U'_',   0x17F,   0x212A,  0xA0,    0x85,    0x301,  0x903,  0x20DD, 0xDF,
     0x130,  0x1C5,  0x2B0,   0x5D0,   0x4E2D,  0x3007,  0x3005, 0x2E80, 0x3042, 0x30A2,
     0x30FC, 0xFF10, 0x661,   0xBD,    0x2167,  0x2460,  0x200D, 0xFEFF, 0xE000, 0x378,
     0x2028, 0x3000, 0x1F600, 0x1F1E9, 0x1D7D8, 0x20000, 0x9FA6, 0x4DBF, 0x2581, 0x20AC});

std::string random_text(Rng& rng) {
  std::string text;
  const std::uint64_t length = 1 + rng.below(40);
  for (std::uint64_t i = 0; i < length; ++i) {
    char32_t c = kInteresting[rng.below(kInteresting.size())];
    if (rng.below(4) == 0) {
      c = static_cast<char32_t>(rng.below(rng.below(2) == 0 ? 0x3000 : 0x110000));
      if (c >= 0xD800 && c < 0xE000) c = U'x';
    }
    for (std::uint64_t n = 1 + (rng.below(5) == 0 ? rng.below(20) : 0); n > 0; --n)
      base::append_utf8(text, c);
  }
  return text;
}

/// Long enough for scanners that take many characters at a time, and nearly all ASCII.
std::string random_ascii(Rng& rng) {
  constexpr std::string_view kCharacters = "  abTeSs''\n\r\t.!/019";
  std::string text;
  const std::uint64_t runs = 20 + rng.below(200);
  for (std::uint64_t i = 0; i < runs; ++i) {
    const std::uint64_t length = rng.below(4) == 0 ? 1 + rng.below(rng.below(8) == 0 ? 90 : 6) : 1;
    text.append(length, kCharacters[rng.below(kCharacters.size())]);
    if (rng.below(60) == 0) base::append_utf8(text, kInteresting[rng.below(kInteresting.size())]);
  }
  return text;
}

std::string spelled(std::string_view text, const RangeList& list) {
  std::string out;
  for (const Range& range : list.ranges())
    out += Json(text.substr(range.begin, range.end - range.begin)).dump() + " ";
  return out;
}

TEST(Scanner, CutsAsItsRegularExpression) {
  Rng rng(20'261'124);
  for (const std::string_view pattern : detail::scanned_patterns()) {
    const auto compiled = regex::Regex::make(pattern);
    ASSERT_TRUE(compiled) << compiled.error().message();
    const detail::RegexSplitter oracle(*compiled, detail::SplitBehavior::isolated, false,
                                       10'000'000);
    const auto scan = detail::find_scanner(pattern);
    ASSERT_NE(scan, nullptr);
    for (int i = 0; i < 400; ++i) {
      const std::string text = i % 2 == 0 ? random_text(rng) : random_ascii(rng);
      const Range whole{0, static_cast<std::uint32_t>(text.size())};
      RangeList expected;
      RangeList got;
      ASSERT_TRUE(oracle.split(text, whole, expected));
      scan(text, whole, got);
      ASSERT_EQ(spelled(text, got), spelled(text, expected)) << pattern;
    }
  }
}

TEST(Scanner, SeesOnlyItsPiece) {
  // The look-ahead of white space ends with the piece, not with the text.
  const std::string text = "ab  cd";
  RangeList got;
  detail::find_scanner(detail::kGpt2Pattern)(text, {0, 4}, got);
  EXPECT_EQ(spelled(text, got), R"("ab" "  " )");
}

TEST(Scanner, KnowsPatternsByTheirExactText) {
  EXPECT_NE(detail::find_scanner(detail::kGpt2Pattern), nullptr);
  EXPECT_EQ(detail::find_scanner(std::string(detail::kGpt2Pattern) + " "), nullptr);
  // Files spell line ends as characters or as escapes.
  std::string spelled_out;
  for (const std::string_view pattern : detail::scanned_patterns()) {
    std::string with_characters(pattern);
    for (std::size_t at; (at = with_characters.find("\\r\\n")) != std::string::npos;) {
      with_characters.replace(at, 4, "\r\n");
    }
    EXPECT_EQ(detail::find_scanner(with_characters), detail::find_scanner(pattern));
  }
}

}  // namespace
}  // namespace dynamo::tokenizer::scanner_test
