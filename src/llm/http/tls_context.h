// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>
#include <dynamo/llm/http/server.h>

#include <memory>

#include <boost/asio/ssl/context.hpp>

namespace dynamo::llm::http {

/// TLS 1.2 or newer with the given certificate; offers http/1.1 by ALPN. Errors: invalid_argument
/// naming the file that is missing, unreadable or does not fit the other.
Result<std::unique_ptr<boost::asio::ssl::context>> make_tls_context(const TlsFiles& files);

}  // namespace dynamo::llm::http
