// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/truthy.h>

#include <gtest/gtest.h>

namespace dynamo::base::truthy_test {
namespace {

TEST(Truthy, KnowsFourWordsOfEachKindInAnyCase) {
  for (const std::string_view text : {"1", "true", "on", "yes", "TRUE", "On", "yEs", " true\t"}) {
    EXPECT_TRUE(is_truthy(text)) << text;
    EXPECT_FALSE(is_falsey(text)) << text;
    EXPECT_EQ(parse_bool(text), true) << text;
    EXPECT_EQ(parse_bool_opt(text), true) << text;
  }
  for (const std::string_view text : {"0", "false", "off", "no", "FALSE", "Off", "nO", "\n no "}) {
    EXPECT_TRUE(is_falsey(text)) << text;
    EXPECT_FALSE(is_truthy(text)) << text;
    EXPECT_EQ(parse_bool(text), false) << text;
    EXPECT_EQ(parse_bool_opt(text), false) << text;
  }
}

TEST(Truthy, EmptyIsOffButNotChosen) {
  for (const std::string_view text : {"", "   "}) {
    EXPECT_TRUE(is_falsey(text));
    EXPECT_FALSE(is_truthy(text));
    EXPECT_EQ(parse_bool(text), false);
    EXPECT_EQ(parse_bool_opt(text), std::nullopt);
  }
}

TEST(Truthy, OtherTextIsNeither) {
  for (const std::string_view text : {"2", "t", "y", "enabled", "tru e", "truee"}) {
    EXPECT_FALSE(is_truthy(text)) << text;
    EXPECT_FALSE(is_falsey(text)) << text;
    EXPECT_EQ(parse_bool_opt(text), std::nullopt) << text;
  }
  const auto result = parse_bool("maybe");
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), Errc::invalid_argument);
  EXPECT_EQ(result.error().message(),
            "Invalid boolean value: 'maybe'. Expected one of: true/false, 1/0, on/off, yes/no");
}

}  // namespace
}  // namespace dynamo::base::truthy_test
