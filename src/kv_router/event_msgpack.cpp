// SPDX-License-Identifier: Apache-2.0
#include <dynamo/kv_router/event_codec.h>

#include <array>
#include <string>

#include "kv_router/event_names.h"
#include "kv_router/msgpack_struct.h"

namespace dynamo::kv_router {
namespace {

using detail::Read;
using detail::read_struct;
using detail::u32;

Result<std::size_t> bounded_array(MsgpackReader& in) {
  DYN_TRY(const std::size_t length, in.array());
  if (length > kEventBlocksLimit) {
    return fail(Errc::protocol, std::to_string(length) + " entries, the limit is " +
                                    std::to_string(kEventBlocksLimit));
  }
  return length;
}

Read read_mm_objects(MsgpackReader& in, std::vector<MmObject>& out) {
  DYN_TRY(const std::size_t length, bounded_array(in));
  for (std::size_t i = 0; i < length; ++i) {
    MmObject& object = out.emplace_back();
    constexpr std::array<std::string_view, 2> kFields{"mm_hash", "offsets"};
    DYN_CHECK(read_struct(in, kFields, [&](std::size_t field) -> Read {
      if (field == 0) {
        DYN_TRY(object.mm_hash, in.unsigned_integer());
        return {};
      }
      DYN_TRY(const std::size_t pairs, bounded_array(in));
      for (std::size_t pair = 0; pair < pairs; ++pair) {
        DYN_TRY(const std::size_t two, in.array());
        if (two != 2) return fail(Errc::protocol, "an offset must be a pair");
        DYN_TRY(const std::uint64_t begin, in.unsigned_integer());
        DYN_TRY(const std::uint64_t end, in.unsigned_integer());
        object.offsets.emplace_back(begin, end);
      }
      return {};
    }));
  }
  return {};
}

Read read_block(MsgpackReader& in, KvBlock& block) {
  constexpr std::array<std::string_view, 3> kFields{"block_hash", "tokens_hash", "mm_extra_info"};
  unsigned seen = 0;
  DYN_CHECK(read_struct(in, kFields, [&](std::size_t field) -> Read {
    seen |= 1u << field;
    if (field < 2) {
      DYN_TRY(const std::uint64_t hash, in.unsigned_integer());
      if (field == 0) {
        block.block_hash = EngineHash{hash};
      } else {
        block.tokens_hash = LocalHash{hash};
      }
      return {};
    }
    if (in.take_nil()) return {};
    constexpr std::array<std::string_view, 1> kInfo{"mm_objects"};
    return read_struct(
        in, kInfo, [&](std::size_t) { return read_mm_objects(in, block.mm_objects.emplace()); });
  }));
  if ((seen & 3u) != 3u) return fail(Errc::protocol, "a block needs block_hash and tokens_hash");
  return {};
}

Read read_stored(MsgpackReader& in, KvStored& out) {
  // 0.9 has no start_position: its positional form is (parent_hash, blocks).
  constexpr std::array<std::string_view, 3> kFields{"parent_hash", "start_position", "blocks"};
  const auto read_blocks = [&]() -> Read {
    DYN_TRY(const std::size_t length, bounded_array(in));
    out.blocks.reserve(length);
    for (std::size_t i = 0; i < length; ++i) DYN_CHECK(read_block(in, out.blocks.emplace_back()));
    return {};
  };
  return read_struct(in, kFields, [&](std::size_t field) -> Read {
    if (field == 2) return read_blocks();
    if (field == 1 && in.peek() == MsgpackReader::Kind::array) return read_blocks();
    if (in.take_nil()) return {};
    if (field == 1) {
      DYN_TRY(out.start_position, u32(in));
      return {};
    }
    DYN_TRY(const std::uint64_t parent, in.unsigned_integer());
    out.parent_hash = EngineHash{parent};
    return {};
  });
}

Read read_removed(MsgpackReader& in, KvRemoved& out) {
  constexpr std::array<std::string_view, 1> kFields{"block_hashes"};
  return read_struct(in, kFields, [&](std::size_t) -> Read {
    DYN_TRY(const std::size_t length, bounded_array(in));
    out.block_hashes.reserve(length);
    for (std::size_t i = 0; i < length; ++i) {
      DYN_TRY(const std::uint64_t hash, in.unsigned_integer());
      out.block_hashes.push_back(EngineHash{hash});
    }
    return {};
  });
}

Read read_data(MsgpackReader& in, KvCacheEvent& event) {
  if (in.peek() == MsgpackReader::Kind::string) {
    DYN_TRY(const std::string_view name, in.string());
    if (name != "cleared")
      return fail(Errc::protocol, "unknown event '" + std::string(name.substr(0, 40)) + "'");
    event.data = KvCleared{};
    return {};
  }
  DYN_TRY(const std::size_t entries, in.map());
  if (entries != 1)
    return fail(Errc::protocol, "an event has one kind, found " + std::to_string(entries));
  DYN_TRY(const std::string_view name, in.string());
  if (name == "stored") return read_stored(in, event.data.emplace<KvStored>());
  if (name == "removed") return read_removed(in, event.data.emplace<KvRemoved>());
  return fail(Errc::protocol, "unknown event '" + std::string(name.substr(0, 40)) + "'");
}

Read read_cache_event(MsgpackReader& in, KvCacheEvent& event) {
  constexpr std::array<std::string_view, 3> kFields{"event_id", "data", "dp_rank"};
  unsigned seen = 0;
  DYN_CHECK(read_struct(in, kFields, [&](std::size_t field) -> Read {
    seen |= 1u << field;
    switch (field) {
      case 0: {
        DYN_TRY(event.event_id, in.unsigned_integer());
        return {};
      }
      case 1:
        return read_data(in, event);
      default: {
        if (in.take_nil()) return {};
        DYN_TRY(const std::uint32_t rank, u32(in));
        event.dp_rank = DpRank{rank};
        return {};
      }
    }
  }));
  if ((seen & 3u) != 3u) return fail(Errc::protocol, "event_id and data are required");
  return {};
}

void write_block(MsgpackWriter& out, const KvBlock& block) {
  out.map(3).value("block_hash").value(static_cast<std::uint64_t>(block.block_hash));
  out.value("tokens_hash")
      .value(static_cast<std::uint64_t>(block.tokens_hash))
      .value("mm_extra_info");
  if (!block.mm_objects) {
    out.nil();
    return;
  }
  out.map(1).value("mm_objects").array(block.mm_objects->size());
  for (const MmObject& object : *block.mm_objects) {
    out.map(2).value("mm_hash").value(object.mm_hash).value("offsets").array(object.offsets.size());
    for (const auto& [begin, end] : object.offsets) out.array(2).value(begin).value(end);
  }
}

void write_data(MsgpackWriter& out, const KvCacheEvent& event, WireGeneration generation) {
  if (const auto* stored = std::get_if<KvStored>(&event.data)) {
    const bool positions = generation == WireGeneration::v1_5;
    out.map(1).value("stored").map(positions ? 3 : 2).value("parent_hash");
    if (stored->parent_hash) {
      out.value(static_cast<std::uint64_t>(*stored->parent_hash));
    } else {
      out.nil();
    }
    if (positions) {
      out.value("start_position");
      if (stored->start_position) {
        out.value(*stored->start_position);
      } else {
        out.nil();
      }
    }
    out.value("blocks").array(stored->blocks.size());
    for (const KvBlock& block : stored->blocks) write_block(out, block);
  } else if (const auto* removed = std::get_if<KvRemoved>(&event.data)) {
    out.map(1).value("removed").map(1).value("block_hashes").array(removed->block_hashes.size());
    for (const EngineHash hash : removed->block_hashes) out.value(static_cast<std::uint64_t>(hash));
  } else {
    out.value("cleared");
  }
}

}  // namespace

void write_msgpack(MsgpackWriter& out, const RouterEvent& event, WireGeneration generation) {
  const bool tiers = generation == WireGeneration::v1_5;
  out.map(2u + (tiers ? 1u : 0u) + (tiers && event.residency_domain ? 1u : 0u));
  out.value("worker_id").value(static_cast<std::uint64_t>(event.worker_id));
  if (tiers) {
    out.value("storage_tier").value(detail::name_of(event.storage_tier));
    if (event.residency_domain)
      out.value("residency_domain").value(detail::name_of(*event.residency_domain));
  }
  out.value("event").map(3).value("event_id").value(event.event.event_id).value("data");
  write_data(out, event.event, generation);
  out.value("dp_rank").value(static_cast<std::uint32_t>(event.event.dp_rank));
}

void write_msgpack(MsgpackWriter& out, const std::vector<RouterEvent>& events) {
  out.array(events.size());
  for (const RouterEvent& event : events) write_msgpack(out, event);
}

Result<RouterEvent> router_event_from_msgpack(MsgpackReader& in) {
  RouterEvent out;
  // A positional event of 0.9 is (worker_id, event); of 1.5 (worker_id, tier, domain?, event).
  constexpr std::array<std::string_view, 5> kFields{"worker_id", "storage_tier", "residency_domain",
                                                    "event", "state_source"};
  unsigned seen = 0;
  auto done = read_struct(in, kFields, [&](std::size_t field) -> Read {
    const bool is_struct =
        in.peek() == MsgpackReader::Kind::map || in.peek() == MsgpackReader::Kind::array;
    if ((field == 1 || field == 2) && is_struct) field = 3;
    seen |= 1u << field;
    switch (field) {
      case 0: {
        DYN_TRY(const std::uint64_t worker, in.unsigned_integer());
        out.worker_id = WorkerId{worker};
        return {};
      }
      case 1: {
        DYN_TRY(const std::string_view name, in.string());
        const auto tier = detail::tier_of(name);
        if (!tier)
          return fail(Errc::protocol, "unknown tier '" + std::string(name.substr(0, 40)) + "'");
        out.storage_tier = *tier;
        return {};
      }
      case 2: {
        if (in.take_nil()) return fail(Errc::unimplemented, "nil");
        DYN_TRY(const std::string_view name, in.string());
        out.residency_domain = detail::domain_of(name);
        if (!out.residency_domain)
          return fail(Errc::unimplemented, "'" + std::string(name.substr(0, 40)) + "'");
        return {};
      }
      case 3:
        return read_cache_event(in, out.event);
      default:
        return in.skip();
    }
  });
  if (!done) return fail(std::move(done).error().with("KV event"));
  if ((seen & 9u) != 9u) return fail(Errc::protocol, "KV event: worker_id and event are required");
  return out;
}

Result<std::vector<RouterEvent>> router_events_from_msgpack(std::string_view payload) {
  MsgpackReader in(payload);
  std::vector<RouterEvent> events;
  // A list of events begins with an event, a positional event with its worker id.
  bool is_list = false;
  if (in.peek() == MsgpackReader::Kind::array) {
    MsgpackReader ahead(payload);
    DYN_TRY(const std::size_t length, ahead.array());
    is_list = length == 0 || ahead.peek() != MsgpackReader::Kind::integer;
  }
  if (is_list) {
    DYN_TRY(const std::size_t length, in.array());
    for (std::size_t i = 0; i < length; ++i) {
      DYN_TRY(RouterEvent event, router_event_from_msgpack(in));
      events.push_back(std::move(event));
    }
  } else {
    DYN_TRY(RouterEvent event, router_event_from_msgpack(in));
    events.push_back(std::move(event));
  }
  if (!in.at_end())
    return fail(Errc::protocol,
                "KV event: bytes follow the message at byte " + std::to_string(in.offset()));
  return events;
}

}  // namespace dynamo::kv_router
