// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/regex/regex.h"

#include <dynamo/base/file.h>
#include <dynamo/base/json.h>

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tokenizer/split/pre_tokenizer.h"

namespace dynamo::tokenizer::regex_test {
namespace {

constexpr std::uint64_t kSteps = 1'000'000;

std::vector<std::string> pieces(const regex::Regex& pattern, const std::string& text,
                                detail::SplitBehavior behavior) {
  const detail::RegexSplitter splitter(pattern, behavior, false, kSteps);
  detail::RangeList ranges;
  EXPECT_TRUE(splitter.split(text, {0, static_cast<std::uint32_t>(text.size())}, ranges));
  std::vector<std::string> out;
  for (const detail::Range& range : ranges.ranges()) {
    out.push_back(text.substr(range.begin, range.end - range.begin));
  }
  return out;
}

std::vector<std::string> strings(const Json& json) {
  std::vector<std::string> out;
  for (const Json& entry : *json.if_array()) out.push_back(*entry.if_string());
  return out;
}

/// The cases were computed with Oniguruma, through the Python package.
TEST(Regex, MatchesAsOnigurumaDoes) {
  const auto text = base::read_file(DYNAMO_SOURCE_DIR "/src/tokenizer/testdata/regex_cases.json");
  ASSERT_TRUE(text);
  const auto cases = parse_json(*text);
  ASSERT_TRUE(cases);
  for (const Json& entry : *cases->if_array()) {
    const std::string& source = *entry.find("pattern")->if_string();
    const std::string& input = *entry.find("text")->if_string();
    const auto pattern = regex::Regex::make(source);
    ASSERT_TRUE(pattern) << source << ": " << pattern.error().message();
    EXPECT_EQ(pieces(*pattern, input, detail::SplitBehavior::isolated),
              strings(*entry.find("isolated")))
        << source << " on " << Json(input).dump();
    EXPECT_EQ(pieces(*pattern, input, detail::SplitBehavior::removed),
              strings(*entry.find("removed")))
        << source << " on " << Json(input).dump();
  }
}

TEST(Regex, RefusesWhatItCannotDo) {
  for (const std::string_view source :
       {"(a", "[a", "a)", "*a", R"(\p{Nope})", "(?<n>a", "\\", "[b-a]", "(?z)", "a{200000}",
        R"(\2(a))", "(?<=a+)b", R"(\k<none>)", "^*", "[[:nope:]]", "(?:(?:ab){1000}){1000}"}) {
    const auto made = regex::Regex::make(source);
    EXPECT_FALSE(made) << source;
    if (!made) {
      EXPECT_EQ(made.error().code(), Errc::invalid_argument);
    }
  }
}

TEST(Regex, StopsInsteadOfBacktrackingForEver) {
  const auto pattern = regex::Regex::make("(a|aa)+$|b");
  ASSERT_TRUE(pattern);
  std::vector<regex::Match> matches;
  const auto done = pattern->find_all(std::string(60, 'a') + "c", kSteps, matches);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code(), Errc::invalid_argument);
}

TEST(Regex, LongRunsCostNoStack) {
  const auto pattern = regex::Regex::make(R"(\s+(?!\S)|(?:ab)+|\w+)");
  ASSERT_TRUE(pattern);
  std::vector<regex::Match> matches;
  const std::string spaces = std::string(100'000, ' ') + "x";
  ASSERT_TRUE(pattern->find_all(spaces, kSteps, matches));
  ASSERT_EQ(matches.size(), 2U);
  EXPECT_EQ(matches[0].end, 99'999U);
}

}  // namespace
}  // namespace dynamo::tokenizer::regex_test
