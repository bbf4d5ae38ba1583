// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>

#include <string>
#include <string_view>

namespace dynamo::openai {

/// What the error body of a failure needs beside the failure itself.
struct ErrorBodyOptions {
  /// The status line's code; 0 takes error_status(error, overload_status).
  int status = 0;
  /// Status that means overload here (DYN_HTTP_OVERLOAD_STATUS_CODE).
  int overload_status = 529;
  /// Written as `request_id` in bodies of 5xx; empty leaves it out.
  std::string_view request_id;
};

/// The reason phrase of a status as the reference's flat `type` member carries it: the canonical
/// phrase, "Overloaded" for `overload_status`, "Client Closed Request" for 499, else
/// "UnknownError".
std::string_view error_type(int status, int overload_status = 529) noexcept;

/// The nested `type` of OpenAI: invalid_request_error, authentication_error, permission_error,
/// rate_limit_error or server_error.
std::string_view openai_error_type(int status) noexcept;

/// The response's status: http_status(error.code()), with `overload_status` for Errc::overloaded. A
/// status that a backend answered with is kept when it is 4xx, 503 or the overload status; any
/// other becomes 500.
int error_status(const Error& error, int overload_status = 529) noexcept;

/// The body that both OpenAI's SDKs and clients of the reference can read:
/// `{"error":{"message","type","param","code"},"message","type","code"[,"details"][,"request_id"]}`.
/// `param` is error.param() or null, the nested `code` error.reason() or null. A failure inside a
/// backend (500 with a backend status) says only "Internal server error" and the backend's status.
std::string error_body(const Error& error, const ErrorBodyOptions& options = {});

/// The event that ends a stream which has already begun with status 200, the same for every cause
/// (the cause is for the log): `data: {"error":{…}}\n\n`. `data: [DONE]\n\n` follows it.
std::string_view stream_error_event() noexcept;
/// `data: [DONE]\n\n`
std::string_view stream_done_event() noexcept;

/// Appends an annotation: `event: <name>\n: <comment>\n\n`. Line breaks in the comment become
/// spaces.
void append_annotation_event(std::string& out, std::string_view name, std::string_view comment);

}  // namespace dynamo::openai
