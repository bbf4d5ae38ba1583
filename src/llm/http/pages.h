// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include <boost/asio/awaitable.hpp>

#include "llm/http/route_call.h"

namespace dynamo::llm::http {

/// GET /v1/models; with the header anthropic-version in Anthropic's form.
boost::asio::awaitable<void> serve_models(RouteCall call);
/// GET /v1/models/{id} and /v1/models/{id}/ready. Ids may contain slashes; a model that is really
/// called "x/ready" wins over the suffix.
boost::asio::awaitable<void> serve_model(RouteCall call, std::string_view id);
/// GET /health: whether new requests are served.
boost::asio::awaitable<void> serve_health(RouteCall call);
/// GET /live: whether the process is worth keeping.
boost::asio::awaitable<void> serve_live(RouteCall call);

}  // namespace dynamo::llm::http
