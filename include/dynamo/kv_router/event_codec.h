// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>
#include <dynamo/base/json.h>
#include <dynamo/base/msgpack.h>
#include <dynamo/kv_router/event.h>

#include <cstddef>
#include <string_view>
#include <vector>

namespace dynamo::kv_router {

/// Which release the bytes are for: 0.9 knows neither tiers nor start positions.
enum class WireGeneration : std::uint8_t { v0_9, v1_5 };

/// Blocks that one message may announce: as many as the event plane's largest message can hold.
inline constexpr std::size_t kEventBlocksLimit = std::size_t{1} << 20;

void write_json(JsonWriter& out, const RouterEvent& event,
                WireGeneration generation = WireGeneration::v1_5);
void write_msgpack(MsgpackWriter& out, const RouterEvent& event,
                   WireGeneration generation = WireGeneration::v1_5);
/// The payload of one event-plane message: an array since v1.5.
void write_msgpack(MsgpackWriter& out, const std::vector<RouterEvent>& events);

/// Any key order, unknown keys skipped, missing optional ones defaulted; structs may also come as
/// positional arrays. Each block goes straight into its place: nothing is copied twice.
/// Errors: Errc::protocol naming the field and the byte; Errc::unimplemented for a residency
/// domain that is null or unknown (the event is to be dropped and counted).
Result<RouterEvent> router_event_from_msgpack(MsgpackReader& reader);
Result<RouterEvent> router_event_from_json(const Json& json);
/// An event-plane payload of either generation: an array of events, or one event alone.
Result<std::vector<RouterEvent>> router_events_from_msgpack(std::string_view payload);

}  // namespace dynamo::kv_router
