// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/llm/http/exchange.h>
#include <dynamo/llm/http/model_manager.h>
#include <dynamo/llm/http/service.h>
#include <dynamo/runtime/fwd.h>

#include <functional>
#include <string>

#include <boost/asio/awaitable.hpp>

#include "llm/http/frontend_metrics.h"
#include "llm/http/service_settings.h"

namespace dynamo::llm::http {

/// What the routes of the service work with.
struct ServiceParts {
  const ServiceSettings& settings;
  const RequestTemplate& request_template;
  runtime::ComputePool& compute;
  runtime::Shutdown& shutdown;
  ModelManager& models;
  FrontendMetrics& metrics;
  const std::function<FleetHealth()>& fleet;  ///< may be empty
};

/// One exchange of a route. Passed by value; what it refers to outlives the handler.
struct RouteCall {
  const ServiceParts& parts;
  Exchange& exchange;
};

/// Reads a JSON body of at most the configured size. Errors: unsupported_media_type for another
/// content type, payload_too_large naming the limit, and read_body()'s.
boost::asio::awaitable<Result<std::string>> read_json_body(RouteCall call);
/// The same for a body that is always small, and is therefore parsed on the shard.
boost::asio::awaitable<Result<std::string>> read_small_json_body(RouteCall call);

/// Answers with an error's status and body.
boost::asio::awaitable<void> answer_error(RouteCall call, Error error, HeaderList headers = {});

/// The error of a request for a model that is known but cannot be used now.
Error not_ready(const ServedModel& model);
/// The error of a request for a model that nobody serves.
Error model_not_found();

}  // namespace dynamo::llm::http
