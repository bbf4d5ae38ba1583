// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/awaitable.hpp>

#include "llm/http/route_call.h"

namespace dynamo::llm::http {

/// GET /busy_threshold: the thresholds of every model.
boost::asio::awaitable<void> serve_busy_thresholds(RouteCall call);
/// POST /busy_threshold: sets the thresholds that the body gives, or reads them when it gives none.
/// Errors have the key "error", as in the reference. Source: spec llm-service 5.4.
boost::asio::awaitable<void> serve_busy_threshold(RouteCall call);

}  // namespace dynamo::llm::http
