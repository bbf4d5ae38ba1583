// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>
#include <dynamo/llm/http/exchange.h>

#include <string>
#include <string_view>

#include <boost/asio/awaitable.hpp>

#include "llm/http/frontend_metrics.h"

namespace dynamo::llm::http {

inline constexpr std::string_view kJsonType = "application/json";

/// Error body of a status that no Errc stands for (408, 414, 431, 505 …).
std::string plain_error_body(int status, std::string_view message);

/// What a client is told about a failure, and how it is counted.
struct Failure {
  int status;
  ErrorType type;
  Error shown;  ///< without what only the log may know
};

/// Looks through the whole chain of causes, in the reference's order: overloaded, unavailable,
/// invalid argument, cancelled, a backend's own status (which also carries the few statuses that no
/// Errc stands for: 408, 431), everything else. Defects of ours and of
/// backends become 500 "Internal server error". Source: spec llm-service 2.2.
Failure classify(const Error& error, int overload_status);

/// Answers with the failure's status and body. 5xx carry `request_id` and are logged; 429, 503 and
/// overload say when to try again.
boost::asio::awaitable<Result<void>> respond_failure(Exchange& exchange, const Failure& failure,
                                                     int overload_status,
                                                     std::string_view request_id,
                                                     HeaderList headers = {});

}  // namespace dynamo::llm::http
