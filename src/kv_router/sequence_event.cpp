// SPDX-License-Identifier: Apache-2.0
#include <dynamo/kv_router/sequence_event.h>

#include <array>

#include "kv_router/msgpack_struct.h"

namespace dynamo::kv_router {
namespace {

using detail::Read;
using detail::read_struct;

constexpr std::uint64_t kNanosPerSecond = 1'000'000'000;

template <class T>
void write_optional(MsgpackWriter& out, const std::optional<T>& value) {
  if (value) {
    out.value(*value);
  } else {
    out.nil();
  }
}

void write_worker(MsgpackWriter& out, WorkerKey worker) {
  out.map(2).value("worker_id").value(static_cast<std::uint64_t>(worker.worker));
  out.value("dp_rank").value(static_cast<std::uint32_t>(worker.rank));
}

void write_hint(MsgpackWriter& out, const std::optional<PrefillLoadHint>& hint) {
  if (!hint) {
    out.nil();
    return;
  }
  out.map(2).value("initial_effective_prefill_tokens").value(hint->tokens);
  out.value("expected_prefill_duration");
  if (!hint->duration) {
    out.nil();
    return;
  }
  const auto nanos = static_cast<std::uint64_t>(std::max<std::int64_t>(0, hint->duration->count()));
  out.map(2).value("secs").value(nanos / kNanosPerSecond);
  out.value("nanos").value(nanos % kNanosPerSecond);
}

void write_added(MsgpackWriter& out, const SequenceAdded& added) {
  out.map(4).value("token_sequence");
  if (added.token_sequence) {
    out.array(added.token_sequence->size());
    for (const tokens::SequenceHash hash : *added.token_sequence)
      out.value(std::to_underlying(hash));
  } else {
    out.nil();
  }
  if (const auto* length = std::get_if<PromptLength>(&added.load)) {
    out.value("isl").value(length->isl_tokens).value("overlap").value(length->overlap_blocks);
    out.value("expected_output_tokens");
    write_optional(out, added.expected_output_tokens);
    return;
  }
  const auto& load = std::get<PrefillLoad>(added.load);
  out.value("track_prefill_tokens").value(load.track_prefill_tokens);
  out.value("expected_output_tokens");
  write_optional(out, added.expected_output_tokens);
  out.value("prefill_load_hint");
  write_hint(out, load.hint);
}

Read read_worker(MsgpackReader& in, WorkerKey& out) {
  constexpr std::array<std::string_view, 2> kFields{"worker_id", "dp_rank"};
  unsigned seen = 0;
  DYN_CHECK(read_struct(in, kFields, [&](std::size_t field) -> Read {
    seen |= 1u << field;
    if (field == 0) {
      DYN_TRY(const std::uint64_t worker, in.unsigned_integer());
      out.worker = WorkerId{worker};
    } else if (!in.take_nil()) {
      DYN_TRY(const std::uint32_t rank, detail::u32(in));
      out.rank = DpRank{rank};
    }
    return {};
  }));
  return (seen & 1u) != 0 ? Read{} : fail(Errc::protocol, "worker_id is required");
}

Read read_hint(MsgpackReader& in, std::optional<PrefillLoadHint>& out) {
  if (in.take_nil()) return {};
  PrefillLoadHint& hint = out.emplace();
  constexpr std::array<std::string_view, 2> kFields{"initial_effective_prefill_tokens",
                                                    "expected_prefill_duration"};
  return read_struct(in, kFields, [&](std::size_t field) -> Read {
    if (field == 0) {
      DYN_TRY(hint.tokens, in.unsigned_integer());
      return {};
    }
    if (in.take_nil()) return {};
    std::uint64_t seconds = 0;
    std::uint64_t nanos = 0;
    constexpr std::array<std::string_view, 2> kParts{"secs", "nanos"};
    DYN_CHECK(read_struct(in, kParts, [&](std::size_t part) -> Read {
      DYN_TRY((part == 0 ? seconds : nanos), in.unsigned_integer());
      return {};
    }));
    // A day of prefill is more than anyone means.
    constexpr std::uint64_t kDay = 86400;
    if (seconds > kDay || nanos >= kNanosPerSecond)
      return fail(Errc::protocol, "a duration of " + std::to_string(seconds) + " s and " +
                                      std::to_string(nanos) + " ns");
    hint.duration = std::chrono::nanoseconds(seconds * kNanosPerSecond + nanos);
    return {};
  });
}

Read read_added(MsgpackReader& in, SequenceAdded& out) {
  constexpr std::array<std::string_view, 6> kFields{"token_sequence",    "isl",
                                                    "overlap",           "track_prefill_tokens",
                                                    "prefill_load_hint", "expected_output_tokens"};
  PrefillLoad load;
  std::optional<PromptLength> length;
  // Positional forms of the two generations cannot be told apart: maps only.
  if (in.peek() != MsgpackReader::Kind::map)
    return fail(Errc::protocol, "AddRequest must be a map");
  DYN_CHECK(read_struct(in, kFields, [&](std::size_t field) -> Read {
    switch (field) {
      case 0: {
        if (in.take_nil()) return {};
        DYN_TRY(const std::size_t blocks, in.array());
        if (blocks > kEventBlocksLimit)
          return fail(Errc::protocol, std::to_string(blocks) + " blocks");
        auto& hashes = out.token_sequence.emplace();
        hashes.reserve(blocks);
        for (std::size_t i = 0; i < blocks; ++i) {
          DYN_TRY(const std::uint64_t hash, in.unsigned_integer());
          hashes.push_back(tokens::SequenceHash{hash});
        }
        return {};
      }
      case 1: {
        if (!length) length.emplace();
        DYN_TRY(length->isl_tokens, in.unsigned_integer());
        return {};
      }
      case 2: {
        if (!length) length.emplace();
        DYN_TRY(length->overlap_blocks, detail::u32(in));
        return {};
      }
      case 3: {
        DYN_TRY(load.track_prefill_tokens, in.boolean());
        return {};
      }
      case 4:
        return read_hint(in, load.hint);
      default: {
        if (in.take_nil()) return {};
        DYN_TRY(out.expected_output_tokens, detail::u32(in));
        return {};
      }
    }
  }));
  if (length) {
    out.load = *length;
  } else {
    out.load = load;
  }
  return {};
}

Read read_data(MsgpackReader& in, ActiveSequenceEvent& out) {
  std::string_view name;
  const bool bare = in.peek() == MsgpackReader::Kind::string;
  if (!bare) {
    DYN_TRY(const std::size_t entries, in.map());
    if (entries != 1)
      return fail(Errc::protocol, "an event has one kind, found " + std::to_string(entries));
  }
  DYN_TRY(name, in.string());
  if (name == "AddRequest" && !bare) return read_added(in, out.data.emplace<SequenceAdded>());
  if (name == "Free") {
    out.data = SequenceFreed{};
  } else if (name == "MarkPrefillCompleted") {
    out.data = PrefillCompleted{};
  } else {
    return fail(Errc::protocol, "unknown event '" + std::string(name.substr(0, 40)) + "'");
  }
  return bare ? Read{} : in.skip();
}

constexpr std::array<std::string_view, 5> kEventFields{"request_id", "worker", "data", "router_id",
                                                       "lora_name"};

Read read_field(MsgpackReader& in, std::size_t field, ActiveSequenceEvent& out) {
  switch (field) {
    case 0: {
      DYN_TRY(out.request_id, in.string());
      return {};
    }
    case 1:
      return read_worker(in, out.worker);
    case 2:
      return read_data(in, out);
    case 3: {
      DYN_TRY(out.router_id, in.unsigned_integer());
      return {};
    }
    default: {
      if (in.take_nil()) return {};
      DYN_TRY(const std::string_view name, in.string());
      out.lora_name = std::string(name);
      return {};
    }
  }
}

Read required(unsigned seen) {
  return (seen & 15u) == 15u
             ? Read{}
             : fail(Errc::protocol, "request_id, worker, data and router_id are required");
}

Read read_event(MsgpackReader& in, ActiveSequenceEvent& out) {
  unsigned seen = 0;
  DYN_CHECK(read_struct(in, kEventFields, [&](std::size_t field) -> Read {
    seen |= 1u << field;
    return read_field(in, field, out);
  }));
  return required(seen);
}

Read read_events(MsgpackReader& in, std::vector<ActiveSequenceEvent>& out) {
  DYN_TRY(const std::size_t length, in.array());
  if (length > kSequenceEventsLimit)
    return fail(Errc::protocol, std::to_string(length) + " events, the limit is " +
                                    std::to_string(kSequenceEventsLimit));
  for (std::size_t i = 0; i < length; ++i)
    if (auto done = read_event(in, out.emplace_back()); !done)
      return fail(std::move(done).error().with("event " + std::to_string(i)));
  return {};
}

// One map: a batch when it has "events", else one event.
Read read_payload(MsgpackReader& in, std::vector<ActiveSequenceEvent>& out) {
  if (in.peek() == MsgpackReader::Kind::array) {
    // Positional: a batch has one element, a list; an event begins with its id.
    MsgpackReader ahead = in;
    DYN_TRY(const std::size_t length, ahead.array());
    if (length == 1 && ahead.peek() == MsgpackReader::Kind::array) {
      DYN_CHECK(in.array());
      return read_events(in, out);
    }
    return read_event(in, out.emplace_back());
  }
  DYN_TRY(const std::size_t entries, in.map());
  ActiveSequenceEvent single;
  unsigned seen = 0;
  bool batch = false;
  for (std::size_t entry = 0; entry < entries; ++entry) {
    DYN_TRY(const std::string_view key, in.string());
    if (key == "events") {
      batch = true;
      DYN_CHECK(read_events(in, out));
      continue;
    }
    std::size_t i = 0;
    while (i < kEventFields.size() && kEventFields[i] != key) ++i;
    if (i == kEventFields.size()) {
      DYN_CHECK(in.skip());
      continue;
    }
    seen |= 1u << i;
    if (auto done = read_field(in, i, single); !done)
      return fail(detail::in_field(std::move(done).error(), key));
  }
  if (batch) return {};
  DYN_CHECK(required(seen));
  out.push_back(std::move(single));
  return {};
}

}  // namespace

void write_msgpack(MsgpackWriter& out, const ActiveSequenceEvent& event) {
  out.map(5).value("request_id").value(std::string_view(event.request_id)).value("worker");
  write_worker(out, event.worker);
  out.value("data");
  if (const auto* added = std::get_if<SequenceAdded>(&event.data)) {
    out.map(1).value("AddRequest");
    write_added(out, *added);
  } else if (std::holds_alternative<SequenceFreed>(event.data)) {
    out.value("Free");
  } else {
    out.value("MarkPrefillCompleted");
  }
  out.value("router_id").value(event.router_id).value("lora_name");
  if (event.lora_name) {
    out.value(std::string_view(*event.lora_name));
  } else {
    out.nil();
  }
}

void write_msgpack(MsgpackWriter& out, const std::vector<ActiveSequenceEvent>& events) {
  out.map(1).value("events").array(events.size());
  for (const ActiveSequenceEvent& event : events) write_msgpack(out, event);
}

Result<std::vector<ActiveSequenceEvent>> sequence_events_from_msgpack(std::string_view payload) {
  MsgpackReader in(payload);
  std::vector<ActiveSequenceEvent> out;
  if (auto done = read_payload(in, out); !done)
    return fail(std::move(done).error().with("active sequence event"));
  if (!in.at_end())
    return fail(Errc::protocol, "active sequence event: bytes follow the message at byte " +
                                    std::to_string(in.offset()));
  return out;
}

void write_msgpack(MsgpackWriter& out, const ActiveLoadReport& load, WireGeneration generation) {
  const bool used = generation == WireGeneration::v1_5;
  out.map(used ? 5 : 4).value("worker_id").value(static_cast<std::uint64_t>(load.worker.worker));
  out.value("dp_rank").value(static_cast<std::uint32_t>(load.worker.rank));
  out.value("active_decode_blocks");
  write_optional(out, load.active_decode_blocks);
  out.value("active_prefill_tokens");
  write_optional(out, load.active_prefill_tokens);
  if (!used) return;
  out.value("kv_used_blocks");
  write_optional(out, load.kv_used_blocks);
}

Result<ActiveLoadReport> active_load_from_msgpack(std::string_view payload) {
  MsgpackReader in(payload);
  ActiveLoadReport out;
  constexpr std::array<std::string_view, 5> kFields{"worker_id", "dp_rank", "active_decode_blocks",
                                                    "active_prefill_tokens", "kv_used_blocks"};
  unsigned seen = 0;
  auto done = read_struct(in, kFields, [&](std::size_t field) -> Read {
    seen |= 1u << field;
    if (field > 0 && in.take_nil()) return {};
    DYN_TRY(const std::uint64_t number, in.unsigned_integer());
    switch (field) {
      case 0:
        out.worker.worker = WorkerId{number};
        return {};
      case 1:
        if (number > std::numeric_limits<std::uint32_t>::max())
          return fail(Errc::protocol, std::to_string(number) + " does not fit 32 bits");
        out.worker.rank = DpRank{static_cast<std::uint32_t>(number)};
        return {};
      case 2:
        out.active_decode_blocks = number;
        return {};
      case 3:
        out.active_prefill_tokens = number;
        return {};
      default:
        out.kv_used_blocks = number;
        return {};
    }
  });
  if (!done) return fail(std::move(done).error().with("active load"));
  if ((seen & 1u) == 0) return fail(Errc::protocol, "active load: worker_id is required");
  if (!in.at_end())
    return fail(Errc::protocol,
                "active load: bytes follow the message at byte " + std::to_string(in.offset()));
  return out;
}

}  // namespace dynamo::kv_router
