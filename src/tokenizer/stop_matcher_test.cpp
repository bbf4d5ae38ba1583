// SPDX-License-Identifier: Apache-2.0
#include <dynamo/tokenizer/stop_matcher.h>

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace dynamo::tokenizer::stop_matcher_test {
namespace {

struct Outcome {
  std::string text;
  int stop = -1;
  bool operator==(const Outcome&) const = default;
};

Outcome run(StopMatcher matcher, std::string_view text, std::size_t chunk) {
  Outcome out;
  for (std::size_t i = 0; i < text.size(); i += chunk) {
    const std::string piece(text.substr(i, chunk));  // a copy, so that stale views show under ASan
    const auto step = matcher.feed(piece);
    out.text += step.release;
    if (step.hit) {
      out.stop = static_cast<int>(step.hit->index);
      EXPECT_TRUE(matcher.feed("more").release.empty());
      EXPECT_TRUE(matcher.finish().empty());
      return out;
    }
  }
  out.text += matcher.finish();
  return out;
}

void expect_for_every_chunking(const std::vector<StopMatcher::StopString>& stops,
                               std::string_view text, const Outcome& expected) {
  for (std::size_t chunk = 1; chunk <= text.size() + 1; ++chunk) {
    const Outcome got = run(StopMatcher(stops), text, chunk);
    EXPECT_EQ(got.text, expected.text) << "chunk " << chunk;
    EXPECT_EQ(got.stop, expected.stop) << "chunk " << chunk;
  }
}

TEST(StopMatcher, HidesTheStopStringAndWhatFollows) {
  expect_for_every_chunking({{"END"}}, "some text EN END more", {"some text EN ", 0});
}

TEST(StopMatcher, ReleasesAHeldPrefixWhenItCannotComplete) {
  expect_for_every_chunking({{"abcabd"}}, "xabcabcabd!", {"xabc", 0});
  expect_for_every_chunking({{"aab"}}, "aaaaac", {"aaaaac", -1});
}

TEST(StopMatcher, KeepsAVisibleStopString) {
  expect_for_every_chunking({{"END", true}}, "so END more", {"so END", 0});
}

TEST(StopMatcher, TheFirstCompleteStringWins) {
  expect_for_every_chunking({{"abcd"}, {"bc"}}, "xabcd", {"xa", 1});
}

TEST(StopMatcher, HiddenWinsOverVisibleAtTheSameByte) {
  expect_for_every_chunking({{"c", true}, {"bc"}, {"abc"}}, "xabc", {"xa", 1});
}

TEST(StopMatcher, FlushesHeldTextAtTheEnd) {
  expect_for_every_chunking({{"\n\nUser:"}}, "hello\n\nUse", {"hello\n\nUse", -1});
}

TEST(StopMatcher, HoldsOnlyTheLongestSuffixThatIsAPrefixOfAHiddenString) {
  StopMatcher matcher(std::vector<StopMatcher::StopString>{{"</s>"}, {"</long visible>", true}});
  EXPECT_EQ(matcher.feed("abc</").release, "abc");
  EXPECT_EQ(matcher.held_bytes(), 2U);
  EXPECT_EQ(matcher.feed("lo").release, "</lo");
  EXPECT_EQ(matcher.held_bytes(), 0U);
}

TEST(StopMatcher, WithoutStopStringsPassesEverything) {
  StopMatcher matcher(std::vector<StopMatcher::StopString>{{""}});
  EXPECT_TRUE(matcher.empty());
  EXPECT_EQ(matcher.feed("abc").release, "abc");
}

}  // namespace
}  // namespace dynamo::tokenizer::stop_matcher_test
