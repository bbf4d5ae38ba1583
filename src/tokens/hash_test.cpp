// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/file.h>
#include <dynamo/base/json.h>
#include <dynamo/tokens/hash.h>

#include <charconv>
#include <string>

#include <gtest/gtest.h>

namespace dynamo::tokens {
namespace hash_test {
namespace {

std::uint64_t hex(const Json& value) {
  const std::string& text = *value.if_string();
  std::uint64_t out = 0;
  std::from_chars(text.data() + 2, text.data() + text.size(), out, 16);
  return out;
}

std::string text_of(const Json* value) {
  return value != nullptr && value->if_string() != nullptr ? *value->if_string() : std::string();
}

Json vectors() {
  auto text = base::read_file(DYNAMO_SOURCE_DIR "/tests/conformance/cases/kv/hash_vectors.json");
  EXPECT_TRUE(text) << text.error().message();
  auto json = parse_json(text.value_or("{}"));
  EXPECT_TRUE(json);
  return json.value_or(Json::object());
}

std::vector<Token> tokens_of(const Json& array) {
  std::vector<Token> out;
  for (const Json& token : *array.if_array()) out.push_back(static_cast<Token>(*token.as_uint64()));
  return out;
}

/// Entry i of the multimodal list: null, or an object with a list of objects with a hash.
std::vector<BlockMmHashes> mm_hashes_of(const Json* infos) {
  std::vector<BlockMmHashes> out;
  if (infos == nullptr || infos->if_array() == nullptr) return out;
  for (const Json& info : *infos->if_array()) {
    BlockMmHashes& block = out.emplace_back();
    const Json* objects = info.find("mm_objects");
    if (objects == nullptr) continue;
    for (const Json& object : *objects->if_array()) block.push_back(hex(*object.find("mm_hash")));
  }
  return out;
}

TEST(TokenHash, SaltsEqualTheReference) {
  const Json json = vectors();
  for (const Json& row : *json.find("salt_hashes")->if_array()) {
    const SaltHash salt = request_salt(text_of(row.find("lora_name")), text_of(row.find("salt")));
    EXPECT_EQ(std::to_underlying(salt), hex(*row.find("salt_hash"))) << row.dump();
  }
}

TEST(TokenHash, BlockAndSequenceHashesEqualTheReference) {
  const Json json = vectors();
  std::size_t cases = 0;
  for (const Json& row : *json.find("cases")->if_array()) {
    SCOPED_TRACE(*row.find("name")->if_string());
    const auto tokens = tokens_of(*row.find("tokens"));
    const auto mm = mm_hashes_of(row.find("block_mm_infos"));
    BlockHashOptions options;
    options.salt =
        request_salt(text_of(row.find("lora_name")), text_of(row.find("cache_namespace")));
    EXPECT_EQ(std::to_underlying(options.salt), hex(*row.find("seed")));
    options.eagle = *row.find("is_eagle")->if_bool();
    options.mm_hashes = mm;
    const auto blocks = hash_blocks(tokens, *row.find("block_size")->as_uint64(), options);
    const auto sequence = sequence_hashes(blocks);

    const Json::Array& expected_blocks = *row.find("block_hashes")->if_array();
    const Json::Array& expected_sequence = *row.find("sequence_hashes")->if_array();
    ASSERT_EQ(blocks.size(), expected_blocks.size());
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      EXPECT_EQ(std::to_underlying(blocks[i]), hex(expected_blocks[i])) << "block " << i;
      EXPECT_EQ(std::to_underlying(sequence[i]), hex(expected_sequence[i])) << "block " << i;
    }
    ++cases;
  }
  EXPECT_GE(cases, 40U);
}

TEST(TokenHash, MultimodalPadTokensEqualTheReference) {
  const Json json = vectors();
  for (const Json& row : *json.find("mm_pad_values")->if_array()) {
    EXPECT_EQ(mm_pad_token(hex(*row.find("mm_hash"))), *row.find("pad_value")->as_uint64());
  }
}

TEST(TokenHash, ATailShorterThanTheWindowIsNotHashed) {
  EXPECT_EQ(complete_blocks(7, 4), 1U);
  EXPECT_EQ(complete_blocks(8, 4), 2U);
  EXPECT_EQ(complete_blocks(8, 4, true), 1U);
  EXPECT_EQ(complete_blocks(9, 4, true), 2U);
  EXPECT_EQ(complete_blocks(0, 4, true), 0U);
  EXPECT_EQ(complete_blocks(9, 0), 0U);
}

TEST(TokenHash, BlocksOfUsualSizesEqualTheGeneralPath) {
  std::vector<Token> tokens(200);
  for (std::size_t i = 0; i < tokens.size(); ++i) tokens[i] = static_cast<Token>(i * 2654435761U);
  for (const std::size_t size : {1UL, 15UL, 16UL, 17UL, 32UL, 64UL, 128UL}) {
    const auto blocks = hash_blocks(tokens, size, {.salt = SaltHash{99}});
    ASSERT_EQ(blocks.size(), tokens.size() / size);
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      EXPECT_EQ(blocks[i], hash_block(std::span(tokens).subspan(i * size, size), SaltHash{99}));
    }
  }
}

}  // namespace
}  // namespace hash_test
}  // namespace dynamo::tokens
