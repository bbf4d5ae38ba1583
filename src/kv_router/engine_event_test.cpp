// SPDX-License-Identifier: Apache-2.0
// The recorded payloads run in dynamo-conformance; here is what the reader remembers between them.
#include <dynamo/base/rng.h>
#include <dynamo/kv_router/engine_event.h>
#include <dynamo/tokens/mm_objects.h>

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace dynamo::kv_router::engine_event_test {
namespace {

using Issue = EngineEventIssue;

// A store of one block of four tokens; `extra` is appended to the map.
template <class F>
std::string batch(std::uint64_t name, std::optional<std::uint64_t> parent, std::size_t more,
                  F extra) {
  std::string out;
  MsgpackWriter writer(out);
  writer.array(3).value(1.5).array(1).map(5 + more).value("type").value("BlockStored");
  writer.value("block_hashes").array(1).value(name).value("parent_block_hash");
  if (parent) {
    writer.value(*parent);
  } else {
    writer.nil();
  }
  writer.value("token_ids").array(4).value(1).value(2).value(9).value(9);
  writer.value("block_size").value(4);
  extra(writer);
  writer.nil();
  return out;
}
std::string plain(std::uint64_t name, std::optional<std::uint64_t> parent = {}) {
  return batch(name, parent, 0, [](MsgpackWriter&) {});
}
std::string salted(std::uint64_t name, const char* salt, std::optional<std::uint64_t> parent = {}) {
  return batch(name, parent, 1, [&](MsgpackWriter& out) { out.value("cache_salt").value(salt); });
}

struct Fixture : testing::Test {
  // The only block of the only event.
  KvBlock block(const std::string& payload) {
    const auto events = reader.read(payload);
    EXPECT_TRUE(events && events->size() == 1);
    return events && events->size() == 1 ? std::get<KvStored>((*events)[0].event.data).blocks.at(0)
                                         : KvBlock{};
  }
  EngineEventReader reader{{.worker = WorkerId{3}, .block_size_tokens = 4, .image_token = {}}};
  const std::vector<tokens::Token> four{1, 2, 9, 9};
};
using EngineEvents = Fixture;

TEST_F(EngineEvents, ChildrenInheritTheirParentsTenant) {
  const auto salt = tokens::request_salt({}, "a");
  EXPECT_EQ(block(salted(1, "a")).tokens_hash, tokens::hash_block(four, salt));
  EXPECT_EQ(block(plain(2, 1)).tokens_hash, tokens::hash_block(four, salt));
  EXPECT_EQ(block(plain(3, 2)).tokens_hash, tokens::hash_block(four, salt));
  EXPECT_EQ(block(plain(4)).tokens_hash, tokens::hash_block(four));
}

TEST_F(EngineEvents, ChildrenOfABlockOfTwoTenantsAreLeftOut) {
  static_cast<void>(block(salted(1, "a")));
  static_cast<void>(block(salted(1, "b")));
  EXPECT_TRUE(reader.read(plain(2, 1))->empty());
  EXPECT_EQ(reader.issues(Issue::ambiguous_cache_namespace), 1u);
  // What is cleared is forgotten.
  std::string cleared;
  MsgpackWriter writer(cleared);
  writer.array(2).value(1.5).array(1).array(1).value("AllBlocksCleared");
  ASSERT_EQ(reader.read(cleared)->size(), 1u);
  EXPECT_EQ(block(plain(2, 1)).tokens_hash, tokens::hash_block(four));
}

TEST_F(EngineEvents, RemovalForgetsATenant) {
  static_cast<void>(block(salted(1, "a")));
  std::string removed;
  MsgpackWriter writer(removed);
  writer.array(2).value(1.5).array(1).array(2).value("BlockRemoved").array(1).value(1);
  ASSERT_EQ(reader.read(removed)->size(), 1u);
  EXPECT_EQ(block(plain(2, 1)).tokens_hash, tokens::hash_block(four));
}

TEST(EngineEventReader, AKnownImageTokenIsReplacedInsteadOfMixedIn) {
  EngineEventReader reader({.block_size_tokens = 4, .image_token = 9});
  const std::string payload = batch(1, {}, 1, [](MsgpackWriter& out) {
    out.value("block_mm_infos").array(1).map(1).value("mm_objects").array(1);
    out.map(2).value("mm_hash").value(77).value("offsets").array(0);
  });
  const auto events = reader.read(payload);
  ASSERT_TRUE(events && events->size() == 1);
  const tokens::Token pad = tokens::mm_pad_token(77);
  EXPECT_EQ(std::get<KvStored>((*events)[0].event.data).blocks[0].tokens_hash,
            tokens::hash_block(std::vector<tokens::Token>{1, 2, pad, pad}));
}

TEST_F(EngineEvents, ABatchWithAnUnknownEventCountsForNothing) {
  std::string payload;
  MsgpackWriter writer(payload);
  writer.array(3).value(1.5).array(2).array(1).value("AllBlocksCleared").array(1).value("Later");
  writer.nil();
  const auto events = reader.read(payload);
  ASSERT_FALSE(events);
  EXPECT_NE(events.error().message().find("event 1: unknown event 'Later'"), std::string::npos)
      << events.error().message();
}

TEST_F(EngineEvents, EveryTruncationAndEveryChangedByteIsSafe) {
  const std::string bytes = salted(1, "tenant");
  for (std::size_t length = 0; length < bytes.size(); ++length)
    EXPECT_FALSE(reader.read(bytes.substr(0, length)));
  Rng rng(5);
  for (int round = 0; round < 5000; ++round) {
    std::string changed = bytes;
    changed[rng.below(changed.size())] = static_cast<char>(rng());
    static_cast<void>(reader.read(changed).has_value());
  }
}

}  // namespace
}  // namespace dynamo::kv_router::engine_event_test
