// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/llm/http/exchange.h>

#include <string_view>

#include <boost/asio/awaitable.hpp>

#include "llm/http/generation.h"

namespace dynamo::llm::http {

/// GET /v1/models; with the header anthropic-version in Anthropic's form.
boost::asio::awaitable<void> serve_models(const ServiceParts& parts, Exchange& exchange);
/// GET /v1/models/{id} and /v1/models/{id}/ready. Ids may contain slashes; a model that is really
/// called "x/ready" wins over the suffix.
boost::asio::awaitable<void> serve_model(const ServiceParts& parts, Exchange& exchange,
                                         std::string_view id);
/// GET /health: whether new requests are served.
boost::asio::awaitable<void> serve_health(const ServiceParts& parts, Exchange& exchange);
/// GET /live: whether the process is worth keeping.
boost::asio::awaitable<void> serve_live(const ServiceParts& parts, Exchange& exchange);

}  // namespace dynamo::llm::http
