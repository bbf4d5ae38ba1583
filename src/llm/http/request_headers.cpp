// SPDX-License-Identifier: Apache-2.0
#include "llm/http/request_headers.h"

#include <dynamo/base/truthy.h>
#include <dynamo/base/uuid.h>

#include <charconv>
#include <initializer_list>
#include <limits>
#include <utility>

#include "llm/http/request_parser.h"

namespace dynamo::llm::http {
namespace {

// Bounds of the reference on forwarded metadata.
constexpr std::size_t kMetadataEntries = 64;
constexpr std::size_t kMetadataBytes = std::size_t{64} * 1024;

template <class T>
std::optional<T> number(const RequestHead& head, std::initializer_list<std::string_view> names) {
  for (const auto name : names) {
    const auto text = head.header(name);
    if (!text) continue;
    T value{};
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
    if (error == std::errc() && end == text->data() + text->size()) return value;
  }
  return std::nullopt;
}

bool begins_with(std::string_view text, std::string_view prefix) noexcept {
  return text.size() >= prefix.size() &&
         equals_ignoring_case(text.substr(0, prefix.size()), prefix);
}

constexpr std::size_t kSessionIdBytes = 256;  // of the reference's session table
constexpr std::size_t kTurnMetadataBytes = std::size_t{8} * 1024;

/// An id without the space around it; empty when there is none that can be used.
std::string session_id(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text.size() <= kSessionIdBytes ? std::string(text) : std::string();
}
std::string session_header(const RequestHead& head, std::string_view name) {
  return session_id(head.header(name).value_or(std::string_view()));
}

struct Session {
  std::string id, parent;
};

Session dynamo_session(const RequestHead& head) {
  return {session_header(head, "x-dynamo-session-id"),
          session_header(head, "x-dynamo-parent-session-id")};
}
/// A subagent is a session of its own, whose parent is another agent or the session itself.
Session claude_code_session(const RequestHead& head) {
  std::string session = session_header(head, "x-claude-code-session-id");
  std::string agent = session_header(head, "x-claude-code-agent-id");
  if (agent.empty()) return {std::move(session), {}};
  std::string parent = session_header(head, "x-claude-code-parent-agent-id");
  return {std::move(agent), parent.empty() ? std::move(session) : std::move(parent)};
}
Session codex_session(const RequestHead& head) {
  Session session{session_header(head, "thread-id"),
                  session_header(head, "x-codex-parent-thread-id")};
  const auto metadata = head.header("x-codex-turn-metadata");
  if (!session.id.empty() || !metadata) return session;
  const auto json =
      parse_json(*metadata, {.depth_limit = 8, .size_limit_bytes = kTurnMetadataBytes});
  if (!json) return session;
  for (const std::string_view key : {"thread_id", "session_id"}) {
    const Json* id = json->find(key);
    if (session.id.empty() && id != nullptr && id->if_string() != nullptr)
      session.id = session_id(*id->if_string());
  }
  return session;
}
Session plain_session(const RequestHead& head) {
  return {session_header(head, "x-session-id"), session_header(head, "x-parent-session-id")};
}

std::string lower_case(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
  return out;
}

}  // namespace

std::string request_id_of(const RequestHead& head) {
  if (const auto given = head.header("x-dynamo-request-id"))
    if (const auto uuid = base::Uuid::parse(*given)) return uuid->to_string();
  return base::Uuid::random().to_string();
}

void apply_routing_headers(const RequestHead& head, std::optional<openai::NvExt>& nvext) {
  const auto target = [&]() -> openai::NvExt& { return nvext ? *nvext : nvext.emplace(); };
  if (const auto id =
          number<std::uint64_t>(head, {"x-dynamo-worker-instance-id", "x-worker-instance-id"})) {
    target().backend_instance_id = *id;
    target().decode_worker_id = *id;
  }
  if (const auto id =
          number<std::uint64_t>(head, {"x-dynamo-prefill-instance-id", "x-prefill-instance-id"}))
    target().prefill_worker_id = *id;
  if (const auto rank =
          number<std::uint32_t>(head, {"x-dynamo-dp-rank", "x-dp-rank", "x-data-parallel-rank"}))
    target().dp_rank = *rank;
  if (const auto rank =
          number<std::uint32_t>(head, {"x-dynamo-prefill-dp-rank", "x-prefill-dp-rank"});
      rank && *rank != std::numeric_limits<std::uint32_t>::max())
    target().prefill_dp_rank = *rank;
  const auto hints = [&]() -> openai::AgentHints& {
    auto& at = target().agent_hints;
    return at ? *at : at.emplace();
  };
  if (const auto priority = number<std::int32_t>(head, {"x-dynamo-request-priority"}))
    hints().priority = *priority;
  if (const auto priority = number<std::uint32_t>(head, {"x-dynamo-request-strict-priority"}))
    hints().strict_priority = *priority;
  if (const auto tenant = head.header("x-tenant-id"); tenant && !tenant->empty())
    target().cache_salt = std::string(*tenant);
}

std::optional<Json> agent_context(const RequestHead& head) {
  for (const auto read : {dynamo_session, claude_code_session, codex_session, plain_session}) {
    Session session = read(head);
    if (session.id.empty()) continue;
    Json context = Json::object({{"session_id", Json(std::move(session.id))}});
    if (!session.parent.empty()) context["parent_session_id"] = Json(std::move(session.parent));
    if (const auto final_one = head.header("x-dynamo-session-final");
        final_one && base::is_truthy(*final_one))
      context["session_final"] = Json(true);
    return context;
  }
  return std::nullopt;
}

Result<std::map<std::string, std::string>> forwarded_metadata(const RequestHead& head,
                                                              std::string_view prefix) {
  std::map<std::string, std::string> metadata;
  std::size_t bytes = 0;
  for (const std::string_view name : {"traceparent", "tracestate"})
    if (const auto value = head.header(name)) metadata.emplace(name, *value);
  if (prefix.empty()) return metadata;
  for (const auto& [name, value] : head.headers()) {
    if (name.size() <= prefix.size() || !begins_with(name, prefix)) continue;
    if (equals_ignoring_case(name, "authorization") || begins_with(value, "bearer ")) continue;
    bytes += name.size() + value.size();
    metadata.insert_or_assign(lower_case(name.substr(prefix.size())), std::string(value));
    if (metadata.size() > kMetadataEntries || bytes > kMetadataBytes)
      return fail(Error(Errc::payload_too_large,
                        "More than 64 entries or 64 KiB of request metadata in headers '" +
                            std::string(prefix) + "*'")
                      .with_backend_status(431));
  }
  return metadata;
}

bool has_json_content(const RequestHead& head) noexcept {
  const auto type = head.header("content-type");
  if (!type) return false;
  std::string_view essence = type->substr(0, type->find(';'));
  while (essence.ends_with(' ') || essence.ends_with('\t')) essence.remove_suffix(1);
  if (equals_ignoring_case(essence, "application/json")) return true;
  return begins_with(essence, "application/") && essence.size() > 5 &&
         equals_ignoring_case(essence.substr(essence.size() - 5), "+json");
}

std::optional<std::string_view> bearer_token(const RequestHead& head) noexcept {
  const auto value = head.header("authorization");
  if (!value || !begins_with(*value, "bearer ")) return std::nullopt;
  std::string_view token = value->substr(7);
  while (token.starts_with(' ')) token.remove_prefix(1);
  return token;
}

}  // namespace dynamo::llm::http
