// SPDX-License-Identifier: Apache-2.0
#include <dynamo/kv_router/worker_query.h>

#include <algorithm>
#include <array>
#include <limits>

#include "kv_router/msgpack_struct.h"

namespace dynamo::kv_router {
namespace {

constexpr std::string_view kRecovery = "recovery";

Error wrong(std::string_view field, std::string_view expected) {
  return Error(Errc::protocol,
               "KV query: " + std::string(field) + " must be " + std::string(expected));
}

Result<std::uint64_t> number_at(const Json& object, std::string_view field) {
  const Json* value = object.find(field);
  const auto number = value == nullptr ? std::nullopt : value->as_uint64();
  if (!number) return fail(wrong(field, "an unsigned 64-bit integer"));
  return *number;
}

Result<std::optional<std::uint64_t>> optional_number_at(const Json& object,
                                                        std::string_view field) {
  const Json* value = object.find(field);
  if (value == nullptr || value->is_null()) return std::optional<std::uint64_t>();
  DYN_TRY(const std::uint64_t number, number_at(object, field));
  return std::optional(number);
}

// {events, last_event_id} since 1.5, a bare list in 0.9.
Result<WorkerQueryAnswer> events_answer(const Json& body, bool dump) {
  const Json* list = body.is_array() ? &body : body.find("events");
  if (list == nullptr || !list->is_array()) return fail(wrong("events", "an array"));
  std::vector<RouterEvent> events;
  events.reserve(list->if_array()->size());
  for (const Json& entry : *list->if_array()) {
    DYN_TRY(RouterEvent event, router_event_from_json(entry));
    events.push_back(std::move(event));
  }
  std::uint64_t last = 0;
  if (!body.is_array()) {
    DYN_TRY(last, number_at(body, "last_event_id"));
  } else if (!dump) {
    for (const RouterEvent& event : events) last = std::max(last, event.event.event_id);
  }
  if (dump && body.is_array()) return QueriedDump{std::move(events), std::nullopt};
  if (dump) return QueriedDump{std::move(events), last};
  return QueriedEvents{std::move(events), last};
}

// Answers without events, as a tree for both encodings.
struct ShortAnswer {
  static Json one(std::string_view name, JsonObject body) {
    JsonObject out;
    out.set(name, Json(std::move(body)));
    return Json(std::move(out));
  }
  Json operator()(const QueryTooNew& answer) const {
    JsonObject body;
    body.set("requested_start", Json(answer.requested_start));
    body.set("requested_end", Json(answer.requested_end));
    body.set("newest_available", Json(answer.newest_available));
    return one("TooNew", std::move(body));
  }
  Json operator()(const QueryInvalidRange& answer) const {
    JsonObject body;
    body.set("start_id", Json(answer.start_id));
    body.set("end_id", Json(answer.end_id));
    return one("InvalidRange", std::move(body));
  }
  Json operator()(const QueryDumpFailed& answer) const {
    JsonObject body;
    body.set("last_event_id", Json(answer.last_event_id));
    body.set("message", Json(answer.message));
    return one("TreeDumpFailed", std::move(body));
  }
  Json operator()(const QueryError& answer) const {
    JsonObject out;
    out.set("Error", Json(answer.message));
    return Json(std::move(out));
  }
  Json operator()(const auto&) const { return {}; }  // those with events are written at once
};

// The list of an answer that has one, and its name.
struct Listed {
  std::string_view name;
  const std::vector<RouterEvent>* events = nullptr;
  std::uint64_t last_event_id = 0;
  bool dump = false;
};
Listed listed(const WorkerQueryAnswer& answer) noexcept {
  if (const auto* events = std::get_if<QueriedEvents>(&answer))
    return {"Events", &events->events, events->last_event_id, false};
  if (const auto* dump = std::get_if<QueriedDump>(&answer))
    return {"TreeDump", &dump->events, dump->last_event_id.value_or(0), true};
  return {};
}

// {"Events" or "TreeDump": {events, last_event_id, …}}, event by event: a dump may be large.
Result<WorkerQueryAnswer> list_from_msgpack(MsgpackReader& in, bool dump) {
  std::vector<RouterEvent> events;
  std::uint64_t last = 0;
  const auto read_events = [&]() -> Result<void> {
    DYN_TRY(const std::size_t length, in.array());
    for (std::size_t i = 0; i < length; ++i) {
      DYN_TRY(RouterEvent event, router_event_from_msgpack(in));
      events.push_back(std::move(event));
    }
    return {};
  };
  bool has_last = false;
  constexpr std::array<std::string_view, 2> kFields{"events", "last_event_id"};
  if (in.peek() != MsgpackReader::Kind::map) return fail(wrong("the body", "a map"));
  DYN_CHECK(detail::read_struct(in, kFields, [&](std::size_t field) -> Result<void> {
    if (field == 0) return read_events();
    has_last = true;
    DYN_TRY(last, in.unsigned_integer());
    return {};
  }));
  if (!has_last) return fail(wrong("last_event_id", "there"));
  if (dump) return QueriedDump{std::move(events), last};
  return QueriedEvents{std::move(events), last};
}

Json optional_number(const std::optional<std::uint64_t>& number) {
  return number ? Json(*number) : Json();
}

Json query_tree(const WorkerQuery& query, WireGeneration generation) {
  JsonObject out;
  out.set("worker_id", Json(static_cast<std::uint64_t>(query.worker.worker)));
  if (generation == WireGeneration::v1_5)
    out.set("dp_rank", Json(std::uint64_t{static_cast<std::uint32_t>(query.worker.rank)}));
  out.set("start_event_id", optional_number(query.start_event_id));
  out.set("end_event_id", optional_number(query.end_event_id));
  if (generation == WireGeneration::v1_5) {
    out.set("supports_tree_dump_failed", Json(query.supports_tree_dump_failed));
    out.set("kind", Json(std::string(kRecovery)));
  }
  return Json(std::move(out));
}

}  // namespace

void write_json(JsonWriter& out, const WorkerQuery& query, WireGeneration generation) {
  out.value(query_tree(query, generation));
}
void write_msgpack(MsgpackWriter& out, const WorkerQuery& query) {
  out.value(query_tree(query, WireGeneration::v1_5));
}
void write_json(JsonWriter& out, const WorkerQueryAnswer& answer, WireGeneration generation) {
  const Listed list = listed(answer);
  if (list.events == nullptr) {
    out.value(std::visit(ShortAnswer{}, answer));
    return;
  }
  const bool wrapped = generation == WireGeneration::v1_5;
  out.begin_object().key(list.name);
  if (wrapped) out.begin_object().key("events");
  out.begin_array();
  for (const RouterEvent& event : *list.events) write_json(out, event, generation);
  out.end_array();
  if (wrapped) {
    out.member("last_event_id", list.last_event_id);
    if (list.dump) out.member("reset_scope", "all");
    out.end_object();
  }
  out.end_object();
}
void write_msgpack(MsgpackWriter& out, const WorkerQueryAnswer& answer) {
  const Listed list = listed(answer);
  if (list.events == nullptr) {
    out.value(std::visit(ShortAnswer{}, answer));
    return;
  }
  out.map(1).value(list.name).map(list.dump ? 3 : 2).value("events");
  write_msgpack(out, *list.events);
  out.value("last_event_id").value(list.last_event_id);
  if (list.dump) out.value("reset_scope").value("all");
}

Result<WorkerQuery> worker_query_from_json(const Json& json) {
  WorkerQuery out;
  DYN_TRY(const std::uint64_t worker, number_at(json, "worker_id"));
  out.worker.worker = WorkerId{worker};
  DYN_TRY(const auto rank, optional_number_at(json, "dp_rank"));
  if (rank.value_or(0) > std::numeric_limits<std::uint32_t>::max())
    return fail(wrong("dp_rank", "an unsigned 32-bit integer"));
  out.worker.rank = DpRank{static_cast<std::uint32_t>(rank.value_or(0))};
  DYN_TRY(out.start_event_id, optional_number_at(json, "start_event_id"));
  DYN_TRY(out.end_event_id, optional_number_at(json, "end_event_id"));
  const Json* supports = json.find("supports_tree_dump_failed");
  out.supports_tree_dump_failed =
      supports != nullptr && supports->if_bool() != nullptr && *supports->if_bool();
  const Json* kind = json.find("kind");
  if (kind != nullptr && (!kind->is_string() || *kind->if_string() != kRecovery))
    return fail(Errc::unimplemented, "KV query: unsupported kind " + kind->dump().substr(0, 40));
  return out;
}

Result<WorkerQuery> worker_query_from_msgpack(std::string_view bytes) {
  DYN_TRY(const Json json, base::parse_msgpack(bytes));
  return worker_query_from_json(json);
}

Result<WorkerQueryAnswer> worker_query_answer_from_json(const Json& json) {
  const JsonObject* object = json.if_object();
  if (object == nullptr || object->size() != 1)
    return fail(wrong("the answer", "an object with one member"));
  const auto& [name, body] = *object->begin();
  if (name == "Events") return events_answer(body, false);
  if (name == "TreeDump") return events_answer(body, true);
  if (name == "TooNew") {
    QueryTooNew out;
    DYN_TRY(out.requested_start, number_at(body, "requested_start"));
    DYN_TRY(const auto end, optional_number_at(body, "requested_end"));
    DYN_TRY(out.newest_available, number_at(body, "newest_available"));
    out.requested_end = end.value_or(out.newest_available);
    return out;
  }
  if (name == "InvalidRange") {
    QueryInvalidRange out;
    DYN_TRY(out.start_id, number_at(body, "start_id"));
    DYN_TRY(out.end_id, number_at(body, "end_id"));
    return out;
  }
  if (name == "TreeDumpFailed") {
    QueryDumpFailed out;
    DYN_TRY(out.last_event_id, number_at(body, "last_event_id"));
    const Json* message = body.find("message");
    if (message != nullptr && message->is_string()) out.message = *message->if_string();
    return out;
  }
  if (name == "Error") {
    if (!body.is_string()) return fail(wrong("Error", "a text"));
    return QueryError{*body.if_string()};
  }
  return fail(Errc::unimplemented, "KV query: unknown answer '" + name.substr(0, 40) + "'");
}

Result<WorkerQueryAnswer> worker_query_answer_from_msgpack(std::string_view bytes) {
  MsgpackReader in(bytes);
  if (in.peek() == MsgpackReader::Kind::map) {
    DYN_TRY(const std::size_t entries, in.map());
    if (entries == 1 && in.peek() == MsgpackReader::Kind::string) {
      DYN_TRY(const std::string_view name, in.string());
      if (name == "Events" || name == "TreeDump") {
        auto answer = list_from_msgpack(in, name == "TreeDump");
        if (answer && !in.at_end()) return fail(wrong("the answer", "one item"));
        return answer;
      }
    }
  }
  DYN_TRY(const Json json, base::parse_msgpack(bytes));
  return worker_query_answer_from_json(json);
}

}  // namespace dynamo::kv_router
