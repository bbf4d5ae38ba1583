// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/base64.h>
#include <dynamo/base/hash.h>
#include <dynamo/base/json.h>
#include <dynamo/base/log.h>
#include <dynamo/base/utf8.h>
#include <dynamo/base/uuid.h>

#include <gtest/gtest.h>

namespace dynamo::base {

TEST(Smoke, Json) {
  const auto v = parse_json(R"({"a":[1,2.5,"x\u00e9\n",true,null],"b":{},"c":0.7,"d":1e16})");
  ASSERT_TRUE(v) << v.error().message();
  EXPECT_EQ(v->dump(), "{\"a\":[1,2.5,\"xé\\n\",true,null],\"b\":{},\"c\":0.7,\"d\":1e16}");
  std::string big = "[" + std::string(400, ' ') + "1,\"\\u00e9\",{\"k\":18446744073709551615}]";
  const auto w = parse_json(big);
  ASSERT_TRUE(w);
  EXPECT_EQ(w->dump(), "[1,\"é\",{\"k\":18446744073709551615}]");
  EXPECT_EQ(parse_json("[1,\n 2,]").error().message(),
            "expected a value, got ']' at line 2 column 4");
}
TEST(Smoke, Hash) {
  EXPECT_EQ(blake3_hex(""), "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262");
  EXPECT_EQ(xxh3_64(std::string_view("")), 0x2d06800538d394c2u);
}
TEST(Smoke, Rest) {
  EXPECT_EQ(base64_encode("hello"), "aGVsbG8=");
  EXPECT_EQ(*base64_decode("aGVsbG8="), "hello");
  EXPECT_EQ(complete_utf8_prefix("a\xE2\x82"), 1u);
  EXPECT_TRUE(Uuid::parse(Uuid::random().to_string()));
  DYN_LOG_INFO("base::smoke", "hello", {{"a", 1}, {"b", "two words"}});
}

}  // namespace dynamo::base
