// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace dynamo::llm::http {

inline constexpr std::string_view kJsonType = "application/json";

/// Error body of a status that no Errc stands for (408, 414, 431, 505 …).
std::string plain_error_body(int status, std::string_view message);

}  // namespace dynamo::llm::http
