// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/awaitable.hpp>

#include "llm/http/route_call.h"

namespace dynamo::llm::http {

/// POST /v1/chat/completions: body, checks in the reference's order, template and tokens, engine,
/// stages, answer. Errors before the first frame become the response's status, also for streams.
boost::asio::awaitable<void> serve_chat(RouteCall call);
/// POST /v1/completions, likewise; several prompts become one response.
boost::asio::awaitable<void> serve_completions(RouteCall call);

}  // namespace dynamo::llm::http
