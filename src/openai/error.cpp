// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/json.h>
#include <dynamo/openai/error.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

namespace dynamo::openai {
namespace {

// RFC 9110 and the IANA registry, with the wording of the reference's HTTP library.
constexpr std::array<std::pair<int, std::string_view>, 40> kReasons{{
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {402, "Payment Required"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {407, "Proxy Authentication Required"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Payload Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {418, "I'm a teapot"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Entity"},
    {423, "Locked"},
    {424, "Failed Dependency"},
    {425, "Too Early"},
    {426, "Upgrade Required"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {451, "Unavailable For Legal Reasons"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {506, "Variant Also Negotiates"},
    {507, "Insufficient Storage"},
    {508, "Loop Detected"},
    {510, "Not Extended"},
    {511, "Network Authentication Required"},
}};

constexpr int kClientClosedRequest = 499;
constexpr int kInternalServerError = 500;

void write_text_or_null(JsonWriter& out, std::string_view name, const std::string& text) {
  out.key(name);
  if (text.empty()) {
    out.null();
  } else {
    out.value(std::string_view(text));
  }
}

}  // namespace

std::string_view error_type(int status, int overload_status) noexcept {
  if (status == overload_status) return "Overloaded";
  if (status == kClientClosedRequest) return "Client Closed Request";
  const auto it =
      std::ranges::lower_bound(kReasons, status, {}, [](const auto& row) { return row.first; });
  return it != kReasons.end() && it->first == status ? it->second : "UnknownError";
}

std::string_view openai_error_type(int status) noexcept {
  switch (status) {
    case 401:
      return "authentication_error";
    case 403:
      return "permission_error";
    case 429:
      return "rate_limit_error";
    default:
      return status >= kInternalServerError ? "server_error" : "invalid_request_error";
  }
}

int error_status(const Error& error, int overload_status) noexcept {
  if (const auto backend = error.backend_status()) {
    const bool client_error = *backend >= 400 && *backend < 500;
    const bool kept = *backend == 503 || *backend == overload_status;
    return client_error || kept ? *backend : kInternalServerError;
  }
  return error.code() == Errc::overloaded ? overload_status : base::http_status(error.code());
}

std::string error_body(const Error& error, const ErrorBodyOptions& options) {
  const int status =
      options.status != 0 ? options.status : error_status(error, options.overload_status);
  // What a backend says about its own failure is for the log, not for the client.
  const bool hidden = error.backend_status() && status == kInternalServerError;
  const std::string_view message =
      hidden ? "Internal server error" : std::string_view(error.message());

  std::string body;
  body.reserve(2 * message.size() + 192);
  JsonWriter out(body);
  out.begin_object();
  out.key("error").begin_object();
  out.member("message", message);
  out.member("type", openai_error_type(status));
  write_text_or_null(out, "param", error.param());
  write_text_or_null(out, "code", error.reason());
  out.end_object();
  out.member("message", message);
  out.member("type", error_type(status, options.overload_status));
  out.member("code", status);
  if (!error.details().is_null()) {
    out.member("details", error.details());
  } else if (hidden) {
    out.key("details")
        .begin_object()
        .member("backend_status", *error.backend_status())
        .end_object();
  }
  if (status >= kInternalServerError && !options.request_id.empty()) {
    out.member("request_id", options.request_id);
  }
  out.end_object();
  return body;
}

std::string_view stream_error_event() noexcept {
  return "data: {\"error\":{\"message\":\"Internal server "
         "error\",\"type\":\"internal_server_error\","
         "\"code\":500}}\n\n";
}

std::string_view stream_done_event() noexcept {
  return "data: [DONE]\n\n";
}

void append_annotation_event(std::string& out, std::string_view name, std::string_view comment) {
  const auto append_line = [&out](std::string_view text) {
    const std::size_t begin = out.size();
    out += text;
    std::replace_if(
        out.begin() + static_cast<std::ptrdiff_t>(begin), out.end(),
        [](char c) { return c == '\n' || c == '\r'; }, ' ');
  };
  out += "event: ";
  append_line(name);
  out += "\n: ";
  append_line(comment);
  out += "\n\n";
}

}  // namespace dynamo::openai
