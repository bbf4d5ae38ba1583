// SPDX-License-Identifier: Apache-2.0
#include <dynamo/tokenizer/gguf.h>

#include <cstdint>
#include <string>

#include <gtest/gtest.h>

namespace dynamo::tokenizer::gguf_test {
namespace {

template <class T>
void put(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}
void put_string(std::string& out, std::string_view text) {
  put<std::uint64_t>(out, text.size());
  out += text;
}

std::string sample() {
  std::string out = "GGUF";
  put<std::uint32_t>(out, 3);
  put<std::uint64_t>(out, 0);  // tensors
  put<std::uint64_t>(out, 5);  // entries
  put_string(out, "general.architecture");
  put<std::uint32_t>(out, 8);
  put_string(out, "llama");
  put_string(out, "llama.context_length");
  put<std::uint32_t>(out, 4);
  put<std::uint32_t>(out, 8192);
  put_string(out, "flag");
  put<std::uint32_t>(out, 7);
  put<std::uint8_t>(out, 1);
  put_string(out, "tokens");
  put<std::uint32_t>(out, 9);
  put<std::uint32_t>(out, 8);
  put<std::uint64_t>(out, 2);
  put_string(out, "a");
  put_string(out, "bc");
  put_string(out, "scores");
  put<std::uint32_t>(out, 9);
  put<std::uint32_t>(out, 6);
  put<std::uint64_t>(out, 2);
  put<float>(out, 0.5F);
  put<float>(out, -1.0F);
  return out;
}

TEST(GgufMetadata, ReadsEveryKindOfValue) {
  const auto meta = GgufMetadata::parse(sample() + "tensor data");
  ASSERT_TRUE(meta) << meta.error().describe();
  EXPECT_EQ(meta->string("general.architecture"), "llama");
  EXPECT_EQ(meta->integer("llama.context_length"), 8192);
  EXPECT_EQ(meta->real("llama.context_length"), 8192.0);
  EXPECT_EQ(meta->boolean("flag"), true);
  EXPECT_FALSE(meta->integer("general.architecture"));
  EXPECT_FALSE(meta->string("absent"));
  EXPECT_EQ(meta->array("tokens")->strings(), (std::vector<std::string_view>{"a", "bc"}));
  EXPECT_EQ(meta->array("scores")->real(1), -1.0);
  EXPECT_FALSE(meta->array("scores")->real(2));
  EXPECT_EQ(meta->keys().front(), "general.architecture");
}

TEST(GgufMetadata, RefusesEveryTruncation) {
  const std::string whole = sample();
  for (std::size_t n = 0; n < whole.size(); ++n) {
    const auto meta = GgufMetadata::parse(std::string_view(whole).substr(0, n));
    EXPECT_FALSE(meta) << n;
  }
}

TEST(GgufMetadata, TrustsNoLength) {
  for (const std::uint64_t length :
       {std::uint64_t{1} << 20, ~std::uint64_t{0}, std::uint64_t{1} << 63}) {
    std::string bytes = sample();
    bytes.replace(24, 8, reinterpret_cast<const char*>(&length), 8);  // length of the first key
    EXPECT_FALSE(GgufMetadata::parse(bytes));
    bytes = sample();
    bytes.replace(16, 8, reinterpret_cast<const char*>(&length), 8);  // number of entries
    EXPECT_FALSE(GgufMetadata::parse(bytes));
  }
}

TEST(GgufMetadata, SaysWhatIsOverTheLimit) {
  GgufLimits limits;
  limits.metadata_bytes = 100;
  const auto meta = GgufMetadata::parse(sample(), limits);
  ASSERT_FALSE(meta);
  EXPECT_EQ(meta.error().code(), Errc::payload_too_large);
}

}  // namespace
}  // namespace dynamo::tokenizer::gguf_test
