// SPDX-License-Identifier: Apache-2.0
#include "llm/http/route_call.h"

#include <utility>

#include "llm/http/error_response.h"
#include "llm/http/request_headers.h"

namespace dynamo::llm::http {

namespace net = boost::asio;

namespace {

constexpr std::size_t kSmallBodyBytes = 16 * 1024;

/// `limit_name` says in the error what the limit is.
net::awaitable<Result<std::string>> read_body_of(RouteCall call, std::size_t limit_bytes,
                                                 std::string limit_name) {
  if (!has_json_content(call.exchange.head()))
    co_return fail(Errc::unsupported_media_type,
                   "Expected request with Content-Type application/json");
  auto body = co_await call.exchange.read_body(limit_bytes);
  if (body) co_return body;
  if (body.error().code() == Errc::deadline_exceeded)
    co_return fail(std::move(body).error().with_backend_status(408));
  if (body.error().code() != Errc::payload_too_large) co_return body;
  co_return fail(Errc::payload_too_large, "Request body exceeds the limit of " + limit_name);
}

}  // namespace

net::awaitable<Result<std::string>> read_json_body(RouteCall call) {
  const ServiceSettings& settings = call.parts.settings;
  return read_body_of(
      call, settings.body_limit_bytes(),
      std::to_string(settings.body_limit_mib) + " MB set by DYN_HTTP_BODY_LIMIT_MB");
}

net::awaitable<Result<std::string>> read_small_json_body(RouteCall call) {
  return read_body_of(call, kSmallBodyBytes, std::to_string(kSmallBodyBytes / 1024) + " KiB");
}

net::awaitable<void> answer_error(RouteCall call, Error error, HeaderList headers) {
  const int overload = call.parts.settings.overload_status;
  static_cast<void>(co_await respond_failure(call.exchange, classify(error, overload), overload,
                                             request_id_of(call.exchange.head()),
                                             std::move(headers)));
}

Error not_ready(const ServedModel& model) {
  if (!model.reason.empty())
    return {Errc::unavailable, "Model `" + model.name + "` cannot serve requests: " + model.reason};
  return {Errc::unavailable,
          "Model `" + model.name +
              "` is not ready to serve requests yet. The deployment may still be starting up or "
              "is not fully provisioned. Please retry shortly."};
}

Error model_not_found() {
  return Error(Errc::not_found, "Model not found")
      .with_param("model")
      .with_reason("model_not_found");
}

}  // namespace dynamo::llm::http
