// SPDX-License-Identifier: Apache-2.0
#include "llm/http/error_response.h"

#include <dynamo/base/json.h>
#include <dynamo/base/log.h>
#include <dynamo/openai/error.h>

#include <utility>

namespace dynamo::llm::http {
namespace {

// When nothing says how long an overload will last.
constexpr std::chrono::seconds kRetryAfter{1};
constexpr int kClientClosedRequest = 499;

const Error* first_with(const Error& error, Errc code) noexcept {
  for (const Error* at = &error; at != nullptr; at = at->cause())
    if (at->code() == code) return at;
  return nullptr;
}

const Error* first_with_backend_status(const Error& error) noexcept {
  for (const Error* at = &error; at != nullptr; at = at->cause())
    if (at->backend_status()) return at;
  return nullptr;
}

Failure internal() {
  return {500, ErrorType::internal, Error(Errc::internal, "Internal server error")};
}

Failure cancelled() {
  return {kClientClosedRequest, ErrorType::cancelled, Error(Errc::cancelled, "Request cancelled")};
}

Failure from_backend(const Error& error, int status, int overload_status) {
  if (status == kClientClosedRequest) return cancelled();
  if (status == overload_status) return {status, ErrorType::overload, error};
  if (status == 503) return {status, ErrorType::unavailable, error};
  if (status >= 400 && status < 500)
    return {status,
            status == 404 ? ErrorType::not_found
                          : (status == 400 ? ErrorType::validation : ErrorType::internal),
            error};
  if (status < 500 || status > 599) return internal();
  Failure failure = internal();
  failure.shown =
      std::move(failure.shown).with_details(Json::object({{"backend_status", Json(status)}}));
  return failure;
}

}  // namespace

std::string plain_error_body(int status, std::string_view message) {
  // The Errc does not show; the status decides what the body says.
  return openai::error_body(Error(Errc::internal, std::string(message)),
                            {.status = status, .overload_status = 529, .request_id = {}});
}

Failure classify(const Error& error, int overload_status) {
  if (const Error* e = first_with(error, Errc::overloaded))
    return {overload_status, ErrorType::overload, *e};
  if (const Error* e = first_with(error, Errc::unavailable))
    return {503, ErrorType::unavailable, *e};
  if (const Error* e = first_with(error, Errc::invalid_argument))
    return {400, ErrorType::validation, *e};
  if (first_with(error, Errc::cancelled) != nullptr) return cancelled();
  if (const Error* e = first_with_backend_status(error))
    return from_backend(*e, *e->backend_status(), overload_status);
  const int status = http_status(error.code());
  switch (error.code()) {
    case Errc::not_found:
      return {status, ErrorType::not_found, error};
    case Errc::unimplemented:
      return {status, ErrorType::not_implemented, error};
    case Errc::deadline_exceeded:
      return {status, ErrorType::response_timeout, error};
    case Errc::method_not_allowed:
    case Errc::already_exists:
    case Errc::payload_too_large:
    case Errc::unsupported_media_type:
    case Errc::unauthenticated:
    case Errc::permission_denied:
    case Errc::rate_limited:
      return {status, ErrorType::validation, error};
    default:
      return internal();
  }
}

boost::asio::awaitable<Result<void>> respond_failure(Exchange& exchange, const Failure& failure,
                                                     int overload_status,
                                                     std::string_view request_id,
                                                     HeaderList headers) {
  if (failure.status == 429 || failure.status == 503 || failure.status == overload_status)
    headers.emplace_back("retry-after",
                         std::to_string(failure.shown.retry_after().value_or(kRetryAfter).count()));
  std::string body = openai::error_body(
      failure.shown, {.status = failure.status,
                      .overload_status = overload_status,
                      .request_id = failure.status >= 500 ? request_id : std::string_view()});
  return exchange.respond(failure.status, kJsonType, std::move(body), std::move(headers));
}

}  // namespace dynamo::llm::http
