// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/llm/http/exchange.h>
#include <dynamo/llm/http/model_manager.h>
#include <dynamo/llm/http/service.h>
#include <dynamo/runtime/fwd.h>

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
};

/// POST /v1/chat/completions: body, checks in the reference's order, template and tokens, engine,
/// stages, answer. Errors before the first frame become the response's status, also for streams.
boost::asio::awaitable<void> serve_chat(const ServiceParts& parts, Exchange& exchange);
/// POST /v1/completions, likewise; several prompts become one response.
boost::asio::awaitable<void> serve_completions(const ServiceParts& parts, Exchange& exchange);

/// Reads a JSON body: 415 for another content type, 413 naming the limit, 400, 408. Any route.
boost::asio::awaitable<Result<std::string>> read_json_body(const ServiceParts& parts,
                                                           Exchange& exchange);

/// The error of a request for a model that is known but cannot be used now.
Error not_ready(const ServedModel& model);
/// The error of a request for a model that nobody serves.
Error model_not_found();

}  // namespace dynamo::llm::http
