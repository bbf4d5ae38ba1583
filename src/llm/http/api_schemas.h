// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace dynamo::llm::http {

/// The `components.schemas` object of the API document: the request bodies with the ranges that
/// validation enforces, and the error body. JSON text.
extern const std::string_view kApiSchemas;

/// The page of GET /docs, which shows /openapi.json without anything from outside.
extern const std::string_view kDocsPage;

}  // namespace dynamo::llm::http
