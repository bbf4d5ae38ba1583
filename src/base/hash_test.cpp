// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/hash.h>

#include <algorithm>
#include <array>

#include <gtest/gtest.h>

namespace dynamo::base::hash_test {
namespace {

struct Blake3Vector {
  std::size_t size;
  std::string_view hex;
};

// test_vectors/test_vectors.json of the BLAKE3 repository: bytes 0, 1, … 250, 0, 1, …
constexpr Blake3Vector kBlake3[] = {
    {0, "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"},
    {1, "2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213"},
    {1023, "10108970eeda3eb932baac1428c7a2163b0e924c9a9e25b35bba72b28f70bd11"},
    {1024, "42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7"},
    {1025, "d00278ae47eb27b34faecf67b4fe263f82d5412916c1ffd97c8cb7fb814b8444"},
    {2048, "e776b6028c7cd22a4d0ba182a8bf62205d2ef576467e838ed6f2529b85fba24a"},
    {2049, "5f4d72f40d7a5f82b15ca2b2e44b1de3c2ef86c426c95c1af0b6879522563030"},
    {3072, "b98cb0ff3623be03326b373de6b9095218513e64f1ee2edd2525c7ad1e5cffd2"},
    {3073, "7124b49501012f81cc7f11ca069ec9226cecb8a2c850cfe644e327d22d3e1cd3"},
    {4096, "015094013f57a5277b59d8475c0501042c0b642e531b0a1c8f58d2163229e969"},
    {4097, "9b4052b38f1c5fc8b1f9ff7ac7b27cd242487b3d890d15c96a1c25b8aa0fb995"},
    {5121, "628bd2cb2004694adaab7bbd778a25df25c47b9d4155a55f8fbd79f2fe154cff"},
    {7168, "61da957ec2499a95d6b8023e2b0e604ec7f6b50e80a9678b89d2628e99ada77a"},
    {8193, "bab6c09cb8ce8cf459261398d2e7aef35700bf488116ceb94a36d0f5f1b7bc3b"},
    {16384, "f875d6646de28985646f34ee13be9a576fd515f76b5b0a26bb324735041ddde4"},
    {31744, "62b6960e1a44bcc1eb1a611a8d6235b6b4b78f32e7abc4fb4c6cdcce94895c47"},
    {102400, "bc3e3d41a1146b069abffad3c0d44860cf664390afce4d9661f7902e7943e085"},
};

std::string blake3_input(std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i % 251);
  return bytes;
}

struct Xxh3Vector {
  std::size_t size;
  std::uint64_t seed_0;
  std::uint64_t seed_1337;
};

// Computed by the reference's own hashing: each length class of XXH3 and its borders.
constexpr Xxh3Vector kXxh3[] = {
    {0, 0x2d06800538d394c2u, 0xd1f3e77444430ab9u},
    {1, 0xc44bdff4074eecdbu, 0xb4b0bf3d83911694u},
    {3, 0xa1c4a8259b827291u, 0x261b7bc64cb65992u},
    {8, 0x79d02238b80e37b1u, 0xa98c55066ab9e895u},
    {9, 0xf64cecc4271ff461u, 0xb84f92402464c1fcu},
    {16, 0x222e9aead6bddd51u, 0x77a356f533ae219fu},
    {17, 0x47aad6b375eb4bbau, 0xf6b0d0fef65538bbu},
    {128, 0x421a9c905c6e66bau, 0xbc90e35f7a4e5e3du},
    {129, 0x9e2414800f83768au, 0x2a699745f1b42777u},
    {240, 0xb714c5fd22744964u, 0x7b6104fc88336cd7u},
    {241, 0xbc424a2c480dd281u, 0x7d510bee18627a12u},
    {256, 0x2d040b1ab40f0d78u, 0xbde72727e1deb399u},
    {1024, 0x1fd15e7d36f5e1bcu, 0x082a19048c4d9ad8u},
    {1025, 0xfe08e5a874d23fd2u, 0xdd57e695c21ebc97u},
    {4096, 0x84d9e7ce664c8217u, 0xac2314f0fd130507u},
};

std::string xxh3_input(std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i)
    bytes[i] = static_cast<char>((i * std::uint64_t{2654435761}) >> 13 & 0xFF);
  return bytes;
}

TEST(Blake3, FollowsThePublishedVectors) {
  for (const Blake3Vector& vector : kBlake3)
    EXPECT_EQ(blake3_hex(blake3_input(vector.size)), vector.hex) << vector.size;
}

TEST(Blake3, TheKeyedModeFollowsThePublishedVectors) {
  constexpr Blake3Vector kKeyed[] = {
      {0, "92b2b75604ed3c761f9d6f62392c8a9227ad0ea3f09573e783f1498a4ed60d26"},
      {64, "ba8ced36f327700d213f120b1a207a3b8c04330528586f414d09f2f7d9ccb7e6"},
      {1024, "75c46f6f3d9eb4f55ecaaee480db732e6c2105546f1e675003687c31719c7ba4"},
      {1025, "357dc55de0c7e382c900fd6e320acc04146be01db6a8ce7210b7189bd664ea69"},
      {5121, "6ccf1c34753e7a044db80798ecd0782a8f76f33563accaddbfbb2e0ea4b2d024"},
      {31744, "efa53b389ab67c593dba624d898d0f7353ab99e4ac9d42302ee64cbf9939a419"},
  };
  std::array<std::uint8_t, 32> key{};
  std::ranges::copy(std::string_view("whats the Elvish word for friend"), key.begin());
  for (const Blake3Vector& vector : kKeyed) {
    Blake3 hash(key);
    hash.update(blake3_input(vector.size));
    EXPECT_EQ(hash.hex_digest(), vector.hex) << vector.size;
  }
}

TEST(Blake3, TheChunkingOfTheInputDoesNotMatter) {
  const std::string input = blake3_input(5121);
  for (const std::size_t step : {1u, 3u, 63u, 64u, 65u, 1000u, 1024u, 4096u}) {
    Blake3 hash;
    for (std::size_t at = 0; at < input.size(); at += step)
      hash.update(std::string_view(input).substr(at, step));
    EXPECT_EQ(hash.hex_digest(),
              "628bd2cb2004694adaab7bbd778a25df25c47b9d4155a55f8fbd79f2fe154cff");
  }
}

TEST(Blake3, ADigestLeavesTheStateAsItIs) {
  Blake3 hash;
  hash.update(blake3_input(1023));
  const Blake3 copy = hash;
  EXPECT_EQ(hash.digest(), copy.digest());
  hash.update(std::string_view("\xFB", 0));
  EXPECT_EQ(hash.digest(), copy.digest());
  hash.update(blake3_input(1024).substr(1023));
  EXPECT_EQ(hash.hex_digest(), "42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7");
}

TEST(Xxh3, AgreesWithTheReference) {
  for (const Xxh3Vector& vector : kXxh3) {
    const std::string input = xxh3_input(vector.size);
    EXPECT_EQ(xxh3_64(input), vector.seed_0) << vector.size;
    EXPECT_EQ(xxh3_64(input, 1337), vector.seed_1337) << vector.size;
    EXPECT_EQ(xxh3_64(std::as_bytes(std::span(input)), 1337), vector.seed_1337) << vector.size;
  }
}

TEST(Xxh3, GivesTheEmptyInputIts128Bits) {
  EXPECT_EQ(xxh3_128(""), (Hash128{.low = 0x6001c324468d497f, .high = 0x99aa06d3014798d8}));
  EXPECT_NE(xxh3_128("", 1), xxh3_128(""));
}

TEST(Hex, IsLowerCaseWithTwoDigitsPerByte) {
  const std::uint8_t bytes[] = {0x00, 0x0F, 0xA0, 0xFF};
  EXPECT_EQ(to_hex(bytes), "000fa0ff");
  EXPECT_EQ(to_hex({}), "");
}

}  // namespace
}  // namespace dynamo::base::hash_test
