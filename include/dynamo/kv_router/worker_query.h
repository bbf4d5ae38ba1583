// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>
#include <dynamo/base/json.h>
#include <dynamo/base/msgpack.h>
#include <dynamo/kv_router/event_codec.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// The question with which a router asks a worker for events that it missed, and the answers. JSON
/// in 0.9; since 1.5 MessagePack maps of the same shape where the endpoint says so.
/// Source: spec kv-router 2.9; lib/kv-router/src/protocols.rs (v1.5).
namespace dynamo::kv_router {

struct WorkerQuery {
  WorkerKey worker;
  std::optional<std::uint64_t> start_event_id;  ///< none: everything
  std::optional<std::uint64_t> end_event_id;    ///< included
  bool supports_tree_dump_failed = true;        ///< since v1.5
  bool operator==(const WorkerQuery&) const = default;
};

/// The events of the range, contiguous.
struct QueriedEvents {
  std::vector<RouterEvent> events;
  std::uint64_t last_event_id = 0;
};
/// The worker's whole cache as stores whose ids mean nothing, as of `last_event_id` (0.9 does not
/// say).
struct QueriedDump {
  std::vector<RouterEvent> events;
  std::optional<std::uint64_t> last_event_id;
};
struct QueryTooNew {
  std::uint64_t requested_start = 0;
  std::uint64_t requested_end = 0;
  std::uint64_t newest_available = 0;
};
struct QueryInvalidRange {
  std::uint64_t start_id = 0;
  std::uint64_t end_id = 0;
};
/// The dump could not be made; since v1.5, only for those who understand it.
struct QueryDumpFailed {
  std::uint64_t last_event_id = 0;
  std::string message;
};
struct QueryError {
  std::string message;
};
using WorkerQueryAnswer = std::variant<QueriedEvents, QueriedDump, QueryTooNew, QueryInvalidRange,
                                       QueryDumpFailed, QueryError>;

void write_json(JsonWriter& out, const WorkerQuery& query, WireGeneration generation);
void write_msgpack(MsgpackWriter& out, const WorkerQuery& query);
void write_json(JsonWriter& out, const WorkerQueryAnswer& answer, WireGeneration generation);
void write_msgpack(MsgpackWriter& out, const WorkerQueryAnswer& answer);

/// Missing optional members are none. Errors: Errc::protocol naming the field; Errc::unimplemented
/// for a `kind` other than "recovery".
Result<WorkerQuery> worker_query_from_json(const Json& json);
Result<WorkerQuery> worker_query_from_msgpack(std::string_view bytes);
/// Of either generation; the last event id of events of 0.9 is that of the newest of them.
/// Errors: Errc::protocol; Errc::unimplemented for answers that only state agents give.
Result<WorkerQueryAnswer> worker_query_answer_from_json(const Json& json);
Result<WorkerQueryAnswer> worker_query_answer_from_msgpack(std::string_view bytes);

}  // namespace dynamo::kv_router
