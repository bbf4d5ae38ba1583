// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/file.h>
#include <dynamo/base/rng.h>
#include <dynamo/kv_router/event_codec.h>

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "kv_router/kv_cases.h"

namespace dynamo::kv_router::event_codec_test {
namespace {

std::string from_hex(std::string_view hex) {
  std::string out;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    out.push_back(static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
  return out;
}

std::string packed(const RouterEvent& event, WireGeneration generation) {
  std::string out;
  MsgpackWriter writer(out);
  write_msgpack(writer, event, generation);
  return out;
}

std::string json(const RouterEvent& event, WireGeneration generation) {
  std::string out;
  JsonWriter writer(out);
  write_json(writer, event, generation);
  return out;
}

RouterEvent sample() {
  RouterEvent event;
  event.worker_id = WorkerId{~std::uint64_t{0}};
  event.storage_tier = StorageTier::host_pinned;
  event.residency_domain = ResidencyDomain::worker;
  event.event = {.event_id = 9,
                 .data = KvStored{.parent_hash = EngineHash{5}, .start_position = 3, .blocks = {}},
                 .dp_rank = DpRank{2}};
  auto& stored = std::get<KvStored>(event.event.data);
  stored.blocks.push_back({EngineHash{6}, LocalHash{7}, std::nullopt});
  stored.blocks.push_back({EngineHash{8}, LocalHash{9},
                           std::vector<MmObject>{{.mm_hash = 10, .offsets = {{0, 4}, {9, 11}}}}});
  return event;
}

TEST(EventCodec, RecordedEventsDecodeAndEncodeToTheSameBytes) {
  const auto cases = kv_cases("router_event_vectors.json");
  if (!cases) GTEST_SKIP() << cases.error().message();
  for (const Json& entry : *cases->find("router_events")->if_array()) {
    SCOPED_TRACE(*entry.find("name")->if_string());
    const std::string msgpack = from_hex(*entry.find("v1_5_msgpack_hex")->if_string());
    MsgpackReader reader(msgpack);
    const auto event = router_event_from_msgpack(reader);
    ASSERT_TRUE(event) << event.error().message();
    EXPECT_TRUE(reader.at_end());
    EXPECT_EQ(packed(*event, WireGeneration::v1_5), msgpack);
    EXPECT_EQ(json(*event, WireGeneration::v1_5), *entry.find("v1_5_json")->if_string());
    EXPECT_EQ(router_event_from_json(*parse_json(*entry.find("v1_5_json")->if_string())).value(),
              *event);

    const std::string payload = from_hex(*entry.find("v1_5_event_plane_payload_hex")->if_string());
    EXPECT_EQ(router_events_from_msgpack(payload).value(), std::vector<RouterEvent>{*event});
    std::string written;
    MsgpackWriter writer(written);
    write_msgpack(writer, std::vector<RouterEvent>{*event});
    EXPECT_EQ(written, payload);

    const std::string old = from_hex(*entry.find("v0_9_msgpack_hex")->if_string());
    const auto old_event = router_events_from_msgpack(old);
    ASSERT_TRUE(old_event) << old_event.error().message();
    EXPECT_EQ(packed(old_event->front(), WireGeneration::v0_9), old);
    EXPECT_EQ(json(old_event->front(), WireGeneration::v0_9),
              *entry.find("v0_9_json")->if_string());
    EXPECT_EQ(old_event->front().event, event->event);
  }
}

TEST(EventCodec, EveryMemberSurvivesBothEncodings) {
  const RouterEvent event = sample();
  const std::string bytes = packed(event, WireGeneration::v1_5);
  MsgpackReader reader(bytes);
  EXPECT_EQ(router_event_from_msgpack(reader).value(), event);
  EXPECT_EQ(router_event_from_json(*parse_json(json(event, WireGeneration::v1_5))).value(), event);
}

TEST(EventCodec, KeyOrderUnknownKeysAndPositionalStructsAreUnderstood) {
  std::string bytes;
  MsgpackWriter out(bytes);
  out.map(3)
      .value("event")
      .map(4)
      .value("dp_rank")
      .value(2)
      .value("data")
      .map(1)
      .value("removed")
      .map(2)
      .value("later")
      .array(1)
      .nil();
  out.value("block_hashes")
      .array(2)
      .value(1)
      .value(2)
      .value("more")
      .map(0)
      .value("event_id")
      .value(3);
  out.value("future").array(0).value("worker_id").value(4);
  MsgpackReader reader(bytes);
  const auto event = router_event_from_msgpack(reader);
  ASSERT_TRUE(event) << event.error().message();
  EXPECT_EQ(event->key(), (WorkerKey{WorkerId{4}, DpRank{2}}));
  EXPECT_EQ(std::get<KvRemoved>(event->event.data).block_hashes,
            (std::vector<EngineHash>{EngineHash{1}, EngineHash{2}}));

  bytes.clear();
  out.array(2)
      .value(4)
      .array(3)
      .value(3)
      .map(1)
      .value("stored")
      .array(2)
      .nil()
      .array(1)
      .array(3)
      .value(5)
      .value(6)
      .nil()
      .value(2);
  MsgpackReader positional(bytes);
  const auto old = router_event_from_msgpack(positional);
  ASSERT_TRUE(old) << old.error().message();
  EXPECT_EQ(std::get<KvStored>(old->event.data).blocks.at(0).tokens_hash, LocalHash{6});
  EXPECT_EQ(router_events_from_msgpack(bytes).value().front(), *old);
}

TEST(EventCodec, AnExplicitNullDomainIsUnsupportedNotAbsent) {
  std::string bytes;
  MsgpackWriter out(bytes);
  out.map(3)
      .value("worker_id")
      .value(1)
      .value("residency_domain")
      .nil()
      .value("event")
      .map(2)
      .value("event_id")
      .value(1);
  out.value("data").value("cleared");
  MsgpackReader reader(bytes);
  EXPECT_EQ(router_event_from_msgpack(reader).error().code(), Errc::unimplemented);
  EXPECT_EQ(
      router_event_from_json(
          *parse_json(
              R"({"worker_id":1,"residency_domain":null,"event":{"event_id":1,"data":"cleared"}})"))
          .error()
          .code(),
      Errc::unimplemented);
}

TEST(EventCodec, ErrorsNameTheField) {
  const auto bad = router_event_from_json(
      *parse_json(R"({"worker_id":1,"event":{"event_id":-1,"data":"cleared"}})"));
  ASSERT_FALSE(bad);
  EXPECT_NE(bad.error().message().find("event_id"), std::string::npos);
  std::string bytes;
  MsgpackWriter out(bytes);
  out.map(2)
      .value("worker_id")
      .value(1)
      .value("event")
      .map(2)
      .value("event_id")
      .value("x")
      .value("data")
      .value("cleared");
  MsgpackReader reader(bytes);
  EXPECT_NE(router_event_from_msgpack(reader).error().message().find("event_id"),
            std::string::npos);
}

TEST(EventCodec, EveryTruncationAndEveryChangedByteIsSafe) {
  const std::string bytes = packed(sample(), WireGeneration::v1_5);
  for (std::size_t length = 0; length < bytes.size(); ++length)
    EXPECT_FALSE(router_events_from_msgpack(bytes.substr(0, length)));
  Rng rng(3);
  for (int round = 0; round < 20000; ++round) {
    std::string changed = bytes;
    changed[rng.below(changed.size())] = static_cast<char>(rng());
    static_cast<void>(router_events_from_msgpack(changed).has_value());
  }
}

}  // namespace
}  // namespace dynamo::kv_router::event_codec_test
