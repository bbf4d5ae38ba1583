// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/base64.h>
#include <dynamo/base/rng.h>

#include <gtest/gtest.h>

namespace dynamo::base::base64_test {
namespace {

TEST(Base64, FollowsTheVectorsOfRfc4648) {
  constexpr std::pair<std::string_view, std::string_view> kVectors[] = {{"", ""},
                                                                        {"f", "Zg=="},
                                                                        {"fo", "Zm8="},
                                                                        {"foo", "Zm9v"},
                                                                        {"foob", "Zm9vYg=="},
                                                                        {"fooba", "Zm9vYmE="},
                                                                        {"foobar", "Zm9vYmFy"}};
  for (const auto& [bytes, text] : kVectors) {
    EXPECT_EQ(base64_encode(bytes), text);
    EXPECT_EQ(base64_decode(text), bytes);
  }
  EXPECT_EQ(base64_encode("\xFB\xEF\xFF"), "++//");
}

TEST(Base64, RefusesWhatIsNotExactlyBase64) {
  for (const std::string_view text : {"Z", "Zg", "Zg=", "Zg===", "=", "====", "Zg==Zg==", "Z===",
                                      "Zm9v\n", "Zm-_", "Zm 9", "Z=m9", "Zh==", "Zm9="}) {
    const auto result = base64_decode(text);
    ASSERT_FALSE(result) << text;
    EXPECT_EQ(result.error().code(), Errc::invalid_argument);
  }
  EXPECT_EQ(base64_decode("Zm9*").error().message(), "base64: invalid character at offset 3");
}

TEST(Base64, RandomBytesRoundTrip) {
  Rng rng(3);
  for (std::size_t size = 0; size < 200; ++size) {
    std::string bytes(size, '\0');
    for (char& byte : bytes) byte = static_cast<char>(rng.below(256));
    ASSERT_EQ(base64_decode(base64_encode(bytes)), bytes);
  }
}

}  // namespace
}  // namespace dynamo::base::base64_test
