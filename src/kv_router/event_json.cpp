// SPDX-License-Identifier: Apache-2.0
#include <dynamo/kv_router/event_codec.h>

#include <array>
#include <limits>
#include <string>

#include "kv_router/event_names.h"

namespace dynamo::kv_router {
namespace {

Error missing(std::string_view field, std::string_view expected) {
  return Error(Errc::protocol,
               "KV event: " + std::string(field) + " must be " + std::string(expected));
}

Result<std::uint64_t> u64(const Json* value, std::string_view field) {
  const auto number = value == nullptr ? std::nullopt : value->as_uint64();
  if (!number) return fail(missing(field, "an unsigned 64-bit integer"));
  return *number;
}

Result<std::uint32_t> u32(const Json* value, std::string_view field) {
  DYN_TRY(const std::uint64_t number, u64(value, field));
  if (number > std::numeric_limits<std::uint32_t>::max())
    return fail(missing(field, "an unsigned 32-bit integer"));
  return static_cast<std::uint32_t>(number);
}

bool absent(const Json* value) {
  return value == nullptr || value->is_null();
}

Result<std::vector<MmObject>> mm_objects(const Json& info) {
  const Json* list = info.find("mm_objects");
  if (list == nullptr || !list->is_array())
    return fail(missing("mm_extra_info.mm_objects", "an array"));
  std::vector<MmObject> objects;
  for (const Json& entry : *list->if_array()) {
    MmObject& object = objects.emplace_back();
    DYN_TRY(object.mm_hash, u64(entry.find("mm_hash"), "mm_hash"));
    const Json* offsets = entry.find("offsets");
    if (offsets == nullptr || !offsets->is_array()) return fail(missing("offsets", "an array"));
    for (const Json& pair : *offsets->if_array()) {
      DYN_TRY(const std::uint64_t begin, u64(pair.at(0), "offsets"));
      DYN_TRY(const std::uint64_t end, u64(pair.at(1), "offsets"));
      object.offsets.emplace_back(begin, end);
    }
  }
  return objects;
}

Result<KvStored> stored(const Json& json) {
  KvStored out;
  if (const Json* parent = json.find("parent_hash"); !absent(parent)) {
    DYN_TRY(const std::uint64_t hash, u64(parent, "parent_hash"));
    out.parent_hash = EngineHash{hash};
  }
  if (const Json* start = json.find("start_position"); !absent(start)) {
    DYN_TRY(out.start_position, u32(start, "start_position"));
  }
  const Json* blocks = json.find("blocks");
  if (blocks == nullptr || !blocks->is_array()) return fail(missing("stored.blocks", "an array"));
  if (blocks->if_array()->size() > kEventBlocksLimit)
    return fail(missing("stored.blocks", "shorter"));
  out.blocks.reserve(blocks->if_array()->size());
  for (const Json& entry : *blocks->if_array()) {
    KvBlock& block = out.blocks.emplace_back();
    DYN_TRY(const std::uint64_t engine, u64(entry.find("block_hash"), "block_hash"));
    DYN_TRY(const std::uint64_t local, u64(entry.find("tokens_hash"), "tokens_hash"));
    block.block_hash = EngineHash{engine};
    block.tokens_hash = LocalHash{local};
    if (const Json* info = entry.find("mm_extra_info"); !absent(info)) {
      DYN_TRY(block.mm_objects, mm_objects(*info));
    }
  }
  return out;
}

Result<KvRemoved> removed(const Json& json) {
  const Json* hashes = json.find("block_hashes");
  if (hashes == nullptr || !hashes->is_array())
    return fail(missing("removed.block_hashes", "an array"));
  KvRemoved out;
  out.block_hashes.reserve(hashes->if_array()->size());
  for (const Json& entry : *hashes->if_array()) {
    DYN_TRY(const std::uint64_t hash, u64(&entry, "block_hashes"));
    out.block_hashes.push_back(EngineHash{hash});
  }
  return out;
}

void write_block(JsonWriter& out, const KvBlock& block) {
  out.begin_object()
      .member("block_hash", static_cast<std::uint64_t>(block.block_hash))
      .member("tokens_hash", static_cast<std::uint64_t>(block.tokens_hash))
      .key("mm_extra_info");
  if (!block.mm_objects) {
    out.null();
  } else {
    out.begin_object().key("mm_objects").begin_array();
    for (const MmObject& object : *block.mm_objects) {
      out.begin_object().member("mm_hash", object.mm_hash).key("offsets").begin_array();
      for (const auto& [begin, end] : object.offsets)
        out.begin_array().value(begin).value(end).end_array();
      out.end_array().end_object();
    }
    out.end_array().end_object();
  }
  out.end_object();
}

void write_data(JsonWriter& out, const KvCacheEvent& event, WireGeneration generation) {
  if (const auto* stored = std::get_if<KvStored>(&event.data)) {
    out.begin_object().key("stored").begin_object().key("parent_hash");
    if (stored->parent_hash) {
      out.value(static_cast<std::uint64_t>(*stored->parent_hash));
    } else {
      out.null();
    }
    if (generation == WireGeneration::v1_5)
      out.member_or_null("start_position", stored->start_position);
    out.key("blocks").begin_array();
    for (const KvBlock& block : stored->blocks) write_block(out, block);
    out.end_array().end_object().end_object();
  } else if (const auto* removed = std::get_if<KvRemoved>(&event.data)) {
    out.begin_object().key("removed").begin_object().key("block_hashes").begin_array();
    for (const EngineHash hash : removed->block_hashes) out.value(static_cast<std::uint64_t>(hash));
    out.end_array().end_object().end_object();
  } else {
    out.value("cleared");
  }
}

}  // namespace

void write_json(JsonWriter& out, const RouterEvent& event, WireGeneration generation) {
  out.begin_object().member("worker_id", static_cast<std::uint64_t>(event.worker_id));
  if (generation == WireGeneration::v1_5) {
    out.member("storage_tier", detail::name_of(event.storage_tier));
    if (event.residency_domain)
      out.member("residency_domain", detail::name_of(*event.residency_domain));
  }
  out.key("event").begin_object().member("event_id", event.event.event_id).key("data");
  write_data(out, event.event, generation);
  out.member("dp_rank", static_cast<std::uint32_t>(event.event.dp_rank)).end_object().end_object();
}

Result<RouterEvent> router_event_from_json(const Json& json) {
  RouterEvent out;
  DYN_TRY(const std::uint64_t worker, u64(json.find("worker_id"), "worker_id"));
  out.worker_id = WorkerId{worker};
  if (const Json* tier = json.find("storage_tier")) {
    const auto known = tier->is_string() ? detail::tier_of(*tier->if_string()) : std::nullopt;
    if (!known) return fail(missing("storage_tier", "device, host_pinned, disk or external"));
    out.storage_tier = *known;
  }
  if (const Json* domain = json.find("residency_domain")) {
    out.residency_domain =
        domain->is_string() ? detail::domain_of(*domain->if_string()) : std::nullopt;
    if (!out.residency_domain)
      return fail(Errc::unimplemented, "KV event: unsupported residency_domain " + domain->dump());
  }
  const Json* event = json.find("event");
  if (event == nullptr || !event->is_object()) return fail(missing("event", "an object"));
  DYN_TRY(out.event.event_id, u64(event->find("event_id"), "event_id"));
  if (const Json* rank = event->find("dp_rank"); !absent(rank)) {
    DYN_TRY(const std::uint32_t number, u32(rank, "dp_rank"));
    out.event.dp_rank = DpRank{number};
  }
  const Json* data = event->find("data");
  if (data != nullptr && data->is_string() && *data->if_string() == "cleared") {
    out.event.data = KvCleared{};
  } else if (const Json* body = data == nullptr ? nullptr : data->find("stored")) {
    DYN_TRY(out.event.data, stored(*body));
  } else if (const Json* list = data == nullptr ? nullptr : data->find("removed")) {
    DYN_TRY(out.event.data, removed(*list));
  } else {
    return fail(missing("event.data", "stored, removed or \"cleared\""));
  }
  return out;
}

}  // namespace dynamo::kv_router
