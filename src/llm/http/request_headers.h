// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>
#include <dynamo/base/json.h>
#include <dynamo/llm/http/exchange.h>
#include <dynamo/openai/nvext.h>

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace dynamo::llm::http {

/// The id that the response ids carry: `x-dynamo-request-id` when it is a UUID, else a new one.
std::string request_id_of(const RequestHead& head);

/// Fills nvext from the routing headers; a header wins over the body. Values that cannot be read
/// are ignored. Source: spec llm-service 3.5.
void apply_routing_headers(const RequestHead& head, std::optional<openai::NvExt>& nvext);

/// {"session_id", "parent_session_id", "session_final"} of the agent that asks, from Dynamo's own
/// headers or those of Claude Code, Codex and other harnesses, the former first; none without a
/// session. Ids over 256 bytes are ignored. Source: spec llm-service 3.5.
std::optional<Json> agent_context(const RequestHead& head);

/// Headers that begin with `prefix` (lower case), by the rest of their names, and the W3C trace
/// headers. Credentials are dropped. Errors: over 64 entries or 64 KiB, which is a 431.
Result<std::map<std::string, std::string>> forwarded_metadata(const RequestHead& head,
                                                              std::string_view prefix);

/// Whether the content type is JSON: application/json or application/*+json, any parameters.
bool has_json_content(const RequestHead& head) noexcept;

/// The credential of `authorization: Bearer …`, or none.
std::optional<std::string_view> bearer_token(const RequestHead& head) noexcept;

}  // namespace dynamo::llm::http
