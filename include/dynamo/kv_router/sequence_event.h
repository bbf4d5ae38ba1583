// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>
#include <dynamo/base/msgpack.h>
#include <dynamo/kv_router/event_codec.h>
#include <dynamo/kv_router/worker_key.h>
#include <dynamo/tokens/hash.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// What routers of one model tell each other of the requests they sent (`active_sequences_events`),
/// and what workers say of their load (`kv_metrics`). Source: spec kv-router 2.8 and 7.
namespace dynamo::kv_router {

/// Prefill that a request still causes, as the router that sent it foresaw it. Since v1.5.
struct PrefillLoadHint {
  std::uint64_t tokens = 0;  ///< initial_effective_prefill_tokens
  std::optional<std::chrono::nanoseconds> duration;
  bool operator==(const PrefillLoadHint&) const = default;
};
/// The same in 0.9: the receiver does the sum.
struct PromptLength {
  std::uint64_t isl_tokens = 0;
  std::uint32_t overlap_blocks = 0;
  bool operator==(const PromptLength&) const = default;
};
/// Since v1.5.
struct PrefillLoad {
  bool track_prefill_tokens = true;
  std::optional<PrefillLoadHint> hint;
  bool operator==(const PrefillLoad&) const = default;
};

struct SequenceAdded {
  std::optional<std::vector<tokens::SequenceHash>> token_sequence;  ///< none: not tracked
  std::optional<std::uint32_t> expected_output_tokens;
  std::variant<PrefillLoad, PromptLength> load;  ///< tells the generation
  bool operator==(const SequenceAdded&) const = default;
};
struct SequenceFreed {
  bool operator==(const SequenceFreed&) const = default;
};
struct PrefillCompleted {
  bool operator==(const PrefillCompleted&) const = default;
};

struct ActiveSequenceEvent {
  std::string request_id;
  WorkerKey worker;
  std::variant<SequenceAdded, SequenceFreed, PrefillCompleted> data;
  std::uint64_t router_id = 0;  ///< of the sender
  std::optional<std::string> lora_name;
  bool operator==(const ActiveSequenceEvent&) const = default;
};

/// Events that one message may hold.
inline constexpr std::size_t kSequenceEventsLimit = 4096;

void write_msgpack(MsgpackWriter& out, const ActiveSequenceEvent& event);
/// `{"events": [...]}`, since v1.5.
void write_msgpack(MsgpackWriter& out, const std::vector<ActiveSequenceEvent>& events);
/// A payload of either generation. Any key order, unknown keys skipped.
/// Errors: Errc::protocol naming the field.
Result<std::vector<ActiveSequenceEvent>> sequence_events_from_msgpack(std::string_view payload);

/// What a worker says of itself; what it does not say is none.
struct ActiveLoadReport {
  WorkerKey worker;
  std::optional<std::uint64_t> active_decode_blocks;
  std::optional<std::uint64_t> active_prefill_tokens;
  std::optional<std::uint64_t> kv_used_blocks;  ///< since v1.5
  bool operator==(const ActiveLoadReport&) const = default;
};
void write_msgpack(MsgpackWriter& out, const ActiveLoadReport& load,
                   WireGeneration generation = WireGeneration::v1_5);
Result<ActiveLoadReport> active_load_from_msgpack(std::string_view payload);

}  // namespace dynamo::kv_router
