// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/rng.h>
#include <dynamo/base/uuid.h>

#include <set>

#include <gtest/gtest.h>

namespace dynamo::base::uuid_test {
namespace {

constexpr std::string_view kText = "f81d4fae-7dec-11d0-a765-00a0c91e6bf6";

TEST(Uuid, AcceptsTheFourForms) {
  for (const std::string_view text :
       {"f81d4fae-7dec-11d0-a765-00a0c91e6bf6", "F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6",
        "f81d4fae7dec11d0a76500a0c91e6bf6", "{f81d4fae-7dec-11d0-a765-00a0c91e6bf6}",
        "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6"}) {
    const auto id = Uuid::parse(text);
    ASSERT_TRUE(id) << text;
    EXPECT_EQ(id->to_string(), kText);
    EXPECT_EQ(id->bytes()[0], 0xF8);
    EXPECT_EQ(id->bytes()[15], 0xF6);
  }
}

TEST(Uuid, RefusesEverythingElse) {
  for (const std::string_view text :
       {"", "x", "f81d4fae-7dec-11d0-a765-00a0c91e6bf", "f81d4fae-7dec-11d0-a765-00a0c91e6bf66",
        "f81d4fae-7dec-11d0-a765-00a0c91e6bfg", "f81d4fae07dec-11d0-a765-00a0c91e6bf6",
        "{f81d4fae-7dec-11d0-a765-00a0c91e6bf6", "f81d4fae-7dec-11d0-a76-500a0c91e6bf6",
        "urn:uuid:f81d4fae7dec11d0a76500a0c91e6bf6", "------------------------------------"})
    EXPECT_FALSE(Uuid::parse(text)) << text;
}

TEST(Uuid, RandomOnesAreVersion4AndDiffer) {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const Uuid id = Uuid::random();
    EXPECT_EQ(id.bytes()[6] >> 4, 4);
    EXPECT_EQ(id.bytes()[8] >> 6, 2);
    EXPECT_EQ(Uuid::parse(id.to_string()), id);
    seen.insert(id.to_string());
  }
  EXPECT_EQ(seen.size(), 1000u);
}

TEST(Uuid, OneSeedGivesOneSequence) {
  Rng a(5);
  Rng b(5);
  EXPECT_EQ(Uuid::random(a), Uuid::random(b));
  EXPECT_NE(Uuid::random(a), Uuid());
}

}  // namespace
}  // namespace dynamo::base::uuid_test
