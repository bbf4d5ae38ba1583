// SPDX-License-Identifier: Apache-2.0
// zmq_event_vectors.json, router_event_vectors.json, and the payloads of event_plane_capture.json.
#include <dynamo/kv_router/engine_event.h>
#include <dynamo/kv_router/event_codec.h>
#include <dynamo/kv_router/sequence_event.h>
#include <dynamo/kv_router/worker_query.h>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "kv_cases.h"

namespace dynamo::conformance {
namespace {

using namespace kv_router;

constexpr std::string_view kTiers[] = {"device", "host_pinned", "disk", "external"};

std::string hex(std::string_view bytes) {
  std::string out;
  for (const char byte : bytes) out += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return out;
}

// An event as the case files write the normalized ones.
std::string normalized(const RouterEvent& event) {
  const auto rank = static_cast<std::uint32_t>(event.event.dp_rank);
  const std::string_view tier = kTiers[static_cast<std::size_t>(event.storage_tier)];
  if (const auto* stored = std::get_if<KvStored>(&event.event.data)) {
    std::string out = fmt::format(
        "stored {} {} {}", rank, tier,
        stored->parent_hash ? fmt::format("{:#018x}", std::to_underlying(*stored->parent_hash))
                            : "root");
    for (const KvBlock& block : stored->blocks)
      out += fmt::format(" {:#018x}={:#018x}", std::to_underlying(block.block_hash),
                         std::to_underlying(block.tokens_hash));
    return out;
  }
  if (const auto* removed = std::get_if<KvRemoved>(&event.event.data)) {
    std::string out = fmt::format("removed {} {}", rank, tier);
    for (const EngineHash hash : removed->block_hashes)
      out += fmt::format(" {:#018x}", std::to_underlying(hash));
    return out;
  }
  return "cleared";
}

std::string normalized(const Json& event) {
  const std::string kind = text_of(event, "kind");
  if (kind == "cleared") return kind;
  std::string out =
      fmt::format("{} {} {}", kind, number_of(event, "dp_rank"), text_of(event, "storage_tier"));
  if (kind == "removed") {
    for (const Json& hash : list_of(event, "block_hashes"))
      out += fmt::format(" {:#018x}", hash_of(&hash));
    return out;
  }
  const Json* parent = event.find("parent_hash");
  out +=
      parent == nullptr || parent->is_null() ? " root" : fmt::format(" {:#018x}", hash_of(parent));
  for (const Json& block : list_of(event, "blocks"))
    out += fmt::format(" {:#018x}={:#018x}", hash_of(block.find("block_hash")),
                       hash_of(block.find("tokens_hash")));
  return out;
}

void run_engine_vector(const Json& vector, bool release_1_6, Tally& tally) {
  const Json* expect = release_1_6 ? vector.find("expect_wheel_1_6_1") : nullptr;
  if (release_1_6 && expect == nullptr) return;
  if (expect == nullptr) expect = vector.find("expect");
  EngineEventReader reader(
      {.worker = WorkerId{7},
       .listener_rank = DpRank{0},
       .block_size_tokens = static_cast<std::uint32_t>(number_of(vector, "kv_block_size")),
       .image_token = {},
       .mm_hashes_in_extra_keys = !release_1_6});
  const std::string id = text_of(vector, "name") + (release_1_6 ? ", release 1.6" : "");
  const auto events = reader.read(bytes_of(vector, "payload_hex"));
  std::string expected;
  if (expect->if_array() != nullptr)
    for (const Json& event : *expect->if_array()) expected += normalized(event) + "\n";
  std::string got = events ? "" : events.error().message();
  if (events)
    for (const RouterEvent& event : *events) got += normalized(event) + "\n";
  expect_equal(tally, id, expected, got);
}

template <class T>
std::string packed(const T& value, WireGeneration generation) {
  std::string out;
  MsgpackWriter writer(out);
  write_msgpack(writer, value, generation);
  return out;
}
template <class T>
std::string packed(const T& value) {
  std::string out;
  MsgpackWriter writer(out);
  write_msgpack(writer, value);
  return out;
}
template <class T>
std::string json_of(const T& value, WireGeneration generation) {
  std::string out;
  JsonWriter writer(out);
  write_json(writer, value, generation);
  return out;
}

// The bytes, decoded and encoded again.
std::string again(const std::string& bytes, WireGeneration generation) {
  const auto events = router_events_from_msgpack(bytes);
  if (!events) return events.error().message();
  return events->size() == 1 ? hex(packed(events->front(), generation)) : "not one event";
}
std::string json_again(const std::string& text, WireGeneration generation) {
  const auto json = parse_json(text);
  if (!json) return json.error().message();
  const auto event = router_event_from_json(*json);
  return event ? json_of(*event, generation) : event.error().message();
}

void run_router_event(const Json& vector, Tally& tally) {
  const std::string name = text_of(vector, "name");
  for (const auto& [prefix, generation] :
       {std::pair{"v0_9", WireGeneration::v0_9}, std::pair{"v1_5", WireGeneration::v1_5}}) {
    const std::string bytes = std::string(prefix) + "_msgpack_hex";
    const std::string text = std::string(prefix) + "_json";
    if (vector.find(bytes) != nullptr)
      expect_equal(tally, name + " " + bytes, text_of(vector, bytes),
                   again(bytes_of(vector, bytes), generation));
    if (vector.find(text) != nullptr)
      expect_equal(tally, name + " " + text, text_of(vector, text),
                   json_again(text_of(vector, text), generation));
  }
  const auto events = router_events_from_msgpack(bytes_of(vector, "v1_5_event_plane_payload_hex"));
  expect_equal(tally, name + " payload", text_of(vector, "v1_5_event_plane_payload_hex"),
               events ? hex(packed(*events)) : events.error().message());
}

std::string sequence_events_again(const std::string& bytes, bool batch) {
  const auto events = sequence_events_from_msgpack(bytes);
  if (!events) return events.error().message();
  return hex(batch ? packed(*events) : packed(events->front()));
}

void run_worker_query(const Json& row, Tally& tally) {
  const std::string name = text_of(row, "name");
  const std::string text = text_of(row, "json");
  const WireGeneration generation =
      name.ends_with("v0_9") ? WireGeneration::v0_9 : WireGeneration::v1_5;
  const Json json = parse_json(text).value_or(Json());
  std::string got;
  if (name.starts_with("query")) {
    const auto query = worker_query_from_json(json);
    got = query ? json_of(*query, generation) : query.error().message();
  } else {
    const auto answer = worker_query_answer_from_json(json);
    got = answer ? json_of(*answer, generation) : answer.error().message();
    if (answer && generation == WireGeneration::v1_5) {
      const auto packed_again = worker_query_answer_from_msgpack(packed(*answer));
      got = packed_again ? json_of(*packed_again, generation) : packed_again.error().message();
    }
  }
  expect_equal(tally, name, text, got);
}

}  // namespace

void run_engine_events(const Json& file, Tally& tally) {
  for (const Json& vector : list_of(file, "vectors")) {
    run_engine_vector(vector, false, tally);
    run_engine_vector(vector, true, tally);
  }
}

void run_router_events(const Json& file, Tally& tally) {
  for (const Json& vector : list_of(file, "router_events")) run_router_event(vector, tally);
  for (const Json& row : list_of(file, "active_sequence_events"))
    expect_equal(tally, text_of(row, "name"), text_of(row, "msgpack_hex"),
                 sequence_events_again(bytes_of(row, "msgpack_hex"),
                                       text_of(row, "name").starts_with("batch")));
  for (const Json& row : list_of(file, "active_load")) {
    const auto load = active_load_from_msgpack(bytes_of(row, "msgpack_hex"));
    const WireGeneration generation =
        text_of(row, "name").ends_with("v0_9") ? WireGeneration::v0_9 : WireGeneration::v1_5;
    expect_equal(tally, text_of(row, "name"), text_of(row, "msgpack_hex"),
                 load ? hex(packed(*load, generation)) : load.error().message());
  }
  for (const Json& row : list_of(file, "worker_query")) run_worker_query(row, tally);
}

void run_event_plane_capture(const Json& file, Tally& tally) {
  std::size_t index = 0;
  for (const Json& message : list_of(file, "messages")) {
    const auto events = router_events_from_msgpack(bytes_of(message, "payload_hex"));
    expect_equal(tally, fmt::format("message {}", index++), text_of(message, "payload_hex"),
                 events ? hex(packed(*events)) : events.error().message());
  }
}

}  // namespace dynamo::conformance
