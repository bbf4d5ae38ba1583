// SPDX-License-Identifier: Apache-2.0
#include "llm/http/request_headers.h"

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
