// SPDX-License-Identifier: Apache-2.0
// What workers, engines and other routers send to the KV router. The first byte of an input picks
// what reads it.
#include <dynamo/base/assert.h>
#include <dynamo/base/json.h>
#include <dynamo/base/msgpack.h>
#include <dynamo/kv_router/engine_event.h>
#include <dynamo/kv_router/event_codec.h>
#include <dynamo/kv_router/event_order.h>
#include <dynamo/kv_router/naive_index.h>
#include <dynamo/kv_router/prefix_index.h>
#include <dynamo/kv_router/sequence_event.h>
#include <dynamo/kv_router/worker_query.h>
#include <dynamo/tokens/positional_hash_codec.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>

namespace dynamo::kv_router {
namespace {

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

// An event survives both encodings; that of 0.9 loses what 0.9 does not know, and nothing else.
void check_event(const RouterEvent& event) {
  const std::string bytes = packed(event);
  MsgpackReader reader(bytes);
  const auto from_bytes = router_event_from_msgpack(reader);
  DYN_ASSERT(from_bytes && reader.at_end() && *from_bytes == event);
  const auto tree = parse_json(json_of(event, WireGeneration::v1_5));
  DYN_ASSERT(tree.has_value());
  const auto from_json = router_event_from_json(*tree);
  DYN_ASSERT(from_json && *from_json == event);
  RouterEvent old = event;
  old.storage_tier = StorageTier::device;
  old.residency_domain.reset();
  if (auto* stored = std::get_if<KvStored>(&old.event.data)) stored->start_position.reset();
  std::string old_bytes;
  MsgpackWriter writer(old_bytes);
  write_msgpack(writer, event, WireGeneration::v0_9);
  const auto from_old = router_events_from_msgpack(old_bytes);
  DYN_ASSERT(from_old && from_old->size() == 1 && from_old->front() == old);
}

void msgpack_events(std::string_view input) {
  const auto events = router_events_from_msgpack(input);
  if (!events) return;
  for (const RouterEvent& event : *events) check_event(event);
  const auto again = router_events_from_msgpack(packed(*events));
  DYN_ASSERT(again && *again == *events);
}

void json_event(std::string_view input) {
  const auto json = parse_json(input);
  if (!json) return;
  if (const auto event = router_event_from_json(*json)) check_event(*event);
}

// Whatever an engine says, what comes out is fit for the index: chains without repetition.
void engine_events(std::string_view input) {
  EngineEventReader reader(
      {.worker = WorkerId{1},
       .listener_rank = DpRank{2},
       .block_size_tokens = 4,
       .image_token = input.size() % 2 == 0 ? std::optional(7u) : std::nullopt});
  // Two batches, so that what the first one teaches is used.
  for (const std::string_view batch : {input.substr(0, input.size() / 2), input, input}) {
    const auto events = reader.read(batch);
    if (!events) continue;
    for (const RouterEvent& event : *events) {
      check_event(event);
      const auto* stored = std::get_if<KvStored>(&event.event.data);
      if (stored == nullptr) continue;
      std::set<EngineHash> names;
      if (stored->parent_hash) names.insert(*stored->parent_hash);
      for (const KvBlock& block : stored->blocks) DYN_ASSERT(names.insert(block.block_hash).second);
      DYN_ASSERT(!stored->blocks.empty());
    }
  }
}

void sequence_events(std::string_view input) {
  if (const auto events = sequence_events_from_msgpack(input)) {
    const auto again = sequence_events_from_msgpack(packed(*events));
    DYN_ASSERT(again && *again == *events);
  }
  if (const auto load = active_load_from_msgpack(input)) {
    const auto again = active_load_from_msgpack(packed(*load));
    DYN_ASSERT(again && *again == *load);
  }
}

void worker_query(std::string_view input) {
  const auto check = [](const WorkerQueryAnswer& answer) {
    const std::string bytes = packed(answer);
    const auto again = worker_query_answer_from_msgpack(bytes);
    DYN_ASSERT(again && packed(*again) == bytes);
    const auto tree = parse_json(json_of(answer, WireGeneration::v1_5));
    DYN_ASSERT(tree.has_value());
    const auto from_json = worker_query_answer_from_json(*tree);
    DYN_ASSERT(from_json && packed(*from_json) == bytes);
  };
  if (const auto answer = worker_query_answer_from_msgpack(input)) check(*answer);
  if (const auto query = worker_query_from_msgpack(input)) {
    const auto again = worker_query_from_msgpack(packed(*query));
    DYN_ASSERT(again && *again == *query);
  }
  const auto json = parse_json(input);
  if (!json) return;
  if (const auto answer = worker_query_answer_from_json(*json)) check(*answer);
  static_cast<void>(worker_query_from_json(*json).has_value());
}

// Decoded events through the order into model and index, which must agree.
void ordered_events(std::string_view input) {
  const auto events = router_events_from_msgpack(input);
  if (!events) return;
  EventOrder order({.held_back_events_max = 4, .recoveries_max = 2, .attempts_max = 2});
  EventOrder::Actions actions;
  NaiveIndex model;
  PrefixIndex index;
  base::SteadyTime now{};
  const auto perform = [&] {
    for (const OrderAction& action : actions) {
      if (const auto* apply = std::get_if<ApplyEvent>(&action)) {
        DYN_ASSERT(model.apply(apply->event) == index.apply(apply->event));
      } else if (const auto* reset = std::get_if<ResetWorker>(&action)) {
        model.clear(reset->worker);
        index.clear(reset->worker);
      }
    }
    actions.clear();
  };
  for (const RouterEvent& event : *events) {
    const std::uint64_t choice = event.event.event_id % 7;
    if (choice == 0) order.add_source(event.key(), PublisherId{1}, true, now, actions);
    order.on_event(PublisherId{choice == 6 ? 2u : 1u}, event, now, actions);
    if (choice == 5) order.lose_source(event.key(), now, actions);
    for (const OrderAction& action : EventOrder::Actions(actions)) {
      const auto* question = std::get_if<RequestRecovery>(&action);
      if (question == nullptr || choice == 3) continue;
      order.recovered_dump(question->worker, question->id, {event}, event.event.event_id, now,
                           actions);
    }
    perform();
    now += std::chrono::seconds(20);
    order.on_time(now, actions);
    perform();
  }
  DYN_ASSERT(model.dump() == index.dump());
}

void lineage_hashes(std::string_view input) {
  MsgpackReader reader(input);
  if (const auto block = tokens::universal_block_from_msgpack(reader)) {
    std::string bytes;
    MsgpackWriter writer(bytes);
    tokens::write_msgpack(writer, *block);
    MsgpackReader again(bytes);
    DYN_ASSERT(tokens::universal_block_from_msgpack(again).value() == *block);
    static_cast<void>(block->plh.to_string());
  }
}

constexpr std::array kTargets{msgpack_events, json_event,     engine_events, sequence_events,
                              worker_query,   ordered_events, lineage_hashes};

}  // namespace
}  // namespace dynamo::kv_router

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
  dynamo::kv_router::kTargets[data[0] % dynamo::kv_router::kTargets.size()](text);
  return 0;
}
