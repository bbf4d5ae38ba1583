// SPDX-License-Identifier: Apache-2.0
#include <dynamo/tokens/mm_objects.h>
#include <dynamo/tokens/positional_hash_codec.h>
#include <dynamo/tokens/tracking_hash.h>

#include <numeric>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace dynamo::tokens {
namespace naming_test {
namespace {

std::string counting_key() {
  std::string key(32, '\0');
  std::iota(key.begin(), key.end(), '\0');
  return key;
}

TEST(TrackingHash, SeedsFollowFromKeyAndScope) {
  // Computed with the published Python package of BLAKE3.
  const TrackingKey key = TrackingKey::make(counting_key(), "k1").value();
  TrackingScope scope{.model = "model", .routing_group = "default", .block_size_tokens = 16};
  EXPECT_EQ(TrackingSeeds::keyed_seeds(key, scope),
            (TrackingSeeds{SaltHash{0x8ebd895ae604811e}, SaltHash{0xef74240422600168}}));
  scope.cache_namespace = "tenant-a";
  scope.lora_name = "my-lora";
  scope.eagle = true;
  EXPECT_EQ(TrackingSeeds::keyed_seeds(key, scope),
            (TrackingSeeds{SaltHash{0x78716baee7e5165c}, SaltHash{0xa68f62c78a12a546}}));
}

TEST(TrackingHash, PublicNamesAreTheRoutersOwn) {
  const std::vector<Token> tokens{1, 2, 3, 4, 5, 6, 7, 8, 9};
  const TrackingScope scope{.model = "any",
                            .routing_group = "any",
                            .block_size_tokens = 4,
                            .cache_namespace = "tenant-a",
                            .lora_name = {}};
  const auto names = TrackingSeeds::public_seeds(scope).names(tokens, scope);
  EXPECT_EQ(names, sequence_hashes(hash_blocks(tokens, 4, {.salt = request_salt({}, "tenant-a")})));
}

TEST(TrackingHash, KeyedNamesTellNothingWithoutTheKey) {
  const std::vector<Token> tokens(64, 7);
  const TrackingScope scope{.model = "m", .routing_group = "g", .block_size_tokens = 16};
  std::string other = counting_key();
  other[31] = 'x';
  const auto a = TrackingSeeds::keyed_seeds(TrackingKey::make(counting_key(), "k").value(), scope)
                     .names(tokens, scope);
  const auto b =
      TrackingSeeds::keyed_seeds(TrackingKey::make(other, "k").value(), scope).names(tokens, scope);
  ASSERT_EQ(a.size(), 4U);
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_NE(a[i], b[i]);
}

TEST(TrackingHash, KeysAndIdsAreChecked) {
  EXPECT_EQ(TrackingKey::make("short", "k").error().code(), Errc::invalid_argument);
  for (const char* id : {"", " k", "k\n"})
    EXPECT_FALSE(TrackingKey::make(counting_key(), id)) << id;
  EXPECT_EQ(parse_tracking_hash_kind("keyed-xxh3-v1").value(), TrackingHashKind::keyed_xxh3_v1);
  EXPECT_FALSE(parse_tracking_hash_kind("md5"));
}

TEST(MmObjects, AreCutAtTheBordersOfBlocks) {
  using Ranges = std::vector<std::pair<std::size_t, std::size_t>>;
  const std::vector<MmObjectRanges> objects{{.mm_hash = 1, .ranges = {{2, 6}, {7, 8}}},
                                            {.mm_hash = 2, .ranges = {{6, 7}, {9, 99}, {3, 3}}}};
  const auto blocks = objects_by_block(objects, 10, 4);
  ASSERT_EQ(blocks.size(), 3U);
  EXPECT_EQ(blocks[0], (std::vector<MmObjectRanges>{{1, Ranges{{2, 4}}}}));
  EXPECT_EQ(blocks[1],
            (std::vector<MmObjectRanges>{{1, Ranges{{0, 2}, {3, 4}}}, {2, Ranges{{2, 3}}}}));
  EXPECT_EQ(blocks[2], (std::vector<MmObjectRanges>{{2, Ranges{{1, 2}}}}));
  EXPECT_EQ(mm_hashes_by_block(blocks)[1], (BlockMmHashes{1, 2}));
  EXPECT_TRUE(objects_by_block(objects, 10, 0).empty());
  EXPECT_TRUE(objects_by_block(objects, 0, 4).empty());
}

TEST(MmObjects, RunsOfTheImageTokenBecomePadValues) {
  const std::vector<std::uint64_t> hashes{5, 6};
  std::vector<Token> block{9, 1, 9, 9, 2, 9};
  substitute_image_tokens(block, 9, hashes);
  EXPECT_EQ(block, (std::vector<Token>{mm_pad_token(5), 1, mm_pad_token(6), mm_pad_token(6), 2,
                                       mm_pad_token(6)}));
  std::vector<Token> plain{9, 9};
  substitute_image_tokens(plain, 9, {});
  EXPECT_EQ(plain, (std::vector<Token>{9, 9}));
}

TEST(PositionalHashCodec, BlocksSurviveBothEncodings) {
  const auto block =
      universal_blocks(
          {.tokens = {1, 2, 3, 4, 5, 6, 7, 8}, .lora_name = {}, .cache_salt = {}, .mm_runs = {}}, 4)
          .value()[1];
  std::string json;
  JsonWriter json_writer(json);
  write_json(json_writer, block);
  EXPECT_EQ(universal_block_from_json(*parse_json(json)).value(), block);
  std::string bytes;
  MsgpackWriter writer(bytes);
  write_msgpack(writer, block);
  MsgpackReader reader(bytes);
  EXPECT_EQ(universal_block_from_msgpack(reader).value(), block);

  std::string array;
  MsgpackWriter numbers(array);
  numbers.array(16);
  for (const std::uint8_t byte : to_big_endian(block.plh.value)) numbers.value(int{byte});
  MsgpackReader again(array);
  EXPECT_TRUE(hash128_from_msgpack(again).value() == block.plh.value);
  MsgpackReader short_one("\xc4\x01x");
  EXPECT_EQ(hash128_from_msgpack(short_one).error().code(), Errc::protocol);
}

}  // namespace
}  // namespace naming_test
}  // namespace dynamo::tokens
